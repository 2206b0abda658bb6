"""What payments need of others: somebody who takes the news of them further. Who listens is not known here."""

from typing import Final, Protocol

# The topic of the letters that say how a payment stands now: {"orderSn": its order, "payStatus": a `PayStatus`}.
STATUS_CHANGED: Final = "payment.status_changed"


class Wake(Protocol):
    """Says, after a commit, that letters are waiting. May be forgotten: who relays them also looks by itself."""

    def __call__(self) -> None:
        """Never blocks, never raises."""
        ...
