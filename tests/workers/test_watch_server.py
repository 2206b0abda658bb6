"""Health and figures of programs that answer no HTTP otherwise."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from dramatiq.brokers.stub import StubBroker

from domain.database import Database
from domain.engine import create_engine
from domain.errors import DatabaseUnavailable
from domain.order.closing import Outcome
from domain.order.room import OrderRoom
from tests.servers import MariaDB, Redis, free_port, require
from tests.system.installation import Installation
from workers import health
from workers.clock import SystemClock
from workers.metrics import Metrics
from workers.sorted_set_broker import SortedSetBroker, connect
from workers.sweeper import Sweeper
from workers.watch_server import NotWell, WatchServer, responsive

only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10)


def missing(answer: httpx.Response) -> list[str]:
    found: list[str] = answer.json()["missing"]
    assert answer.status_code == (503 if found else 200)
    return found


class Troubles:
    """Checks that fail when the test says so."""

    def __init__(self) -> None:
        self.live: Exception | None = None
        self.ready: Exception | None = None

    async def is_live(self) -> None:
        if self.live:
            raise self.live

    async def is_ready(self) -> None:
        if self.ready:
            raise self.ready


@pytest.fixture
def troubles() -> Troubles:
    return Troubles()


@pytest.fixture
async def server(database: Database, troubles: Troubles) -> AsyncIterator[WatchServer]:
    server = WatchServer(
        host="127.0.0.1",
        port=free_port(),
        metrics=Metrics(database, SystemClock(), loop=asyncio.get_running_loop()),
        live={"one": troubles.is_live},
        ready={"other": troubles.is_ready},
    )
    await server.start()
    yield server
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        get(server.port, "/livez")


@only_sqlite
async def test_what_is_missing_is_named(server: WatchServer, troubles: Troubles) -> None:
    for path, word in (("/livez", "live"), ("/readyz", "ready")):
        answer = await asyncio.to_thread(get, server.port, path)
        assert (answer.status_code, answer.json()) == (200, {word: True, "missing": [], "reasons": {}})
    troubles.ready = DatabaseUnavailable("gone away")
    assert missing(await asyncio.to_thread(get, server.port, "/livez")) == []
    answer = await asyncio.to_thread(get, server.port, "/readyz")
    assert (missing(answer), answer.json()["reasons"]) == (["other"], {"other": "gone away"})
    troubles.live = RuntimeError("mysql://user:secret@host")
    answer = await asyncio.to_thread(get, server.port, "/livez")
    assert (missing(answer), answer.json()["reasons"]) == (["one"], {"one": "RuntimeError"})
    assert missing(await asyncio.to_thread(get, server.port, "/readyz")) == ["one", "other"]


async def test_figures_are_counted_on_the_loop_that_the_database_belongs_to(server: WatchServer) -> None:
    answer = await asyncio.to_thread(get, server.port, "/metrics")
    assert answer.status_code == 200
    assert "homestay_database_up 1.0" in answer.text
    assert "homestay_orders_overdue 0.0" in answer.text
    assert "homestay_database_connections_limit" in answer.text


@only_sqlite
async def test_a_port_that_is_taken_gives_way_to_the_next(server: WatchServer, database: Database) -> None:
    metrics = Metrics(database, SystemClock(), loop=asyncio.get_running_loop())
    second = WatchServer(host="127.0.0.1", port=server.port, metrics=metrics, live={}, ready={})
    await second.start()
    assert server.port < second.port < server.port + 16
    assert missing(await asyncio.to_thread(get, second.port, "/livez")) == []
    await second.stop()


class BusyLoop:
    """A loop of its own that can be made to hang."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def hang(self, seconds: float) -> None:
        self.loop.call_soon_threadsafe(time.sleep, seconds)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def test_a_loop_that_hangs_is_not_responsive() -> None:
    busy = BusyLoop()
    await responsive(busy.loop)()
    busy.hang(0.6)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await responsive(busy.loop)()
    await asyncio.sleep(0.6)
    busy.close()


class Thread:
    def __init__(self) -> None:
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive


class Threads:
    """A worker, as far as its health is concerned."""

    def __init__(self) -> None:
        self.consumers = {"order.closing": Thread(), "payment.status": Thread()}
        self.workers = [Thread(), Thread()]


async def test_a_thread_that_ended_is_told() -> None:
    worker: Any = Threads()
    sweeper: Any = None
    check = health.live(worker, sweeper, asyncio.get_running_loop())["threads"]
    await check()
    worker.workers[0].alive = False
    with pytest.raises(NotWell, match="1 worker threads"):
        await check()
    worker.consumers["payment.status"].alive = False
    with pytest.raises(NotWell, match=r"payment\.status"):
        await check()
    worker.consumers.clear()
    with pytest.raises(NotWell, match="anything"):
        await check()


