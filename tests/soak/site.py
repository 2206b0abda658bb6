"""The installation that is soaked: every program a process, each telling its figures, the upstreams behind proxies."""

from functools import partial
from pathlib import Path
from typing import Final

from tests.chaos.sites import Separate
from tests.servers import Server, free_port
from tests.servers.proxy import Proxy

_PROGRAMS: Final = {
    "travel-rpc": "travel-rpc",
    "payment-rpc": "payment-rpc",
    "order-rpc": "order-rpc",
    "bff": "bff",
    "worker-1": "worker",
    "worker-2": "worker",
}
# Killed now and then; all others live from the first minute to the last, so that what they gather shows.
MORTAL: Final = "worker-2"
KEPT: Final = tuple(name for name in _PROGRAMS if name != MORTAL)


class Whole(Separate):
    """MariaDB, Redis, all programs, two workers.

    Attributes:
        watched: by name, the port at which each program tells its figures.
        travel: the network to the travel service, to be broken; it has to be entered before a guest comes.
        payment: likewise.
    """

    name = "the whole installation"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.watched: dict[str, int] = {}
        travel, payment = free_port(), free_port()
        self.travel, self.payment = Proxy(travel), Proxy(payment)
        self._environment |= {
            "HOMESTAY_TRAVEL_ADDR": self.travel.address,
            "HOMESTAY_PAYMENT_ADDR": self.payment.address,
            "HOMESTAY_TRAVEL_RPC_PORT": str(travel),
            "HOMESTAY_PAYMENT_RPC_PORT": str(payment),
        }

    def pids(self) -> dict[str, int]:
        """The process of everything that runs, by name."""
        running = {name: target.running for name, target in self._targets.items()}
        processes = {name: each.process if isinstance(each, Server) else each for name, each in running.items()}
        return {name: process.pid for name, process in processes.items() if process.alive}

    def _start_programs(self) -> None:
        for name, program in _PROGRAMS.items():
            self.watched[name] = self.installation.port if program == "bff" else free_port()
            port = {} if program == "bff" else {"HOMESTAY_WATCH_PORT": str(self.watched[name])}
            self._run(name, partial(self.installation.start, program, **port))
