"""The parent of several processes, with small ones that do as they are told; the real ones are in tests/system."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

import pytest
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bff.http.listener import listen, reserve
from bff.processes import parent
from bff.processes.figures import merge
from bff.processes.parent import NotServing, Processes
from tests.servers import free_port

# Notes that it was started, and tells figures until it is ended; or ends by itself where a file says so.
CHILD = dedent("""
    import pathlib, socket, sys, time

    number, _, _, directory = sys.argv[2:]
    home = pathlib.Path(sys.argv[1])
    with (home / "starts").open("a") as starts:
        starts.write(f"{number} {time.monotonic()}\\n")
    if (home / f"fails{number}").exists():
        sys.exit(3)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{directory}/{number}.sock")
    server.listen()
    while True:
        client, _ = server.accept()
        client.send(b"up 1\\n")
        client.close()
        if (home / f"short{number}").exists():
            sys.exit(4)
""")


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Processes]:
    processes = Processes(host="127.0.0.1", port=free_port(), count=2, command=[sys.executable, "-c", CHILD, str(home)])
    await processes.start()
    try:
        yield processes
    finally:
        await processes.stop()


def starts(home: Path, number: int) -> list[float]:
    lines = [line.split() for line in (home / "starts").read_text().splitlines()]
    return [float(at) for who, at in lines if int(who) == number]


async def test_an_address_that_others_share_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as processes:
        with listen("127.0.0.1", processes.port, shared=True) as child:
            child.listen()
            with pytest.raises(OSError, match="can't listen on"):
                reserve("127.0.0.1", processes.port)


def pid_of(processes: Processes, number: int) -> int:
    return processes._running[number].pid


async def wait_for_starts(home: Path, number: int, count: int) -> Sequence[float]:
    async with asyncio.timeout(20):
        while len(found := starts(home, number)) < count:  # noqa: ASYNC110 -- it reads a file
            await asyncio.sleep(0.02)
    return found


async def test_one_that_dies_is_followed_and_the_other_is_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as processes:
        os.kill(pid_of(processes, 2), signal.SIGKILL)
        await wait_for_starts(tmp_path, 2, 2)
        assert len(starts(tmp_path, 1)) == 1


async def test_one_that_dies_again_and_again_is_followed_later_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "FIRST_PAUSE", 0.2)
    async with running(tmp_path) as processes:
        (tmp_path / "short2").touch()
        os.kill(pid_of(processes, 2), signal.SIGKILL)
        at = await wait_for_starts(tmp_path, 2, 5)
    pauses = [after - before for before, after in itertools.pairwise(at[1:])]
    assert pauses == sorted(pauses)
    assert at[4] - at[1] > 0.4 + 0.8 + 1.6


async def test_one_that_lived_long_is_followed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "STEADY", 0.0)
    monkeypatch.setattr(parent, "FIRST_PAUSE", 60.0)
    async with running(tmp_path) as processes:
        os.kill(pid_of(processes, 1), signal.SIGKILL)
        await wait_for_starts(tmp_path, 1, 2)


async def test_one_that_hangs_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "WATCH", 0.1)
    monkeypatch.setattr(parent, "HUNG", 0.3)
    async with running(tmp_path) as processes:
        os.kill(pid_of(processes, 1), signal.SIGSTOP)
        await wait_for_starts(tmp_path, 1, 2)
        assert len(starts(tmp_path, 2)) == 1


async def test_while_one_serves_the_other_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "FIRST_PAUSE", 0.1)
    async with running(tmp_path) as processes:
        broken = asyncio.create_task(processes.broken())
        (tmp_path / "fails2").touch()
        os.kill(pid_of(processes, 2), signal.SIGKILL)
        await wait_for_starts(tmp_path, 2, 3)
        assert not broken.done()
        # With nobody left to serve, somebody above has to know.
        (tmp_path / "fails1").touch()
        os.kill(pid_of(processes, 1), signal.SIGKILL)
        with pytest.raises(NotServing, match="ended with exit code 3 before it served"):
            await asyncio.wait_for(broken, 20)


async def test_where_the_first_does_not_serve_no_other_is_started(tmp_path: Path) -> None:
    (tmp_path / "fails1").touch()
    with pytest.raises(NotServing, match="process 1 of 2 ended with exit code 3"):
        async with running(tmp_path):
            pass
    assert starts(tmp_path, 2) == []


async def test_whoever_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "STOP_WITHIN", 0.3)
    async with running(tmp_path) as processes:
        pid = pid_of(processes, 1)
        os.kill(pid, signal.SIGSTOP)
    async with asyncio.timeout(30):
        while is_alive(pid):  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class _These(Collector):
    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics


def text(*metrics: Metric) -> str:
    return generate_latest(_These(*metrics)).decode()


def test_figures_of_several_are_labelled_and_none_are_added_up() -> None:
    def told(value: float) -> str:
        counter = CounterMetricFamily("errors", "Errors.", labels=["code"])
        counter.add_metric(['a"b'], value)
        histogram = HistogramMetricFamily("took", "Took.", buckets=[("1.0", value), ("+Inf", value)], sum_value=value)
        return text(counter, histogram, GaugeMetricFamily("size", "Size.", value))

    merged = text(*merge({1: told(1), 2: "", 3: told(3)}))
    assert merged.count("# TYPE errors_total counter") == 1
    lines = merged.splitlines()
    assert r'errors_total{code="a\"b",process="1"} 1.0' in lines
    assert r'errors_total{code="a\"b",process="3"} 3.0' in lines
    assert 'took_bucket{le="+Inf",process="3"} 3.0' in lines
    assert [line for line in lines if line.startswith("homestay_process_up")] == [
        'homestay_process_up{process="1"} 1.0',
        'homestay_process_up{process="2"} 0.0',
        'homestay_process_up{process="3"} 1.0',
    ]
