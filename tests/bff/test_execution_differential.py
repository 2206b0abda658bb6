"""The compiled executor against graphql-core: random operations, in worlds in which things go wrong at random."""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

import pytest
import structlog
from graphql import parse
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from bff.execution import inputs
from bff.graph import ids
from domain.errors import (
    DatabaseUnavailable,
    DatesUnavailable,
    InvalidInput,
    RateLimited,
    UpstreamUnavailable,
)
from tests.bff.compared import (
    KINDS_OF_OBJECTS,
    SCHEMA,
    WRONGS,
    World,
    attributes_of,
    fresh_executor,
    outcome,
)
from tests.bff.execution_mutants import MUTANTS, Plant
from tests.bff.random_documents import Operation, operation_of
from tests.bff.stand_in import sn

DOCUMENTS: Final = 2000
# Documents within which each mutant is found out.
ENOUGH: Final = 3000
STOCK: Final = StrawberryGraphQLCoreExecutionContext

ORDER_IDS: Final = tuple(ids.global_id(ids.ORDER, sn(number)) for number in (1, 2))
USE_CASES: Final[tuple[tuple[str, tuple[object, ...]], ...]] = (
    ("homestay", (1, 2, 3)),
    ("payment", (sn(1), sn(2), sn(3))),
    ("history", ()),
    ("taken", ()),
    ("count", ()),
    ("page", ()),
    ("find", (sn(1), sn(2))),
    ("create", ()),
    ("cancel", ()),
    ("open_payment", ()),
)
FAILURES: Final[tuple[Callable[[], Exception], ...]] = (
    lambda: UpstreamUnavailable("travel", "planted"),
    lambda: DatabaseUnavailable("planted"),
    lambda: InvalidInput("planted", "sn"),
    lambda: DatesUnavailable("planted", nights=[]),
    lambda: RateLimited("planted", retry_after=3),
    lambda: ValueError("planted"),
)


def world_of(random: Random, wrongs: Sequence[str] = tuple(WRONGS)) -> World:
    world = World()
    for _ in range(random.randint(0, 3)):
        name, keys = random.choice(USE_CASES)
        world.broken[name, random.choice((None, *keys))] = random.choice(FAILURES)
    for _ in range(random.randint(0, 2)):
        world.turns[random.choice(USE_CASES)[0]] = random.randint(1, 3)
    for _ in range(random.randint(1, 4)):
        name = random.choice(sorted(KINDS_OF_OBJECTS))
        attribute = random.choice([None, *attributes_of(name)])
        world.spoiled[name, attribute, random.choice((None, 0, 1))] = random.choice(wrongs)
    return world


def slow_world(random: Random) -> World:
    """Something fails that can't be null, while others are still at work."""
    failing, other = random.sample(("history", "count", "taken"), 2)
    return World(
        {(failing, None): FAILURES[0]},
        {name: random.randint(0, 3) for name in ("homestay", "payment")} | {other: random.randint(0, 12)},
    )


def worlds_of(random: Random, operation: Operation, shows: str | None = None) -> Iterator[tuple[World, dict[str, Any]]]:
    """Two worlds, with other variables: plans live to see that. In one in three nothing goes wrong."""
    first = World() if random.random() < 2 / 3 else world_of(random)
    second = slow_world(random) if shows == "slow" else world_of(random, [shows] if shows else tuple(WRONGS))
    for world in (first, second):
        flipped: dict[str, Any] = {name: random.random() < 0.5 for name in ("yes", "no") if name in operation.variables}
        yield world, {**operation.given(random), **flipped}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Refusals are logged, and here are thousands of them."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # graphql-core leaves what was not begun
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(600)  # on a machine that is busy with other things
def test_ours_answers_as_graphql_core_does(runner: asyncio.Runner, figures: list[str]) -> None:
    documents, executions, errors, cancelled = 0, 0, 0, 0

    @settings(
        max_examples=DOCUMENTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.randoms(use_true_random=True))
    def compare(random: Random) -> None:
        nonlocal documents, executions, errors, cancelled
        operation = operation_of(random, SCHEMA, ORDER_IDS)
        note(operation.text)
        document, executor = parse(operation.text), fresh_executor()
        documents += 1
        for world, variables in worlds_of(random, operation):
            note(f"{world} {variables}")
            stock = runner.run(outcome(document, variables, world, STOCK))
            for again in (False, True):
                ours = runner.run(outcome(document, variables, world, executor, again=again))
                assert stock.differing(ours) == {}
            executions += 1
            errors += bool(stock.errors)
            cancelled += stock.cancelled

    compare()
    assert documents >= DOCUMENTS
    assert errors > executions / 10
    figures.append(
        f"execution: {documents} documents in {executions} worlds answered as by graphql-core, "
        f"{errors} of them with errors, {cancelled} cancelled"
    )


@pytest.mark.filterwarnings("ignore")  # a mutant may leave anything behind
@pytest.mark.parametrize(("plant", "shows"), MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_is_found_out(monkeypatch: pytest.MonkeyPatch, plant: Plant, shows: str | None) -> None:
    plant(monkeypatch)
    # What was made before is sound, and what is made now is not.
    inputs.coercer.cache_clear()
    with asyncio.Runner() as runner:
        found = any(_differs(runner, number, shows) for number in range(ENOUGH))
    # What it left behind is found here, and not in the middle of somebody else's test.
    inputs.coercer.cache_clear()
    gc.collect()
    assert found


def _differs(runner: asyncio.Runner, number: int, shows: str | None) -> bool:
    random = Random(number)  # noqa: S311 -- nobody has to guess it
    operation = operation_of(random, SCHEMA, ORDER_IDS)
    document, executor = parse(operation.text), fresh_executor()
    for world, variables in worlds_of(random, operation, shows):
        stock = runner.run(outcome(document, variables, world, STOCK))
        for again in (False, True):
            if stock.differing(runner.run(outcome(document, variables, world, executor, again=again))):
                return True
    return False
