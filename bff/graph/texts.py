"""What fields of an order are where the order is a line of texts, as a database writes them: see `bff.execution.lines`.

Each function here raises where a text is not what its column has.
"""

from datetime import date
from typing import Final

from bff.graph import ids
from bff.graph.scalars import write_integer
from domain.order.states import CODE_SHOWN, TradeState

# Days and stays that are remembered: a page has few, and an installation those of some years.
_MOST: Final = 4096
_SECONDS: Final = len("2026-05-01 12:00:00")
_MILLISECONDS: Final = len("2026-05-01 12:00:00.000")
_WAITS: Final = str(TradeState.WAIT_PAY.value)
_CODE_SHOWN: Final = frozenset(str(state.value) for state in CODE_SHOWN)


class _Days(dict[str, str]):
    """Days by what the database writes, which is what we write; of those that there are not, e.g. 0000-00-00, none."""

    def __missing__(self, text: str) -> str:
        if date.fromisoformat(text).isoformat() != text:
            raise ValueError(text)
        if len(self) >= _MOST:
            self.clear()
        self[text] = text
        return text


class _Nights(dict[tuple[str, str], int]):
    """The nights between two days."""

    def __missing__(self, days: tuple[str, str]) -> int:
        start, end = days
        number = (date.fromisoformat(end) - date.fromisoformat(start)).days
        if len(self) >= _MOST:
            self.clear()
        self[days] = number
        return number


_DAYS: Final = _Days()
_NIGHTS: Final = _Nights()
day = _DAYS.__getitem__


def nights(start: str, end: str) -> int:
    """The nights of a stay."""
    return _NIGHTS[start, end]


def instant(text: str) -> str:
    """An instant, which the database writes with milliseconds where its column has them, and in UTC."""
    size = len(text)
    if size == _SECONDS or (size == _MILLISECONDS and text.endswith(".000")):
        return f"{_DAYS[text[:10]]}T{text[11:19]}Z"
    if size != _MILLISECONDS:
        raise ValueError(text)
    return f"{_DAYS[text[:10]]}T{text[11:]}Z"


def pay_before(state: str, close_at: str) -> str | None:
    """When an unpaid order closes."""
    return instant(close_at) if state == _WAITS and close_at else None


def shown_code(state: str, code: str) -> str | None:
    """The check-in code, where the guest may know it."""
    return code if state in _CODE_SHOWN else None


def cover(text: str) -> str | None:
    """The address of a picture, where there is one."""
    return text or None


def order_id(sn: str) -> str:
    """The global id of an order."""
    return ids.global_id(ids.ORDER, sn)


def cursor(number: str) -> str:
    """An order's place in the list."""
    return ids.cursor(int(number))


def currency(_fen: str) -> str:
    """Of all our prices."""
    return "CNY"


def amount_minor(fen: str) -> int:
    """A price in fen."""
    return write_integer(int(fen))


def amount(fen: str) -> str:
    """A price in yuan, exactly."""
    if len(fen) > 2 and fen.isdecimal():  # noqa: PLR2004 -- a yuan has a hundred fen
        return f"{fen[:-2]}.{fen[-2:]}"
    number = int(fen)
    return f"{number // 100}.{number % 100:02}"
