"""What payments need of others: somebody who is told of changes. Who listens is not known here."""

from typing import Protocol


class Announcer(Protocol):
    """Tells the world that a payment changed. May forget: who needs to be sure asks the payment service."""

    def payment_status_changed(self, order_sn: str, pay_status: int) -> None:
        """Says, after the commit, how a payment of the order stands. Never blocks, never raises."""
        ...
