"""One soak: how much the installation bears, half of that for a long time, and what has grown."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from tests.chaos import client
from tests.chaos.findings import Finding
from tests.chaos.logs import Logs
from tests.chaos.sites import BOUND, KEY, PAY_WINDOW
from tests.soak import gauges
from tests.soak.faults import Faults
from tests.soak.gauges import Series
from tests.soak.guests import Guests
from tests.soak.site import KEPT, Whole

# Seconds for which it is found out how much the installation bears.
_FULL: Final = 10.0
_HALF: Final = 0.5
# The part of the time in which everything finds its size, and is not judged.
_WARM_UP: Final = 0.25
# Seconds between two looks.
_LOOK: Final = 2.0
_MEBIBYTE: Final = 2**20


@dataclass(slots=True)
class Soaked:
    """What a soak found.

    Attributes:
        full: things that guests could do in a second, with nothing held back; 0 where it was not found out.
        pace: things that they began in a second.
        series: by name, what each process was from the warm-up on.
        told: what came of what guests did.
        late: things that were not begun, since too many were under way.
        faults: what was broken, and how often.
        findings: tracebacks and secrets in logs, and programs that ended by themselves.
        left_open: orders that neither were paid nor closed when there was time enough.
    """

    full: float = 0.0
    pace: float = 0.0
    series: dict[str, Series] = field(default_factory=dict)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    late: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    left_open: int = 0

    @property
    def grown(self) -> dict[str, list[str]]:
        """What has grown of the programs that lived all the time."""
        return {name: grown for name in KEPT if (grown := self.series[name].grown())}

    @property
    def well(self) -> bool:
        """Whether nothing grew, and nothing broke that was not broken."""
        return not (self.grown or self.findings or self.left_open)


async def soak(
    site: Whole, *, seconds: float, seed: int, pace: float | None = None, say: Callable[[str], None] = lambda _: None
) -> Soaked:
    """Soaks an installation that runs.

    Args:
        site: the installation.
        seconds: for how long.
        seed: what chance draws from.
        pace: things that guests begin in a second; None for half of what they can do.
        say: told how it goes.
    """
    random = Random(seed)  # noqa: S311 -- to be repeated, not to be secret
    logs = Logs(site.logs(), {KEY})
    found = Soaked()
    async with site.travel, site.payment:
        guests = Guests(site, random)
        if pace is None:
            found.full = await guests.come(_FULL)
            pace = found.full * _HALF
            say(f"{found.full:.0f} things a second at most; {pace:.0f} from now on")
        found.pace = pace
        guests.told.clear()
        faults = Faults(site, random)
        breaking = asyncio.create_task(faults.go_on())
        looking = asyncio.create_task(_look(site, found.series, after=seconds * _WARM_UP, say=say))
        await guests.come(seconds, pace)
        for task in (breaking, looking):
            task.cancel()
        await asyncio.wait({breaking, looking})
        for task in (breaking, looking):
            if not task.cancelled():
                task.result()  # it ended by itself, and not well
        await asyncio.sleep(PAY_WINDOW + BOUND.total_seconds())
        found.left_open = await asyncio.to_thread(site.reader.open_orders)
    await asyncio.to_thread(site.raise_the_dead)
    found.told, found.late, found.faults = guests.told, guests.late, Counter(faults.made)
    found.findings = logs.findings([]) + [Finding("process", name, what) for name, what in site.complaints]
    return found


async def _look(site: Whole, series: dict[str, Series], *, after: float, say: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    started = told = loop.time()
    async with client.device() as http:
        while True:
            await asyncio.sleep(_LOOK)
            now = {name: gauges.read(pid) for name, pid in site.pids().items()}
            counted = {name: await gauges.tasks(http, port) for name, port in site.watched.items()}
            if loop.time() - started >= after:
                for name, reading in now.items():
                    if reading is not None:
                        series.setdefault(name, Series()).add(reading, counted.get(name))
            if loop.time() - told >= 60:
                told = loop.time()
                with suppress(AttributeError):
                    sizes = ", ".join(f"{name} {now[name].memory / _MEBIBYTE:.1f}" for name in KEPT)  # type: ignore[union-attr]
                    say(f"{timedelta(seconds=round(told - started))}: MiB of {sizes}")
