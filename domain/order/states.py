"""The states of an order, and the table of legal moves. A move that is not in the table does not happen."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from domain.errors import InvalidInput, InvalidTransition


class TradeState(IntEnum):
    """An order's place in its life; the numbers are those of the wire and of the table."""

    CANCELLED = -1
    WAIT_PAY = 0
    WAIT_USE = 1
    USED = 2
    REFUNDED = 3
    EXPIRED = 4


class CloseReason(IntEnum):
    """Who or what closed an order; the numbers are those of the table."""

    GUEST = 1
    UNPAID_TIMEOUT = 2
    PAYMENT_FAILED = 3


class SaleUnit(IntEnum):
    """How a homestay is sold; the numbers are the wire's rowType."""

    ROOM = 0
    PERSON = 1


class PaymentStatus(IntEnum):
    """How a payment stands; the numbers are the wire's payStatus."""

    FAILED = -1
    WAIT = 0
    SUCCESS = 1
    REFUNDED = 2


MOVES: Final[Mapping[TradeState, frozenset[TradeState]]] = {
    TradeState.WAIT_PAY: frozenset({TradeState.WAIT_USE, TradeState.CANCELLED}),
    TradeState.WAIT_USE: frozenset({TradeState.USED, TradeState.REFUNDED, TradeState.EXPIRED}),
    TradeState.CANCELLED: frozenset(),
    TradeState.USED: frozenset(),
    TradeState.REFUNDED: frozenset(),
    TradeState.EXPIRED: frozenset(),
}

# States in which an order must hold its nights: its guest may still come.
HOLDING: Final = frozenset({TradeState.WAIT_PAY, TradeState.WAIT_USE})

# States in which an order holds no nights any more. A used one holds them until they are over: its guest is there.
FREES: Final = frozenset({TradeState.CANCELLED, TradeState.REFUNDED})

# States in which the check-in code opens a door, or has opened one. Before payment it must not be known; after a
# refund it is void.
CODE_SHOWN: Final = frozenset({TradeState.WAIT_USE, TradeState.USED, TradeState.EXPIRED})


def check_move(current: TradeState, wanted: TradeState) -> None:
    """Refuses a move that is not in the table.

    Raises:
        InvalidTransition: always so for a state to itself; callers who repeat themselves are answered before.
    """
    if wanted not in MOVES[current]:
        raise InvalidTransition(
            f"An order that is {current.name} can't become {wanted.name}.", current=current, wanted=wanted
        )


def from_wire(number: int) -> TradeState:
    """Reads a state off the wire.

    Raises:
        InvalidInput: no state has this number.
    """
    try:
        return TradeState(number)
    except ValueError:
        raise InvalidInput(f"{number} is no trade state.", "tradeState") from None
