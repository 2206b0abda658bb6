"""The servers that other tests stand on: they start, answer, break and come back as those tests take for granted."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tests.servers import MariaDB, Process, ProcessFailed, Redis, ServerMissing, free_port, missing, require


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    with require(MariaDB().start) as server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


@pytest.fixture
def keys(redis_server: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_server.url, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)) as client:
        yield client


def engine(url: str) -> AsyncEngine:
    return create_async_engine(url, poolclass=NullPool)


async def execute(url: str, statement: str) -> None:
    async with engine(url).begin() as connection:
        await connection.execute(text(statement))


async def scalar(url: str, statement: str) -> object:
    async with engine(url).connect() as connection:
        return await connection.scalar(text(statement))


def python(program: str, ready: re.Pattern[str] | None = None) -> Process:
    return Process([sys.executable, "-u", "-c", program], ready=ready)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child whose parent has gone is dead before init buries it.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class TestMariaDB:
    async def test_serves_strict_sql_in_unicode(self, mariadb: MariaDB) -> None:
        mode = str(await scalar(mariadb.url, "SELECT @@sql_mode"))
        assert {"STRICT_TRANS_TABLES", "NO_ZERO_DATE", "NO_ZERO_IN_DATE"} <= set(mode.split(","))
        assert await scalar(mariadb.url, "SELECT @@collation_database") == "utf8mb4_unicode_ci"
        assert await scalar(mariadb.url, "SELECT @@innodb_flush_log_at_trx_commit") == 1

        await execute(mariadb.url, "CREATE TABLE strict (day DATE NOT NULL)")
        with pytest.raises(DBAPIError, match="Incorrect date value"):
            await execute(mariadb.url, "INSERT INTO strict VALUES ('0000-00-00')")

    async def test_keeps_what_was_committed_over_a_kill(self, mariadb: MariaDB) -> None:
        await execute(mariadb.url, "CREATE TABLE kept (id INT PRIMARY KEY)")
        await execute(mariadb.url, "INSERT INTO kept VALUES (7)")
        before = mariadb.process.pid

        mariadb.kill()
        assert not mariadb.alive
        with pytest.raises(DBAPIError):
            await scalar(mariadb.url, "SELECT 1")

        mariadb.restart()
        assert mariadb.process.pid != before
        assert await scalar(mariadb.url, "SELECT id FROM kept") == 7

    async def test_stops_in_order_and_starts_again(self, mariadb: MariaDB) -> None:
        await execute(mariadb.url, "CREATE TABLE stopped (id INT PRIMARY KEY)")
        mariadb.stop()
        assert mariadb.process.exit_code == 0
        mariadb.start()
        assert await scalar(mariadb.url, "SELECT COUNT(*) FROM stopped") == 0

    def test_falls_silent_while_paused(self, mariadb: MariaDB) -> None:
        mariadb.pause()
        with pytest.raises(pymysql.MySQLError):
            mariadb._connect(timeout=0.3)
        mariadb.resume()
        assert mariadb.query("SELECT 1") == [(1,)]

    async def test_stops_though_paused(self, mariadb: MariaDB) -> None:
        mariadb.pause()
        mariadb.restart()
        assert mariadb.query("SELECT 1") == [(1,)]

    async def test_has_as_many_databases_as_wanted(self, mariadb: MariaDB) -> None:
        one, other = mariadb.create_database("one"), mariadb.create_database("other")
        await execute(one, "CREATE TABLE t (id INT)")
        await execute(other, "CREATE TABLE t (id INT)")
        assert await scalar(one, "SELECT DATABASE()") == "one"
        mariadb.query("DROP DATABASE one")
        mariadb.query("DROP DATABASE other")

    async def test_two_live_side_by_side(self, mariadb: MariaDB) -> None:
        with require(MariaDB(flush_log_at_trx_commit=0).start) as second:
            await execute(mariadb.url, "CREATE TABLE only_here (id INT)")
            with pytest.raises(DBAPIError, match="doesn't exist"):
                await scalar(second.url, "SELECT COUNT(*) FROM only_here")
            assert await scalar(second.url, "SELECT @@innodb_flush_log_at_trx_commit") == 0
            directory = second.process.log.parent
        assert not second.alive
        assert not directory.exists()
        assert mariadb.alive

    def test_socket_fits_whatever_the_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        deep = tmp_path / ("d" * 60) / ("e" * 60)
        deep.mkdir(parents=True)
        monkeypatch.setattr("tests.servers.server.scratch_directory", lambda _: deep)
        with require(MariaDB().start) as server:
            assert server.query("SELECT 1") == [(1,)]


class TestRedis:
    def test_keeps_what_it_answered_over_a_kill(self, redis_server: Redis, keys: redis.Redis) -> None:
        keys.set("guest", "Ann")
        redis_server.kill()
        with pytest.raises(redis.ConnectionError):
            keys.get("guest")
        redis_server.restart()
        assert keys.get("guest") == b"Ann"

    def test_keeps_nothing_unless_told_to(self) -> None:
        with require(Redis(appendonly=False).start) as server, redis.Redis.from_url(server.url) as keys:
            keys.set("guest", "Ann")
            server.restart()
            assert keys.get("guest") is None

    def test_falls_silent_while_paused(self, redis_server: Redis, keys: redis.Redis) -> None:
        keys.set("guest", "Ann")
        redis_server.pause()
        with pytest.raises(redis.TimeoutError):
            keys.get("guest")
        redis_server.resume()
        assert keys.get("guest") == b"Ann"

    def test_wipes_for_good(self, redis_server: Redis, keys: redis.Redis) -> None:
        keys.set("guest", "Ann")
        redis_server.wipe()
        assert keys.dbsize() == 0
        redis_server.restart()
        assert keys.dbsize() == 0

    def test_two_live_side_by_side(self, keys: redis.Redis) -> None:
        keys.set("guest", "Ann")
        with require(Redis().start) as second, redis.Redis.from_url(second.url) as other_keys:
            assert other_keys.get("guest") is None

    def test_takes_no_stranger_on_its_port_for_itself(
        self, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.servers.server.free_port", lambda: redis_server.port)
        with Redis() as usurper, pytest.raises(ProcessFailed, match="Address already in use"):
            usurper.start()
        assert redis_server.alive


class TestProcess:
    def test_is_ready_when_its_output_says_so(self) -> None:
        with python("import time; print('up'); time.sleep(60)", ready=re.compile("up\n")) as process:
            process.start().wait_ready()
            assert process.output() == "up\n"
            assert process.terminate() == -signal.SIGTERM
            # A pattern found in the first life's output says nothing about the second.
            process.start()
            assert process.output() in {"", "up\n"}
            process.wait_ready()

    def test_shows_why_it_ended_early(self) -> None:
        with (
            python("raise SystemExit('no such setting')", ready=re.compile("never")).start() as process,
            pytest.raises(ProcessFailed, match=r"(?s)exit code 1 .*no such setting"),
        ):
            process.wait_ready()

    def test_shows_what_it_did_instead_of_getting_ready(self) -> None:
        with (
            Process(["sh", "-c", "echo warming up; sleep 60"], ready=re.compile("never")).start() as process,
            pytest.raises(ProcessFailed, match=r"(?s)within 0.5 s.*warming up"),
        ):
            process.wait_ready(0.5)

    def test_ends_by_itself(self) -> None:
        with python("raise SystemExit(3)").start() as process:
            assert process.wait() == 3
            assert not process.alive
            process.kill()
            assert process.exit_code == 3

    def test_is_killed_when_it_will_not_end(self) -> None:
        stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(60)"
        with python(stubborn, ready=re.compile("up")).start() as process:
            process.wait_ready()
            assert process.terminate(0.2) == -signal.SIGKILL

    @pytest.mark.parametrize("end", ["kill", "terminate"])
    def test_takes_its_children_along(self, end: str) -> None:
        parent = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid); time.sleep(60)"
        with python(parent, ready=re.compile(r"\d+\n")).start() as process:
            process.wait_ready()
            child = int(process.output())
            assert runs(child)
            getattr(process, end)()
            assert soon(lambda: not runs(child))

    def test_stands_still_while_paused(self) -> None:
        counting = "import itertools, time\nfor n in itertools.count(): print(n); time.sleep(0.001)"
        with python(counting, ready=re.compile("3\n")).start() as process:
            process.wait_ready()
            process.pause()
            written = process.output()
            time.sleep(0.1)
            assert process.output() == written
            process.resume()
            assert soon(lambda: process.output() != written)
            process.pause()
            assert process.terminate() == -signal.SIGTERM

    def test_runs_once_at_a_time(self) -> None:
        with python("import time; time.sleep(60)").start() as process, pytest.raises(RuntimeError, match="already"):
            process.start()


class TestMissing:
    @pytest.fixture(autouse=True)
    def nothing_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(missing, "_SERVER_DIRECTORIES", ())

    @pytest.mark.parametrize(("server", "package"), [(MariaDB, "mariadb-server"), (Redis, "redis-server")])
    def test_says_what_to_install(self, server: type[MariaDB | Redis], package: str) -> None:
        with server() as absent, pytest.raises(ServerMissing, match=f"install {package}") as raised:
            absent.start()
        assert "\n" not in str(raised.value)

    def test_skips_an_ordinary_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CI", raising=False)
        with pytest.raises(pytest.skip.Exception, match="redis-server"):
            require(Redis().start)

    def test_fails_a_run_that_must_prove_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CI", "true")
        with pytest.raises(pytest.fail.Exception, match="redis-server"):
            require(Redis().start)


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
