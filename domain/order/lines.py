"""Orders as the database writes them: of each a line of texts, for those who pass most of it on as it is.

To make a date of a text, and a text of the date again, costs more than all else that happens to a page. A line is
taken apart by its separator, which no text of an order has; where one has it all the same, its page is read otherwise.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Boolean, Date, Integer, String
from sqlalchemy.types import TypeEngine

from domain.columns import IntEnumColumn, UTCDateTime, table_of
from domain.order.models import HomestayOrder, Order, part

# ASCII's own mark between two fields: of all that the keyboards of guests and hosts have, it is nothing.
SEPARATOR: Final = "\x1f"

_COLUMNS: Final = table_of(HomestayOrder).c


class Line(NamedTuple):
    """An order, which is taken apart when it is wanted: to make and forget what lies there taken apart costs more.

    Attributes:
        place: of its page among those that were read with it.
        id: its number.
        texts: its columns, with `SEPARATOR` between them.
    """

    place: int
    id: int
    texts: str


@dataclass(frozen=True, slots=True)
class Lines:
    """A page of orders, newest first.

    Attributes:
        columns: what an order's texts are; `id` is the first. A column that may be NULL has no text where it is.
        lines: of each order its line, as a `Line` or as a tuple of the same.
    """

    columns: tuple[str, ...]
    lines: Sequence[Line]

    @classmethod
    def of(cls, columns: tuple[str, ...], lines: list[Line]) -> Self | None:
        """These lines, in the order of a page; None where one has more texts, or fewer, than there are columns."""
        separators = len(columns) - 1
        if {line[2].count(SEPARATOR) for line in lines} - {separators}:
            return None
        ids = [line[1] for line in lines]
        # The sum of several statements is in no order, whatever theirs is; mostly it is in that of a page.
        if ids != sorted(ids, reverse=True):
            lines.sort(key=itemgetter(1), reverse=True)
        return cls(columns, lines)

    def __len__(self) -> int:
        return len(self.lines)

    def part(self, of: slice) -> "Lines":
        """Some of them."""
        return Lines(self.columns, self.lines[of])

    def id_at(self, place: int) -> int:
        """The id of one of them."""
        return self.lines[place][1]

    def orders(self) -> Iterator[Order]:
        """The same as values.

        Raises:
            ValueError: a text is not what its column has, e.g. a date that there is not.
        """
        make, readers = _readers(self.columns)
        for _, _, texts in self.lines:
            yield make(read(text) for read, text in zip(readers, texts.split(SEPARATOR), strict=True))


@lru_cache(maxsize=16)
def _readers(columns: tuple[str, ...]) -> tuple[Callable[[Any], Order], list[Callable[[str], Any]]]:
    kind = Order if columns == Order._fields else part(columns)
    return kind._make, [_reader(_COLUMNS[name].type, nullable=bool(_COLUMNS[name].nullable)) for name in columns]


def _reader(kind: TypeEngine[Any], *, nullable: bool) -> Callable[[str], Any]:
    """From a column's text to its value."""
    read: Callable[[str], Any]
    match kind:
        case String():
            return str
        case Boolean():

            def read(text: str) -> Any:  # noqa: ANN401 -- a boolean
                return bool(int(text))
        case IntEnumColumn():
            members = kind.members

            def read(text: str) -> Any:  # noqa: ANN401 -- a member
                return members(int(text))
        case UTCDateTime():
            read = _instant
        case Date():
            read = date.fromisoformat
        case Integer():
            read = int
        case _:
            raise TypeError(f"an order has no column of {kind!r}")
    return (lambda text: read(text) if text else None) if nullable else read


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
