"""What a soak found, as tables."""

from collections.abc import Sequence
from typing import Final

from tests.soak.gauges import Series, ends
from tests.soak.run import Soaked
from tests.soak.site import KEPT

_MEBIBYTE: Final = 2**20


def table(found: Soaked) -> str:
    """The figures, in Markdown."""
    lines = [
        ["", "memory, MiB", "growth", "at most", "files", "threads", "tasks"],
        ["---", *["---:"] * 6],
        *(_line(name, found.series[name]) for name in KEPT if name in found.series),
        *(_line(f"{name} (not judged)", series) for name, series in found.series.items() if name not in KEPT),
    ]
    faults = ", ".join(f"{name} {count} times" for name, count in sorted(found.faults.items())) or "none"
    told = "; ".join(_told(found, name) for name in sorted({name for name, _ in found.told}))
    bore = f"{found.full:.0f} things a second at most, " if found.full else ""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + (
        f"\nPace: {bore}{found.pace:.0f} begun, {found.late} not begun for want of room.\n"
        f"Faults: {faults}.\nGuests: {told}.\n"
        f"Orders left open: {found.left_open}. In logs, and of processes: {len(found.findings)} findings.\n"
    )


def _line(name: str, series: Series) -> list[str]:
    begin, end = ends(series.memory)
    return [
        name,
        f"{begin / _MEBIBYTE:.1f} → {end / _MEBIBYTE:.1f}",
        f"{end / begin - 1:+.1%}",
        f"{max(series.memory) / _MEBIBYTE:.1f}",
        *map(_ends, (series.files, series.threads, series.tasks)),
    ]


def _ends(values: Sequence[float]) -> str:
    begin, end = ends(values)
    return f"{begin:.0f} → {end:.0f}" if values else "-"


def _told(found: Soaked, name: str) -> str:
    outcomes = sorted((outcome, count) for (each, outcome), count in found.told.items() if each == name)
    return f"{name}: {', '.join(f'{count} {outcome}' for outcome, count in outcomes)}"
