"""What fields of an order are where the order is a line of texts, as a database writes them: see `bff.execution.lines`.

Each function here raises where a text is not what its column has.
"""

from collections.abc import Callable
from datetime import date
from typing import Final, TypeVar

from bff.graph import ids
from bff.graph.scalars import write_integer
from domain.order.states import CODE_SHOWN, TradeState

K = TypeVar("K")
V = TypeVar("V")

# Days, stays and prices that are remembered, each: a page has few, and an installation those of some years.
MOST: Final = 4096
_SECONDS: Final = len("2026-05-01 12:00:00")
_MILLISECONDS: Final = len("2026-05-01 12:00:00.000")
_WAITS: Final = str(TradeState.WAIT_PAY.value)
_CODE_SHOWN: Final = frozenset(str(state.value) for state in CODE_SHOWN)


class _Remembered(dict[K, V]):
    """What texts become, looked up and not called: on a page, calls are half of what an order costs.

    Args:
        make: makes it of a text that did not come yet, or of several; raises where they are wrong.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: K) -> V:
        made = self._make(text)
        if len(self) >= MOST:
            self.clear()
        self[text] = made
        return made


def _day(text: str) -> str:
    # Of a day that there is not, e.g. 0000-00-00, the database has a text all the same.
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError(text)
    return text


def _nights(days: tuple[str, str]) -> int:
    start, end = map(date.fromisoformat, days)
    return (end - start).days


def _amount(fen: str) -> str:
    number = int(fen)
    return f"{number // 100}.{number % 100:02}"


DAYS: Final = _Remembered(_day)
# By the first day and the last.
NIGHTS: Final = _Remembered(_nights)
# Of prices, in yuan and exactly, by fen.
AMOUNTS: Final = _Remembered(_amount)


def instant(text: str) -> str:
    """An instant, which the database writes with milliseconds where its column has them, and in UTC."""
    size = len(text)
    if size == _SECONDS or (size == _MILLISECONDS and text.endswith(".000")):
        return f"{DAYS[text[:10]]}T{text[11:19]}Z"
    if size != _MILLISECONDS:
        raise ValueError(text)
    return f"{DAYS[text[:10]]}T{text[11:]}Z"


def pay_before(state: str, close_at: str) -> str | None:
    """When an unpaid order closes."""
    return instant(close_at) if state == _WAITS and close_at else None


def shown_code(state: str, code: str) -> str | None:
    """The check-in code, where the guest may know it."""
    return code if state in _CODE_SHOWN else None


def paid_sn(state: str, sn: str) -> str | None:
    """By what the payment of an order is found, where there may be one."""
    return None if state == _WAITS else sn


def order_id(sn: str) -> str:
    """The global id of an order."""
    return ids.global_id(ids.ORDER, sn)


def cursor(number: str) -> str:
    """An order's place in the list."""
    return ids.cursor(int(number))


def amount_minor(fen: str) -> int:
    """A price in fen."""
    return write_integer(int(fen))
