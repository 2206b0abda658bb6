"""How a payment stands, the table of legal moves, and what the provider's words mean. What is in none is refused."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from domain.errors import InvalidInput


class UnknownWord(InvalidInput):
    """The provider has no such trade state, as far as we know: it may have a new one."""


class PayStatus(IntEnum):
    """How a payment stands; the numbers are those of the wire and of the table."""

    FAILED = -1
    WAIT = 0
    SUCCESS = 1
    REFUNDED = 2


MOVES: Final[Mapping[PayStatus, frozenset[PayStatus]]] = {
    PayStatus.WAIT: frozenset({PayStatus.SUCCESS, PayStatus.FAILED}),
    # A provider may report a failure and then a success: the guest tried again. Money that came is recorded.
    PayStatus.FAILED: frozenset({PayStatus.SUCCESS}),
    PayStatus.SUCCESS: frozenset({PayStatus.REFUNDED}),
    PayStatus.REFUNDED: frozenset(),
}

# Money has come, whether or not it went back since.
SETTLED: Final = frozenset({PayStatus.SUCCESS, PayStatus.REFUNDED})

# WeChat Pay's trade states, all of them. A payment not made, being made or accepted is still open; one closed, revoked
# or refused by the bank can bring no money any more.
PROVIDER_WORDS: Final[Mapping[str, PayStatus]] = {
    "SUCCESS": PayStatus.SUCCESS,
    "REFUND": PayStatus.REFUNDED,
    "NOTPAY": PayStatus.WAIT,
    "USERPAYING": PayStatus.WAIT,
    "ACCEPT": PayStatus.WAIT,
    "CLOSED": PayStatus.FAILED,
    "REVOKED": PayStatus.FAILED,
    "PAYERROR": PayStatus.FAILED,
}

# The word to store where whoever reports a status does not give one.
DEFAULT_WORDS: Final[Mapping[PayStatus, str]] = {
    PayStatus.WAIT: "NOTPAY",
    PayStatus.SUCCESS: "SUCCESS",
    PayStatus.FAILED: "PAYERROR",
    PayStatus.REFUNDED: "REFUND",
}


def origins(wanted: PayStatus) -> frozenset[PayStatus]:
    """The statuses from which a payment may become `wanted`; none of them is `wanted` itself."""
    return frozenset(status for status, ends in MOVES.items() if wanted in ends)


def from_wire(number: int) -> PayStatus:
    """Reads a status off the wire.

    Raises:
        InvalidInput: no status has this number.
    """
    try:
        return PayStatus(number)
    except ValueError:
        raise InvalidInput(f"{number} is no pay status.", "payStatus") from None


def from_provider(word: str) -> PayStatus:
    """Reads the provider's trade state.

    Raises:
        UnknownWord: the provider has no such word. It is not guessed at: a guess could lose money.
    """
    try:
        return PROVIDER_WORDS[word]
    except KeyError:
        raise UnknownWord("This is none of the provider's trade states.", "tradeState") from None
