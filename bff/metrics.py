"""Figures of what guests ask for: how often, how fast, and what went wrong, by its code."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Histogram

# The names of operations are the clients'. A product has some dozens of them; each costs a series of 13 numbers.
MOST_NAMES: Final = 100
# Characters; longer ones tell nobody anything.
MAX_NAME: Final = 64
OTHER: Final = "other"
UNNAMED: Final = "unnamed"

OPERATIONS: Final = Histogram(
    "homestay_operation_seconds",
    "GraphQL operations, by the name that the client gave.",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ERRORS: Final = Counter(
    "homestay_errors", "Errors and refusals told to guests, by `extensions.code` or the code of a userError.", ["code"]
)
FAILED: Final = Counter(
    "homestay_operations_failed",
    "Operations that ended in an error or refusal of this code, or in several, and requests that were none; each once.",
    ["code"],
)
RESPONSES: Final = Counter("homestay_http_responses", "Answers of /graphql, by their status.", ["status"])


def expect(codes: Iterable[str]) -> None:
    """Begins the series of these codes: the first error of one that began with it would be no increase."""
    for code in codes:
        ERRORS.labels(code)
        FAILED.labels(code)


def refused(code: str) -> None:
    """Counts an operation that ends in one error, before it was executed or without a word of why."""
    ERRORS.labels(code).inc()
    FAILED.labels(code).inc()


def failed(codes: Iterable[str]) -> None:
    """Counts an operation whose errors were counted one by one.

    Args:
        codes: of its errors.
    """
    for code in set(codes):
        FAILED.labels(code).inc()


class Operations:
    """Counts operations under a bounded number of names: those used last.

    Args:
        most: names that are kept; the one that was used longest ago makes room for a new one, and its series ends.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        # Each with its series, which is looked for once.
        self._known: OrderedDict[str, Histogram] = OrderedDict()
        self._unnamed = OPERATIONS.labels(UNNAMED)
        self._turn = threading.Lock()

    def observe(self, name: str | None, seconds: float, *, executed: bool = True) -> None:
        """Counts one operation.

        Args:
            name: as the document has it; None where it has none.
            seconds: that it took.
            executed: whether it got as far as that. What is refused before gives no new name a series, or anybody
                could fill them, without a token.
        """
        self._series(name, executed=executed).observe(seconds)

    def _series(self, name: str | None, *, executed: bool) -> Histogram:
        if not name:
            return self._unnamed
        with self._turn:
            known = self._known.get(name)
            if known is None:
                if not executed or len(name) > MAX_NAME:
                    return OPERATIONS.labels(OTHER)
                known = self._known[name] = OPERATIONS.labels(name)
                if len(self._known) > self._most:
                    forgotten, _ = self._known.popitem(last=False)
                    OPERATIONS.remove(forgotten)
            else:
                self._known.move_to_end(name)
        return known
