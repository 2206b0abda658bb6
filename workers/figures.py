"""Figures that this process counts of its messages and sweeps."""

from typing import Final

from prometheus_client import Counter, Gauge

from domain.order.closing import Outcome

CLOSED: Final = Counter("homestay_orders_closed", "Unpaid orders closed, by what made us look.", ["by"])
MESSAGE: Final = CLOSED.labels("message")
SWEEP: Final = CLOSED.labels("sweep")
DROPPED: Final = Counter("homestay_messages_dropped", "Messages that could not be sent; the sweep covers them.")
LAST_SWEEP: Final = Gauge(
    "homestay_last_sweep_timestamp_seconds", "When this process last ended a sweep that did all it had to do."
)


def closed(outcomes: list[Outcome]) -> int:
    """How many of these were closed by whoever asks."""
    return outcomes.count(Outcome.CLOSED)
