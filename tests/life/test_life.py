"""The lives of orders, 500 times: whatever happens, in whatever order; and the machine that says so is itself tried."""

import os
from collections import Counter
from typing import Final

import pytest

from tests.life.lives import RUNS, STEPS, Wanted, live_at_once
from tests.life.mutants import MUTANTS

# A seed alone is run again, and what fails is made shorter: that takes minutes.
SEED: Final = int(os.environ.get("LIFE_SEED", "0"))
WANTED: Final = RUNS if SEED else int(os.environ.get("LIFE_RUNS", "500"))
# A broken rule is found long before; one that is not by then never is.
PATIENCE: Final = 30


@pytest.mark.timeout(600)
def test_whatever_happens_no_rule_is_broken(figures: list[str]) -> None:
    seeds = range(SEED or 1, (SEED or 1) + WANTED // RUNS)
    lived = list(live_at_once(Wanted(part, shrink=bool(SEED)) for part in (seeds[::2], seeds[1::2]) if part))
    tally = sum((half.tally for half in lived), Counter[str]())
    figures.append(f"life: {tally['runs']} runs, {tally['steps']} steps, {seeds}: {dict(sorted(tally.items()))}")
    assert "\n".join(half.failure for half in lived) == "\n" * (len(lived) - 1)
    assert tally["runs"] >= WANTED
    assert tally["steps"] >= WANTED * STEPS


@pytest.mark.timeout(600)
def test_each_broken_rule_is_found(figures: list[str]) -> None:
    wanted = [Wanted(range(1, PATIENCE), mutant=mutant) for mutant in MUTANTS]
    lived = dict(zip(MUTANTS, live_at_once(wanted), strict=True))
    found = {mutant: end.tally["runs"] for mutant, end in lived.items() if "AssertionError" in end.failure}
    figures.append(f"life: {len(found)} of {len(MUTANTS)} broken rules found, after so many runs: {found}")
    assert set(MUTANTS) - set(found) == set()
