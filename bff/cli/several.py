"""`homestay bff` with several processes: what the one does that starts the others."""

from typing import Final

import uvloop

from bff.cli.terminal import edge_at, explained, say
from bff.processes.parent import Processes
from workers.service_group import STOP_WITHIN, ServiceGroup
from workers.settings import Settings

# Seconds more than those have that it waits for, within the 15 that a program is promised to end in.
_MORE: Final = 1.0


def run(settings: Settings) -> None:
    """Runs them until it is told to stop."""
    with explained():
        uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    processes = Processes(host=settings.host, port=settings.port, count=settings.processes)
    group = ServiceGroup([processes], within=STOP_WITHIN + _MORE)
    await group.run(
        lambda: say(f"{edge_at(settings, processes.port)}, by {settings.processes} processes"), until=processes.broken
    )
