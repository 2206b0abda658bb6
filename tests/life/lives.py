"""Runs of the state machine, in a process of their own: the machine has more than one core, and a test one thread."""

import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.life.hasty import Stage
from tests.life.machine import Life
from tests.life.mutants import MUTANTS
from tests.life.quiet import quiet

STEPS: Final = 50
# Runs from one seed: in a longer sequence, hypothesis rather varies what it ran before than runs what is new.
RUNS: Final = 10
_PROCESSES: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Runs to be made.

    Attributes:
        seeds: each chooses what happens in `RUNS` runs; the same again for the same seed.
        mutant: the name of the rule to break.
        shrink: whether a run that fails is to be made shorter, which takes minutes.
    """

    seeds: range
    mutant: str = ""
    shrink: bool = False


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of them.

    Attributes:
        tally: what happened, and how often.
        failure: the traceback and the steps of the run that failed, which was the last; empty where none did.
    """

    tally: Counter[str]
    failure: str


def live(wanted: Wanted) -> Lived:
    """Runs the state machine in this process."""
    tally: Counter[str] = Counter()
    with (
        quiet(),
        tempfile.TemporaryDirectory(prefix="homestay-life-", dir=_memory()) as directory,
        Stage(Path(directory) / "life.sqlite3") as stage,
        pytest.MonkeyPatch.context() as patch,
    ):
        if wanted.mutant:
            MUTANTS[wanted.mutant](patch)
        machine: Any = type("Life", (Life,), {"stage": stage, "tally": tally})
        for number in wanted.seeds:
            try:
                run_state_machine_as_test(seed(number)(machine), settings=_settings(shrink=wanted.shrink))
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is the finding
                return Lived(tally, f"LIFE_SEED={number}\n" + "".join(traceback.format_exception(error)))
    return Lived(tally, "")


def _settings(*, shrink: bool) -> settings:
    return settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def live_at_once(wanted: Iterable[Wanted]) -> Iterator[Lived]:
    """Runs the state machine for each in turn, some at once; what came of them is in the same order."""
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as processes:
        yield from processes.map(live, wanted)


def _memory() -> str | None:
    memory = Path("/dev/shm")  # noqa: S108 -- a directory with a name of its own is made in it
    return str(memory) if memory.is_dir() else None
