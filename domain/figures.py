"""Figures that a process counts of what happens here; whoever scrapes it reads them. They hold no guest's data."""

from typing import Final

from prometheus_client import Counter, Histogram

# Seconds. A read of another service may take one, a write two; closing is promised within fifteen.
UPSTREAM: Final = Histogram(
    "homestay_upstream_seconds",
    "Calls of other services, by what came of them: ok, not_asked, given_up, or the gRPC status.",
    ["service", "method", "outcome"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
CLOSING_LAG: Final = Histogram(
    "homestay_closing_lag_seconds",
    "From the moment at which an unpaid order should close to the moment at which it did.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 300, 3600),
)
PROVIDER_WORDS_UNKNOWN: Final = Counter(
    "homestay_provider_words_unknown",
    "Notices of the payment provider that were refused because nobody here knows their trade state.",
)
