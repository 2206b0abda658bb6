"""Where the bars of a chart stand. How they look is the template's and the stylesheet's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# In the drawing's own units; the page scales it.
WIDTH: Final = 720
HEIGHT: Final = 220
LEFT: Final = 44
RIGHT: Final = 8
TOP: Final = 18
BOTTOM: Final = 30
# How much of its place a bar fills.
FILLED: Final = 0.78
# Lines of the scale above the ground, at most.
LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, and the words below and above it."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: int
    is_late: bool

    @property
    def middle(self) -> float:
        """Where its words are centred."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the scale."""

    y: float
    value: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of bars."""

    bars: Sequence[Bar]
    lines: Sequence[Line]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    ground: int = HEIGHT - BOTTOM


def chart(values: Sequence[tuple[str, int]], *, late_from: int | None = None) -> Chart:
    """Returns the chart of some counts.

    Args:
        values: a label and a count for each bar.
        late_from: the first bar of those that should not be there at all.
    """
    step = _step(max((count for _, count in values), default=0))
    top = step * max(1, -(-max((count for _, count in values), default=0) // step))
    place = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    room = HEIGHT - TOP - BOTTOM

    def y(count: int) -> float:
        return round(TOP + room * (1 - count / top), 1)

    bars = [
        Bar(
            x=round(LEFT + place * (number + (1 - FILLED) / 2), 1),
            y=y(count),
            width=round(place * FILLED, 1),
            height=round(HEIGHT - BOTTOM - y(count), 1),
            label=label,
            value=count,
            is_late=late_from is not None and number >= late_from,
        )
        for number, (label, count) in enumerate(values)
    ]
    return Chart(bars, [Line(y(value), value) for value in range(0, top + 1, step)])


def _step(most: int) -> int:
    """The round number between two lines with which `LINES` of them are enough."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * LINES >= most:
                return digit * power
        power *= 10
