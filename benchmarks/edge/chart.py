"""A bar chart of requests a second, as SVG that reads on light and on dark ground."""

from collections.abc import Iterator
from html import escape
from typing import Final

from benchmarks.edge.figures import Figures, Measured

_WIDTH: Final = 760
_LEFT: Final = 110
_RIGHT: Final = 150
_BAR: Final = 16
_GAP: Final = 4
_HEAD: Final = 34
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.head{font-weight:600}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)
_COLOURS: Final = {
    "ours": "#d9480f",
    "mercurius": "#1c7ed6",
    "yoga": "#5c940d",
    "ariadne": "#7048e8",
    "ceiling": "#868e96",
}


def draw(figures: Figures) -> str:
    """Returns the chart."""
    parts: list[str] = []
    y = 8
    for operation in dict.fromkeys(each.operation for each in figures.measured):
        group = [each for each in figures.measured if each.operation == operation]
        parts += _group(operation, group, y)
        y += _HEAD + len(group) * (_BAR + _GAP) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">\n'
        f"<title>Requests a second</title>\n<style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def _group(operation: str, group: list[Measured], y: int) -> Iterator[str]:
    yield f'<text class="head" x="8" y="{y + 20}">{escape(operation)}, requests/s</text>'
    most = max(each.rate for each in group)
    for number, each in enumerate(group):
        top = y + _HEAD + number * (_BAR + _GAP)
        width = (_WIDTH - _LEFT - _RIGHT) * each.rate / most
        colour = _COLOURS.get(each.contender, "#868e96")
        yield f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(each.contender)}</text>'
        yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}"/>'
        yield f'<text x="{_LEFT + width + 8:.1f}" y="{top + 13}">{each.rate:.0f} ({each.cpu:.0f} µs CPU)</text>'
