"""The soak's judge sees what grows, and takes nothing else for growth."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.soak import gauges
from tests.soak.gauges import Reading, Series
from tests.soak.report import table
from tests.soak.run import Soaked
from tests.soak.site import KEPT

MEBIBYTE = 2**20


def series(*readings: Reading, tasks: int = 10) -> Series:
    made = Series()
    for reading in readings:
        made.add(reading, tasks)
    return made


def steady(number: int, *, memory: float = 0.0, files: float = 0.0) -> list[Reading]:
    """So many readings, of which each has so much more than the one before."""
    return [
        Reading(int(100 * MEBIBYTE + each * memory), int(40 + each * files) + each % 3, 9) for each in range(number)
    ]


def test_what_stays_as_it_is_has_not_grown() -> None:
    # Half a MiB in a hundred looks, a file or two that come and go, and one moment that was another.
    found = series(*steady(100, memory=5_000), Reading(500 * MEBIBYTE, 400, 90))
    assert found.grown() == []


@pytest.mark.parametrize(
    ("grows", "said"), [({"memory": 100_000}, "memory by 7.6%"), ({"files": 0.5}, "files from 46 to 86")]
)
def test_what_grows_little_by_little_is_seen(grows: dict[str, float], said: str) -> None:
    assert series(*steady(100, **grows)).grown() == [said]


def test_tasks_that_are_left_are_seen() -> None:
    made = Series()
    for number in range(100):
        made.add(Reading(MEBIBYTE, 1, 1), number)
    assert made.grown() == ["tasks from 10 to 90"]


def test_a_process_and_its_children_are_read() -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            # In one piece: two of them write into the same pipe.
            "import os, time; os.fork(); held = bytearray(30_000_000); os.write(1, b'up\\n'); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout
        for _ in range(2):
            assert process.stdout.readline() == b"up\n"
        reading = gauges.read(process.pid)
        assert reading
        # Twice what it holds, and twice Python.
        assert reading.memory > 60_000_000
        assert (reading.threads, reading.files >= 6) == (2, True)
        subprocess.run(["kill", "-9", "--", f"-{process.pid}"], check=True)  # noqa: S603, S607 -- our own words
    until = time.monotonic() + 10
    while gauges.read(process.pid) is not None:
        assert time.monotonic() < until


async def test_tasks_are_what_a_process_tells() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="homestay_tasks_else 1\nhomestay_tasks 12.0\n")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        assert await gauges.tasks(http, 1) == 12


def test_the_table_has_a_line_for_each() -> None:
    found = Soaked(full=20, pace=10, told=Counter({("list", "acknowledged"): 3}), faults=Counter(["Redis restarted"]))
    found.series = {name: series(*steady(10)) for name in KEPT}
    found.series["redis"] = series(*steady(10, memory=10 * MEBIBYTE))
    assert found.well
    told = table(found)
    assert "| bff | 100.0 → 100.0 | +0.0% |" in told
    assert "redis (not judged) | 105.0 → 185.0" in told
    assert "list: 3 acknowledged." in told
    found.series["bff"] = series(*steady(100, memory=MEBIBYTE))
    assert list(found.grown) == ["bff"]
    assert not found.well


def test_the_page_says_how_it_is_run() -> None:
    page = (Path(__file__).parents[2] / "docs" / "soak.md").read_text(encoding="utf-8")
    assert "python -m tests.soak --minutes" in page
