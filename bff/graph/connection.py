"""The Relay connection over a guest's orders: keyset pages, newest first, that no insert can shift."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

import strawberry
from strawberry.types.unset import UNSET

from bff.execution import facts
from bff.execution.lines import Lines
from bff.graph import ids, texts
from bff.graph.types import HomestayOrder, Info, lazy
from domain.errors import InvalidInput
from domain.order.lines import SEPARATOR
from domain.order.lines import Lines as OrderLines
from domain.order.models import Order
from domain.order.page_repository import OrderFilter, Window
from domain.order.states import TradeState

MAX_PAGE: Final = 100
DEFAULT_PAGE: Final = 20

T = TypeVar("T")


def given(value: T | None) -> T | None:
    """What was given, where null and absent mean the same."""
    return None if value is UNSET else value


@strawberry.input(description="Inclusive range.")
class DateRange:
    from_: date | None = strawberry.field(name="from", default=UNSET)
    to: date | None = UNSET


@strawberry.input(description="Filter of userHomestayOrderList; an absent field filters nothing.")
class HomestayOrderFilter:
    trade_state: list[TradeState] | None = UNSET
    live_start_date: DateRange | None = UNSET

    def wanted(self) -> OrderFilter:
        """The same as a domain value."""
        states, dates = given(self.trade_state), given(self.live_start_date) or DateRange()
        return OrderFilter(
            states=None if states is None else frozenset(states),
            start_from=given(dates.from_),
            start_to=given(dates.to),
        )


@strawberry.type(description="Relay page info.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None = lazy(lambda self: None if self.start is None else ids.cursor(self.start))
    end_cursor: str | None = lazy(lambda self: None if self.end is None else ids.cursor(self.end))
    start: strawberry.Private[int | None]
    end: strawberry.Private[int | None]


@strawberry.type(description="An order and its place in the list.")
class HomestayOrderEdge:
    cursor: str = lazy(lambda self: ids.cursor(self.place), written=facts.Written(("id",), texts.cursor))
    node: HomestayOrder = strawberry.field(metadata={facts.WRITTEN: facts.Passed({})})
    place: strawberry.Private[int]


def _edges(nodes: list[HomestayOrder] | Lines) -> Any:  # noqa: ANN401 -- as the field says
    if isinstance(nodes, Lines):
        return Lines(HomestayOrderEdge, nodes.columns, nodes.separator, nodes.lines, lambda: _edges([*nodes]))
    return [HomestayOrderEdge(node=node, place=node.order.id) for node in nodes]


@strawberry.type(description="One page of orders, newest first.")
class HomestayOrderConnection:
    edges: list[HomestayOrderEdge] = lazy(lambda self: _edges(self.nodes))
    nodes: list[HomestayOrder] = strawberry.field(description="The nodes without their cursors.")
    page_info: PageInfo
    wanted: strawberry.Private[OrderFilter]

    @strawberry.field(description="Counted only when asked for.")
    async def total_count(self, info: Info) -> int:
        return await info.context.orders.count(info.context.user_id, self.wanted)


@dataclass(frozen=True, slots=True)
class PageArguments:
    """Relay's four arguments, as they came."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None

    def window(self) -> Window:
        """The piece of the list that they ask for.

        `last` counts from the oldest end and wins over `first`, whose default can't be told from a wish.

        Raises:
            InvalidInput: a size outside 1 to `MAX_PAGE`, or a cursor that is none of ours.
        """
        backwards = self.last is not None
        size = self.last if self.last is not None else DEFAULT_PAGE if self.first is None else self.first
        argument = "last" if backwards else "first"
        if not 1 <= size <= MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {MAX_PAGE} orders.", argument)
        return Window(
            limit=size,
            after=None if self.after is None else ids.parse_cursor(self.after, "after"),
            before=None if self.before is None else ids.parse_cursor(self.before, "before"),
            backwards=backwards,
        )


async def resolve_page(info: Info, arguments: PageArguments, wanted: OrderFilter) -> HomestayOrderConnection:
    """Reads one page, and one order more to know whether the list goes on."""
    window = arguments.window()
    further = Window(limit=window.limit + 1, after=window.after, before=window.before, backwards=window.backwards)
    found = await _read(info, wanted, further)
    goes_on = len(found) > window.limit
    if goes_on:
        rest = slice(1, None) if window.backwards else slice(-1)
        found = found[rest] if isinstance(found, list) else found.part(rest)
    start, end = _ends(found) if found else (None, None)
    return HomestayOrderConnection(
        nodes=_nodes(found),
        page_info=PageInfo(
            has_next_page=window.before is not None if window.backwards else goes_on,
            has_previous_page=goes_on if window.backwards else window.after is not None,
            start=start,
            end=end,
        ),
        wanted=wanted,
    )


def _ends(found: list[Order] | OrderLines) -> tuple[int, int]:
    """The ids of the first and the last order."""
    return (found[0].id, found[-1].id) if isinstance(found, list) else (found.id_at(0), found.id_at(-1))


async def _read(info: Info, wanted: OrderFilter, window: Window) -> list[Order] | OrderLines:
    orders, user_id = info.context.orders, info.context.user_id
    selected = facts.wanted(info)
    if selected is None:
        return await orders.page(user_id, wanted, window)
    # The page's own cursors are made of ids.
    only = selected.attributes | {"id"}
    lines = await orders.lines(user_id, wanted, window, only) if selected.as_lines else None
    return await orders.page(user_id, wanted, window, only) if lines is None else lines


def _nodes(found: list[Order] | OrderLines) -> Any:  # noqa: ANN401 -- as the field says
    if isinstance(found, list):
        return [HomestayOrder.of(order) for order in found]
    return Lines(HomestayOrder, found.columns, SEPARATOR, found.lines, lambda: map(HomestayOrder.of, found.orders()))
