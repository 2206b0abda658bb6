"""The operators' page as HTML: plain, without a script, whatever it shows escaped."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bff.ops.charts import Chart, chart
from bff.ops.sight import Missing, View
from domain.money import Fen
from domain.order import outlook
from domain.order.outlook import Outlook
from domain.outbox import MOST_COUNTED, Overview
from workers.broker import CLOSING_QUEUE

# What stands where nobody knows.
UNKNOWN: Final = "\N{EN DASH}"
# Seconds between two looks of a page that is left open.
REFRESH: Final = 15
# Seconds by which an order has closed, as is promised.
PROMISED: Final = 15
# Upper edges of the bars of the closing lag, in seconds.
EDGES: Final = (0.25, 0.5, 1, 2, 5, 10, PROMISED, 30, 60)
# What became of a form, in words; the address says which.
DONE: Final = {
    "signed-out": "You are signed out.",
    "letter-retry": "The letter will be tried again, from now on.",
    "letter-drop": "The letter was dropped.",
    "message-retry": "The message was sent again.",
    "message-drop": "The message was dropped.",
    "nothing": "Nothing was done: it is not dead any more, or was never there.",
    "broker": "Nothing was done: the broker can't be asked.",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that is to be seen first."""

    name: str
    value: str
    well: bool
    note: str


def _create_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": span, "instant": instant, "money": money}
    environment.tests["missing"] = lambda value: isinstance(value, Missing)
    return environment


def span(delta: timedelta | None) -> str:
    """A length of time in its two largest units."""
    if delta is None:
        return UNKNOWN
    seconds = delta.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 -- a minute
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    pairs = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    while not pairs[0][0]:
        del pairs[0]
    return " ".join(f"{number} {unit}" for number, unit in pairs[:2] if number)


def instant(at: datetime) -> str:
    """An instant in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(fen: Fen) -> str:
    """An amount in yuan."""
    return f"{fen // 100:,}.{fen % 100:02} CNY"


ENVIRONMENT: Final = _create_environment()


def render(template: str, **values: Any) -> str:  # noqa: ANN401 -- whatever the template wants
    """Returns a page."""
    return ENVIRONMENT.get_template(template).render(values)


def overview(
    view: View, *, key: str, done: str, refreshes: bool, grace: timedelta, works: bool, here: str | None = None
) -> str:
    """Returns the page of everything.

    Args:
        view: what there is to see.
        key: what its forms carry.
        done: what became of the form before, one of `DONE`, or anything else for nothing.
        refreshes: whether it looks again by itself.
        grace: past the due moment until a sweep closes what no message did.
        works: whether a worker runs in this process.
        here: which process this is; None where it is the only one at its address.
    """
    orders = view.orders if isinstance(view.orders, Outlook) else None
    letters = view.letters if isinstance(view.letters, Overview) else None
    lags = [max(0.0, lag) for lag in orders.lags] if orders else []
    return render(
        "overview.html",
        view=view,
        key=key,
        done=DONE.get(done, ""),
        refresh=REFRESH if refreshes else None,
        tiles=_tiles(view, orders, letters),
        soon=_soon(orders) if orders else None,
        lag=_lag(lags) if orders else None,
        promised=PROMISED,
        ahead=outlook.AHEAD,
        most_orders=outlook.COUNTED,
        most_letters=MOST_COUNTED,
        grace=grace,
        early=sum(lag < grace.total_seconds() for lag in lags),
        late=sum(lag >= grace.total_seconds() for lag in lags),
        works=works,
        here=here,
        closing_queue=CLOSING_QUEUE,
    )


def _soon(orders: Outlook) -> Chart:
    return chart([("now" if minute == 0 else f"+{minute}", count) for minute, count in enumerate(orders.soon)])


def _lag(lags: Sequence[float]) -> Chart:
    edges = [0.0, *EDGES, float("inf")]
    labels = [*(f"≤ {edge:g} s" for edge in EDGES), f"> {EDGES[-1]:g} s"]
    counts = [
        sum(lower < lag <= upper or (lag == lower == 0.0) for lag in lags) for lower, upper in itertools.pairwise(edges)
    ]
    return chart([*zip(labels, counts, strict=True)], late_from=EDGES.index(PROMISED) + 1)


def _tiles(view: View, orders: Outlook | None, letters: Overview | None) -> list[Tile]:
    tiles = []
    if orders:
        soon = sum(orders.soon)
        since = f"the first for {span(orders.at - orders.overdue_since)}" if orders.overdue_since else "none is late"
        tiles += [
            Tile("Closing soon", _most(soon, outlook.COUNTED), well=True, note=f"in the next {outlook.AHEAD} minutes"),
            Tile("Overdue", _most(orders.overdue, outlook.COUNTED), well=_in_time(orders), note=since),
            Tile(
                "Refunds due",
                _most(orders.refunds_due, outlook.COUNTED),
                well=not orders.refunds_due,
                note=f"the first for {span(orders.at - orders.refunds[0].requested_at)}" if orders.refunds else "none",
            ),
        ]
    if letters:
        waiting = sum(each.count for each in letters.waiting)
        oldest = min((each.oldest for each in letters.waiting), default=None)
        tiles += [
            Tile(
                "Letters waiting",
                _most(waiting, MOST_COUNTED),
                well=not any(each.put_off for each in letters.waiting),
                note=f"the first for {span(max(timedelta(), view.at - oldest))}" if oldest else "none",
            ),
            Tile(
                "Dead letters",
                _most(letters.dead_count, MOST_COUNTED),
                well=not letters.dead_count,
                note="somebody must look" if letters.dead_count else "none",
            ),
        ]
    if isinstance(view.messages, list):
        count = len(view.messages)
        tiles.append(Tile("Dead messages", str(count), well=not count, note="shown below" if count else "none"))
    return tiles


def _in_time(orders: Outlook) -> bool:
    late = orders.overdue_since is not None and orders.at - orders.overdue_since > timedelta(seconds=PROMISED)
    return not late


def _most(count: int, counted: int) -> str:
    return f"{count:,}{'+' if count >= counted else ''}"
