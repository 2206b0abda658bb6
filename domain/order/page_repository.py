"""Every SQL statement about a guest's list. Pages of several guests, asked for at one moment, are read by one.

What a page is asked for by decides its statement, which is made once; what the values are does not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, String, bindparam, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.columns import as_ours, table_of
from domain.database import Database
from domain.order.lines import SEPARATOR, Line, Lines
from domain.order.models import HomestayOrder, Order, part
from domain.order.states import TradeState
from domain.prepared import Prepared

_ORDERS: Final = table_of(HomestayOrder)
_ALIVE: Final = _ORDERS.c.del_state == 0
_COLUMNS: Final = frozenset(Order._fields)

# A guest's list is in the order of the primary key. MariaDB walks along that, passing over all other guests' orders,
# where it takes this guest's for near: those of a guest with many, also after a cursor that nobody gave out. The
# guest's own index may have any name; the key's is PRIMARY everywhere.
_NOT_ALONG_ALL: Final = "IGNORE INDEX (PRIMARY)"


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which of a guest's orders are wanted; None filters nothing, an empty set matches nothing."""

    states: frozenset[TradeState] | None = None
    start_from: date | None = None
    start_to: date | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of a list that runs from the newest order to the oldest.

    Attributes:
        limit: rows wanted.
        after: only orders older than the one with this id.
        before: only orders newer than the one with this id.
        backwards: count `limit` from the oldest end instead of the newest.
    """

    limit: int
    after: int | None = None
    before: int | None = None
    backwards: bool = False


@dataclass(frozen=True, eq=False)
class Shape:
    """What pages have in common that are read by one statement: see `shape_of`.

    Attributes:
        asked: the names of the values that they are asked for by.
        columns: those that are read; `id` is the first.
        backwards: whether they are counted from the oldest end.
        as_lines: whether each order comes as a line of texts.
    """

    asked: tuple[str, ...]
    columns: tuple[str, ...]
    backwards: bool
    as_lines: bool

    @cached_property
    def prepared(self) -> Prepared:
        """The statement."""
        return Prepared("page", _statement(self))

    @cached_property
    def make(self) -> Callable[[Sequence[Any]], Order]:
        """Makes an order of a row."""
        return (Order if self.columns == Order._fields else part(self.columns))._make


# Clients select what they like. Those of a product have a few lists, each asked for in a few ways; for more than these
# there is always some work.
@lru_cache(maxsize=128)
def shape_of(asked: tuple[str, ...], only: frozenset[str] | None, *, backwards: bool, as_lines: bool) -> Shape:
    """The shape of pages: one object as long as it is asked for."""
    # Who names something else than columns does not know what is needed.
    is_whole = only is None or not only <= _COLUMNS
    columns = Order._fields if only is None or is_whole else tuple(name for name in Order._fields if name in only)
    return Shape(asked, columns, backwards, as_lines)


class Page(NamedTuple):
    """A page that is wanted.

    Attributes:
        shape: what its statement is made of.
        values: by the names that they have in the statement.
    """

    shape: Shape
    values: Mapping[str, Any]


def page_of(
    user_id: int,
    wanted: OrderFilter,
    window: Window,
    only: frozenset[str] | None = None,
    *,
    as_lines: bool = False,
) -> Page:
    """A piece of a guest's list, newest first whichever end it is counted from.

    Args:
        user_id: the guest.
        wanted: which of the guest's orders.
        window: which piece.
        only: the columns that the orders must have, see `models.part`; None where they are to be whole.
        as_lines: whether they are to come as `Lines`.
    """
    values = _values(user_id, wanted, window)
    return Page(shape_of(tuple(values), only, backwards=window.backwards, as_lines=as_lines), values)


def page_statement(page: Page) -> Select[Any]:
    """The statement of a page, so that a test can ask the database how it would run it."""
    return _statement(page.shape).params({**page.values, "place": 0})


async def read_pages(database: Database, pages: Sequence[Page]) -> list[Any]:
    """Pages of one shape, in one trip.

    Args:
        database: to be asked.
        pages: which.

    Returns:
        Of each its orders, as a list or as `Lines`; None in the place of lines where a text has something in it that
        ends another.
    """
    shape = pages[0].shape
    values = [{**page.values, "place": place} for place, page in enumerate(pages)]
    rows = await database.fetch_each(shape.prepared, values)
    return _lines(shape, rows, len(pages)) if shape.as_lines else _orders(shape, rows, len(pages))


def can_write_lines(database: Database) -> bool:
    """Whether the database has a way to write an order as one line."""
    return database.engine.dialect.name in {"mysql", "mariadb"}


async def count(connection: AsyncConnection, user_id: int, wanted: OrderFilter) -> int:
    """How many of a guest's orders are wanted."""
    values = _values(user_id, wanted, None)
    statement = select(func.count()).select_from(_ORDERS).where(_ALIVE, *_conditions(tuple(values)))
    return int((await connection.execute(statement, values)).scalar_one())


