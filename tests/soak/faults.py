"""Short faults by chance, from a seed that is printed; never of those whose growth is measured."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from tests.chaos.sites import How
from tests.servers.proxy import Mode, Proxy
from tests.soak.site import MORTAL, Whole

# Seconds between two, and for which one lasts.
_BETWEEN: Final = (8.0, 20.0)
_LASTS: Final = (0.5, 5.0)


class Faults:
    """Breaks something, again and again.

    Attributes:
        made: what, in the order in which it was.
    """

    def __init__(self, site: Whole, random: Random) -> None:
        self._site = site
        self._random = random
        self.made: list[str] = []

    async def go_on(self) -> None:
        """Breaks things until this is cancelled; what is broken then is mended."""
        faults: list[tuple[str, Callable[[float], Awaitable[None]]]] = [
            ("Redis restarted", lambda lasts: self._restart("redis", How.KILL, lasts)),
            ("a worker killed", lambda lasts: self._restart(MORTAL, How.KILL, lasts)),
            ("a worker stopped", lambda lasts: self._restart(MORTAL, How.STOP, lasts)),
            ("travel slow", lambda lasts: self._become(self._site.travel, Mode.SLOW, lasts)),
            ("payment slow", lambda lasts: self._become(self._site.payment, Mode.SLOW, lasts)),
            ("travel cut off", lambda lasts: self._become(self._site.travel, Mode.REFUSED, lasts)),
        ]
        while True:
            await asyncio.sleep(self._random.uniform(*_BETWEEN))
            name, fault = self._random.choice(faults)
            self.made.append(name)
            await asyncio.shield(asyncio.ensure_future(fault(self._random.uniform(*_LASTS))))

    async def _restart(self, name: str, how: How, lasts: float) -> None:
        await asyncio.to_thread(self._site.take_down, name, how)
        await asyncio.sleep(lasts)
        await asyncio.to_thread(self._site.bring_back, name)

    async def _become(self, proxy: Proxy, mode: Mode, lasts: float) -> None:
        await proxy.become(mode)
        await asyncio.sleep(lasts)
        await proxy.become(Mode.GOOD)
