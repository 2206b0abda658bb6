"""Whole installations to be broken: every program a process, time compressed, and a note of when what was down."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Final, Self

import sqlalchemy as sa

from bff.identity.tokens import Tokens
from tests.chaos.books import Reader
from tests.chaos.findings import Outage
from tests.chaos.lodgings import stock
from tests.servers import MariaDB, Process, Redis, Server
from tests.system.installation import Installation

KEY: Final = "a-key-of-the-chaos-run-that-no-log-may-hold"
PAY_WINDOW: Final = 2.0
SWEEP_INTERVAL: Final = 0.5
SWEEP_GRACE: Final = 1.0
# The promise, as it stands. The shorter grace leaves a machine that has better things to do the more time for the rest.
BOUND: Final = timedelta(seconds=15)
# Seconds; our programs promise to stop within 15.
_STOP: Final = 20.0
_START: Final = 30.0

_databases = count()


class How(Enum):
    """Ways to take something down."""

    KILL = "kill -9"
    STOP = "SIGTERM"
    FREEZE = "SIGSTOP"
    # Killed, and what it kept is gone.
    WIPE = "kill -9 and wipe"


@dataclass(slots=True)
class _Target:
    """Something that can be taken down: a server or one of our programs."""

    running: Server | Process

    def down(self, how: How) -> str:
        """Takes it down and says what was wrong with how it went, if anything."""
        match how:
            case How.KILL:
                self.running.kill()
            case How.WIPE:
                self.running.kill()
                if isinstance(self.running, Redis):
                    self.running.forget()
            case How.FREEZE:
                self.running.pause()
            case How.STOP if isinstance(self.running, Server):
                self.running.stop()
            case How.STOP:
                code = self.running.terminate(_STOP)
                return f"ended with exit code {code} on SIGTERM" if code != 0 else ""
        return ""

    def up(self) -> None:
        """Brings it back, as it was taken down, and waits until it answers."""
        if self.running.alive:
            self.running.resume()
            return
        self.running.start()
        if isinstance(self.running, Process):
            self.running.wait_ready(_START)


class Site(ABC):
    """An installation under attack.

    Attributes:
        outages: times in which the database or all workers were down, so that nothing was promised.
        returned: what came back, and when it answered again.
        complaints: programs that died by themselves or did not end as told.
    """

    name: str

    def __init__(self, home: Path) -> None:
        self._stack = ExitStack()
        self._home = home
        self._environment = {
            "HOMESTAY_JWT_SECRET": KEY,
            "HOMESTAY_PAY_WINDOW": str(PAY_WINDOW),
            "HOMESTAY_SWEEP_INTERVAL": str(SWEEP_INTERVAL),
            "HOMESTAY_SWEEP_GRACE": str(SWEEP_GRACE),
        }
        self._targets: dict[str, _Target] = {}
        self._down: dict[str, How] = {}
        self._since: datetime | None = None
        self._guard = threading.Lock()
        self._tokens = Tokens(KEY)
        self.outages: list[Outage] = []
        self.returned: list[tuple[str, datetime]] = []
        self.complaints: list[tuple[str, str]] = []

    def start(self) -> Self:
        """Starts everything, or leaves nothing behind.

        Raises:
            ServerMissing: a server is not installed.
            ProcessFailed: a program did not start.
        """
        with ExitStack() as stack:
            self._stack = stack
            self._open()
            self._stack = stack.pop_all()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @abstractmethod
    def _open(self) -> None:
        """Starts everything, all of it on the stack of what is to be ended."""

    @abstractmethod
    def _promises(self, down: Mapping[str, How]) -> bool:
        """Whether closing in time is promised while these are down."""

    @property
    @abstractmethod
    def installation(self) -> Installation: ...

    @property
    @abstractmethod
    def database_url(self) -> sa.URL:
        """Where the judge reads, by a driver of its own."""

    @property
    def reader(self) -> Reader:
        return Reader(self.database_url)

    @property
    def graphql_url(self) -> str:
        return f"http://127.0.0.1:{self.installation.port}/graphql"

    @property
    def payment_address(self) -> str:
        return f"127.0.0.1:{self.installation.environment['HOMESTAY_PAYMENT_RPC_PORT']}"

    @property
    def targets(self) -> set[str]:
        return set(self._targets)

    def token(self, user: int) -> str:
        return self._tokens.sign(user, timedelta(hours=1))

    def logs(self) -> dict[str, Path]:
        """The logs of our programs, by name; those of the servers are not ours."""
        return {
            name: target.running.log for name, target in self._targets.items() if isinstance(target.running, Process)
        }

    def take_down(self, name: str, how: How) -> None:
        """Breaks it off, or freezes it."""
        with self._guard:
            self._note(name, how)
        complaint = self._targets[name].down(how)
        if complaint:
            self.complaints.append((name, complaint))

    def bring_back(self, name: str) -> None:
        """Starts or thaws what was taken down, and waits until it is ready."""
        self._targets[name].up()
        with self._guard:
            self.returned.append((name, datetime.now(UTC)))
            self._note(name, None)

    def raise_the_dead(self) -> None:
        """Starts what ended by itself, as a supervisor would, and complains."""
        for name, target in self._targets.items():
            if name not in self._down and not target.running.alive:
                self.complaints.append((name, "ended by itself"))
                target.up()

    def _note(self, name: str, how: How | None) -> None:
        promised = self._promises(self._down)
        if how is None:
            self._down.pop(name, None)
        else:
            self._down[name] = how
        if promised and not self._promises(self._down):
            self._since = datetime.now(UTC)
        elif not promised and self._promises(self._down) and self._since is not None:
            self.outages.append((self._since, datetime.now(UTC)))

    def _prepare(self) -> None:
        migrated = self.installation.command("migrate")
        if migrated.returncode != 0:
            raise RuntimeError(migrated.stderr)
        stock(sa.create_engine(self.database_url, poolclass=sa.NullPool))

    def _run(self, name: str, program: Callable[[], Process]) -> None:
        self._targets[name] = _Target(program())


class Separate(Site):
    """Every program in a process of its own, two workers, on a MariaDB and a Redis of its own."""

    name = "MariaDB and Redis"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._mariadb = MariaDB()
        self._redis = Redis()

    def _open(self) -> None:
        self._stack.enter_context(self._mariadb)
        self._stack.enter_context(self._redis)
        self._targets["mariadb"] = _Target(self._mariadb.start())
        self._targets["redis"] = _Target(self._redis.start())
        environment = {
            "HOMESTAY_DATABASE_URL": self._mariadb.create_database(f"chaos{next(_databases)}"),
            "HOMESTAY_BROKER_URL": self._redis.url,
            **self._environment,
        }
        self._installation = self._stack.enter_context(Installation(self._home, **environment))
        self._prepare()
        self._start_programs()

    def _start_programs(self) -> None:
        for name in ("travel-rpc", "payment-rpc", "bff"):
            self._run(name, lambda name=name: self.installation.start(name))  # type: ignore[misc]
        for name in ("worker-1", "worker-2"):
            self._run(name, lambda: self.installation.start("worker"))

    def _promises(self, down: Mapping[str, How]) -> bool:
        return "mariadb" not in down and not {"worker-1", "worker-2"} <= down.keys()

    @property
    def installation(self) -> Installation:
        return self._installation

    @property
    def database_url(self) -> sa.URL:
        url = sa.make_url(self.installation.environment["HOMESTAY_DATABASE_URL"])
        return url.set(drivername="mysql+pymysql")


class Embedded(Site):
    """`homestay run`: everything in one process, on SQLite."""

    name = "homestay run (SQLite)"

    def _open(self) -> None:
        self._installation = self._stack.enter_context(Installation(self._home, **self._environment))
        self._prepare()
        self._run("run", lambda: self.installation.start("run"))

    def _promises(self, down: Mapping[str, How]) -> bool:
        return not down

    @property
    def installation(self) -> Installation:
        return self._installation

    @property
    def database_url(self) -> sa.URL:
        return sa.URL.create("sqlite", database=str(self._home / "homestay.sqlite3"))