def _orders(shape: Shape, rows: Sequence[Sequence[Any]], number: int) -> list[list[Order]]:
    found = [list[Order]() for _ in range(number)]
    make = shape.make
    for row in rows:
        found[row[0]].append(make(row[1:]))
    for orders in found:
        # The sum of several statements is in no order, whatever theirs is; mostly it is, and then this is quick.
        orders.sort(key=_id_of, reverse=True)
    return found


def _lines(shape: Shape, rows: Sequence[Any], number: int) -> list[Lines | None]:
    found = [list[Line]() for _ in range(number)]
    for row in rows:
        found[row[0]].append(row)
    return [Lines.of(shape.columns, lines) for lines in found]


def _id_of(order: Order) -> int:
    return order.id


def _statement(shape: Shape) -> Select[Any]:
    place = bindparam("place", type_=Integer())
    columns: list[ColumnElement[Any]] = [_ORDERS.c[name] for name in shape.columns]
    shown = [place.label("place"), *([_ORDERS.c.id, _line(columns)] if shape.as_lines else columns)]
    return (
        select(*shown)
        .with_hint(_ORDERS, _NOT_ALONG_ALL, "mysql")
        .with_hint(_ORDERS, _NOT_ALONG_ALL, "mariadb")
        .where(_ALIVE, *_conditions(shape.asked))
        .order_by(_ORDERS.c.id.asc() if shape.backwards else _ORDERS.c.id.desc())
        .limit(bindparam("most", type_=Integer()))
    )


def _line(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """One text of all: what the driver decodes then is one value a row, and not one for each column.

    MariaDB joins texts of several character sets, which an existing table may have; MySQL does not.
    """
    texts = (
        as_ours(column) if isinstance(column.type, String) else func.ifnull(column, literal_column("''"))
        for column in columns
    )
    return func.concat_ws(literal_column(f"'{SEPARATOR}'"), *texts, type_=String())


def _values(user_id: int, wanted: OrderFilter, window: Window | None) -> dict[str, Any]:
    """What a page is asked for by, each under the name that it has in the statement."""
    values: dict[str, Any] = {"user": user_id}
    if window is not None:
        values["most"] = window.limit
        if window.after is not None:
            values["after"] = window.after
        if window.before is not None:
            values["before"] = window.before
    if wanted.states is not None:
        values |= {f"state{number}": state for number, state in enumerate(sorted(wanted.states))}
        if not wanted.states:
            values["no_state"] = None
    if wanted.start_from is not None:
        values["start_from"] = wanted.start_from
    if wanted.start_to is not None:
        values["start_to"] = wanted.start_to
    return values


def _conditions(asked: tuple[str, ...]) -> Iterator[ColumnElement[bool]]:
    columns = _ORDERS.c
    states = [bindparam(name, type_=columns.trade_state.type) for name in asked if name.startswith("state")]
    conditions = {
        "user": columns.user_id == bindparam("user"),
        "state0": columns.trade_state.in_(states),
        # There is no state that is None.
        "no_state": columns.trade_state == bindparam("no_state"),
        "start_from": columns.live_start_date >= bindparam("start_from"),
        "start_to": columns.live_start_date <= bindparam("start_to"),
        "after": columns.id < bindparam("after"),
        "before": columns.id > bindparam("before"),
    }
    return (condition for name, condition in conditions.items() if name in asked)
