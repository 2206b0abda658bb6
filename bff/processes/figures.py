"""/metrics of several processes: whichever is asked tells of all, each one's figures under its own label.

Nothing is added up here. A process that was followed by another one begins its counters anew, which whoever scrapes
them understands of a series, and would take for a leap in a sum.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from bff.processes.seat import Seat

log = structlog.get_logger(__name__)

# Seconds for another process to tell its figures.
WITHIN: Final = 1.0
LABEL: Final = "process"
_UP: Final = "homestay_process_up"
_UP_HELP: Final = "1 for each process of the edge that tells its figures, 0 for one that does not."


class FiguresServer:
    """Tells this process's figures to the others and to the parent, to whom it is the sign that the loop answers.

    Args:
        seat: where they ask.
        own: makes them, in Prometheus' text format.
    """

    name = "figures"

    def __init__(self, seat: Seat, own: Callable[[], bytes]) -> None:
        self._seat = seat
        self._own = own
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Tells whoever asks from now on."""
        # Whoever sat here before left its socket.
        self._seat.figures.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._tell, self._seat.figures)

    async def stop(self) -> None:
        """Tells nobody any more."""
        if self._server is not None:
            self._server.close()
            self._seat.figures.unlink(missing_ok=True)

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(self._own())
            await writer.drain()
        writer.close()


async def ask(seat: Seat) -> bytes:
    """The figures of who sits there, as text; empty where nobody tells them."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(WITHIN):
            reader, writer = await asyncio.open_unix_connection(seat.figures)
            try:
                return await reader.read()
            finally:
                writer.close()
    return b""


async def of_all(seat: Seat, own: bytes) -> Iterable[Metric]:
    """The figures of all processes, as one of them tells them."""
    others = list(seat.others())
    told = {seat.number: own}
    told |= dict(zip((other.number for other in others), await asyncio.gather(*map(ask, others)), strict=True))
    return merge({number: text.decode() for number, text in sorted(told.items())})


def merge(told: Mapping[int, str]) -> list[Metric]:
    """Puts the figures of several processes together, by their names, each sample labelled with its process."""
    up = GaugeMetricFamily(_UP, _UP_HELP, labels=[LABEL])
    families: dict[str, Metric] = {}
    for number, text in told.items():
        up.add_metric([str(number)], 1 if text else 0)
        for family in text_string_to_metric_families(text):
            known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                known.add_sample(sample.name, {**sample.labels, LABEL: str(number)}, sample.value)
    return [up, *families.values()]