@only_sqlite
async def test_what_a_worker_needs_is_asked(room: OrderRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeper = Sweeper(room.closing, interval=5, grace=10)
    nowhere = f"mysql+aiomysql://guest:secret@127.0.0.1:{free_port()}/homestay"
    away = Database(create_engine(nowhere))
    loop = asyncio.get_running_loop()
    well = health.ready(StubBroker(middleware=[]), room.database, sweeper, loop)
    for check in well.values():
        await check()
    ill = health.ready(
        SortedSetBroker(client=connect(f"redis://127.0.0.1:{free_port()}"), middleware=[]), away, sweeper, loop
    )
    with pytest.raises(DatabaseUnavailable):
        await ill["database"]()
    with pytest.raises(NotWell):
        await ill["broker"]()
    await away.close()
    monkeypatch.setattr(sweeper, "ended_at", time.monotonic() - health.SWEPT_WITHIN - 11)
    with pytest.raises(NotWell, match="71 s ago"):
        await ill["swept"]()
    await sweeper.sweep()
    await ill["swept"]()


class Hanging:
    """Use cases of closing whose question to the database is never answered, or fails."""

    def __init__(self) -> None:
        self.failing = False

    async def overdue(self, **_: Any) -> list[str]:
        if self.failing:
            raise DatabaseUnavailable("gone away")
        await asyncio.Event().wait()
        raise AssertionError("the test never sets it")


async def test_a_sweep_that_hangs_is_mended_by_a_restart_and_one_that_fails_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "SWEPT_WITHIN", 0.1)
    closing: Any = Hanging()
    closing.failing = True
    sweeper = Sweeper(closing, interval=0.02, grace=10)
    worker: Any = Threads()
    loop = asyncio.get_running_loop()
    live = health.live(worker, sweeper, loop)["sweep"]
    ready = health.ready(StubBroker(middleware=[]), Database(create_engine("sqlite+aiosqlite://")), sweeper, loop)
    await sweeper.start()
    await asyncio.sleep(0.3)
    # Without its database no sweep ends, and a restart would not bring it back.
    await live()
    with pytest.raises(NotWell, match="the last sweep ended"):
        await ready["swept"]()
    closing.failing = False
    await asyncio.sleep(0.3)
    with pytest.raises(NotWell, match="the sweep has not got on"):
        await live()
    await sweeper.stop()


async def test_a_sweep_of_a_large_backlog_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SWEPT_WITHIN", 0.2)
    closing: Any = Backlog()
    sweeper = Sweeper(closing, interval=0.02, grace=10)
    worker: Any = Threads()
    check = health.live(worker, sweeper, asyncio.get_running_loop())["sweep"]
    sweep = asyncio.create_task(sweeper.sweep())
    for _ in range(8):
        await asyncio.sleep(0.06)
        await check()
    assert not sweep.done()
    sweep.cancel()


class Backlog:
    """Use cases of closing with more overdue orders than end."""

    async def overdue(self, *, limit: int, **_: Any) -> list[str]:
        await asyncio.sleep(0.01)
        return [f"HSO{number}" for number in range(limit)]

    async def close_many(self, sns: list[str]) -> dict[str, Outcome]:
        return dict.fromkeys(sns, Outcome.CLOSED)


PROGRAMS: Final = ("travel-rpc", "payment-rpc", "order-rpc")


def test_every_program_tells_how_it_is(tmp_path: Path, mariadb: MariaDB) -> None:
    with require(Redis().start) as redis:
        environment = {"HOMESTAY_DATABASE_URL": mariadb.create_database("watched"), "HOMESTAY_BROKER_URL": redis.url}
        with Installation(tmp_path, **environment) as installation:
            assert installation.command("migrate").returncode == 0
            ports = {name: free_port() for name in (*PROGRAMS, "worker")}
            for name, port in ports.items():
                installation.start(name, HOMESTAY_WATCH_PORT=str(port))
            for port in ports.values():
                assert missing(get(port, "/livez")) == missing(get(port, "/readyz")) == []
                assert "homestay_database_up 1.0" in get(port, "/metrics").text
            assert "homestay_last_sweep_timestamp_seconds" in get(ports["worker"], "/metrics").text
            redis.kill()
            assert missing(get(ports["worker"], "/readyz")) == ["broker"]
            assert missing(get(ports["worker"], "/livez")) == []
            for program in installation.running:
                assert program.terminate(15) == 0, program.output()
