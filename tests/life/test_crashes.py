"""A process may die at any of its awaits: what it was doing is done or undone, and the next one does what is left."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import pytest

from domain.database import Database
from domain.engine import create_engine
from tests.life.broken_commits import MUTANTS
from tests.life.crash_cases import CASES
from tests.life.fuse import Moment
from tests.servers import MariaDB
from workers import migration

# The machine has more than one core.
AT_ONCE: Final = 2
# No case has fewer awaits: an order is looked for by its key, begun and committed, and a server is asked less often
# than SQLite's thread.
LEAST: Final = 4
# A server's answer comes in one piece or in several, so a case has now and then some awaits less than when it was
# counted: of many a tenth, of few these.
MISSED: Final = 0.1
FEW: Final = 2
# The case in which each commit that is broken into two does harm.
FOUND_IN: Final = {
    "the_nights_are_taken_after_the_order": "create",
    "the_nights_are_taken_before_the_order": "create",
    "the_key_is_kept_after_the_order": "create",
    "the_step_is_written_after_the_move": "close",
    "the_nights_are_freed_after_the_close": "close",
    "the_guest_is_told_after_the_move": "pay",
    "the_letter_is_written_after_the_refund": "send late money back",
    "the_letter_is_written_before_the_refund": "send late money back",
    "a_refund_is_marked_as_done_before_it_is_made": "send late money back",
    "the_payment_service_gives_back_as_often_as_it_is_asked": "send late money back",
}

_numbers = count()


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a case."""

    case: str
    points: dict[str, int]
    passed: dict[str, int]
    found: list[str]


class Desks:
    """Databases with our tables, each for one case at a time."""

    def __init__(self, urls: Iterable[str], directory: Path) -> None:
        self._free: SimpleQueue[str] = SimpleQueue()
        for url in urls:
            self._free.put(url)
        self._directory = directory

    def try_all(self, wanted: Iterable[tuple[str, str]]) -> Iterator[Tried]:
        """Tries each case with each mutant, some at once; what came of them is in the same order."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            yield from threads.map(lambda pair: self._try(*pair), wanted)

    def _try(self, case: str, mutant: str) -> Tried:
        books = self._directory / f"{case} {mutant}"
        books.mkdir()
        url = self._free.get()
        try:
            command = [sys.executable, "-m", "tests.life.crashes", url, str(books), case, mutant]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)  # noqa: S603 -- our own words
        finally:
            self._free.put(url)
        assert done.returncode == 0, f"{case} {mutant}: {done.stderr}"
        return Tried(case=case, **json.loads(done.stdout))


@pytest.fixture
def sqlite_desks(sqlite_template: Path, tmp_path: Path) -> Desks:
    files = [shutil.copy(sqlite_template, tmp_path / f"{number}.sqlite3") for number in range(AT_ONCE)]
    return Desks([f"sqlite+aiosqlite:///{file}" for file in files], tmp_path)


@pytest.fixture
async def mariadb_desks(mariadb: MariaDB, tmp_path: Path) -> Desks:
    urls = [mariadb.create_database(f"crashes{next(_numbers)}") for _ in range(AT_ONCE)]
    for url in urls:
        opened = Database(create_engine(url))
        await migration.upgrade(opened)
        await opened.close()
    return Desks(urls, tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_whoever_dies_at_any_await_leaves_nothing_half_done(
    request: pytest.FixtureRequest, kind: str, figures: list[str]
) -> None:
    desks: Desks = request.getfixturevalue(f"{kind}_desks")
    began = time.perf_counter()
    # On SQLite each of those who come at once is placed alone, which is a case by itself.
    cases = [case for case in CASES if kind == "mariadb" or case != "create three at once"]
    tried = list(desks.try_all((case, "") for case in cases))
    took = time.perf_counter() - began
    points = {one.case: sum(one.points.values()) for one in tried}
    figures.append(f"crashes, {kind}: died at {sum(points.values())} points, {took:.0f} s: {points}")
    assert [f"{one.case}: {sentence}" for one in tried for sentence in one.found] == []
    for one in tried:
        assert one.points.keys() >= {Moment.GOES_ON.value}
        for moment, burnt in one.points.items():
            counted = one.passed[moment]
            assert counted >= LEAST, f"the fuse does not see the awaits of {one.case}: {counted}"
            least = min(counted * (1 - MISSED), counted - FEW)
            assert burnt >= least, f"{one.case}: {burnt} of {counted} processes died"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_each_transaction_that_is_cut_in_two_is_found(
    request: pytest.FixtureRequest, kind: str, figures: list[str]
) -> None:
    desks: Desks = request.getfixturevalue(f"{kind}_desks")
    tried = dict(zip(MUTANTS, desks.try_all((FOUND_IN[mutant], mutant) for mutant in MUTANTS), strict=True))
    found = {mutant: sum(one.points.values()) for mutant, one in tried.items() if one.found}
    figures.append(f"crashes, {kind}: {len(found)} of {len(MUTANTS)} cut transactions found, after so many: {found}")
    assert set(MUTANTS) - set(found) == set()
