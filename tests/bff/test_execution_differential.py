"""The compiled executor against graphql-core: random operations in worlds in which things go wrong at random."""

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest
from graphql import parse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import get_object_definition

from bff import ids
from domain.errors import (
    DatabaseUnavailable,
    DatesUnavailable,
    InvalidInput,
    RateLimited,
    UpstreamUnavailable,
)
from tests.bff.compared import KINDS_OF_OBJECTS, SCHEMA, WRONGS, Outcome, World, fresh_executor, outcome
from tests.bff.random_documents import operation_of
from tests.bff.stand_in import sn

DOCUMENTS: Final = 2000
ORDER_IDS: Final = tuple(ids.global_id(ids.ORDER, sn(number)) for number in (1, 2))
USE_CASES: Final = (
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
FAILURES: Final = (
    lambda: UpstreamUnavailable("travel", "planted"),
    lambda: DatabaseUnavailable("planted"),
    lambda: InvalidInput("planted", "sn"),
    lambda: DatesUnavailable("planted", nights=[]),
    lambda: RateLimited("planted", retry_after=3),
    lambda: ValueError("planted"),
)


def world_of(random: Random) -> World:
    world = World()
    for _ in range(random.randint(0, 3)):
        name, keys = random.choice(USE_CASES)
        world.broken[name, random.choice((None, *keys))] = random.choice(FAILURES)
    for _ in range(random.randint(0, 2)):
        world.turns[random.choice(USE_CASES)[0]] = random.randint(1, 3)
    for _ in range(random.randint(1, 4)):
        name = random.choice(sorted(KINDS_OF_OBJECTS))
        fields = get_object_definition(KINDS_OF_OBJECTS[name], strict=True).fields
        attribute = random.choice([None, *(each.name for each in fields if not each.base_resolver)])
        world.spoiled[name, attribute, random.choice((None, 0, 1))] = random.choice(sorted(WRONGS))
    return world


def differing(stock: Outcome, ours: Outcome) -> dict[str, Any]:
    return {
        part: (getattr(stock, part), getattr(ours, part))
        for part in ("data", "errors", "ran", "asked")
        if getattr(stock, part) != getattr(ours, part)
    }


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


def test_ours_answers_as_graphql_core_does(runner: asyncio.Runner, figures: list[str]) -> None:
    counted = {"documents": 0, "executions": 0, "with errors": 0}

    @settings(
        max_examples=DOCUMENTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.randoms(use_true_random=True))
    def compare(random: Random) -> None:
        operation = operation_of(random, SCHEMA, ORDER_IDS)
        document = parse(operation.text)
        executor = fresh_executor()
        counted["documents"] += 1
        for world in (World(), world_of(random), world_of(random)):
            stock = runner.run(outcome(document, operation.variables, world, StrawberryGraphQLCoreExecutionContext))
            ours = runner.run(outcome(document, operation.variables, world, executor))
            assert differing(stock, ours) == {}
            counted["executions"] += 1
            counted["with errors"] += bool(stock.errors)

    compare()
    figures.append(f"{counted}")
