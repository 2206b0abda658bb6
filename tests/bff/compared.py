"""One operation, executed by graphql-core and by ours in worlds that are alike: what came of it, and how it came."""

import asyncio
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest
import strawberry
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, execute
from graphql.execution.executor import Executor
from graphql.execution.middleware import MiddlewareManager
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import get_object_definition

from bff.execution import facts, loaded
from bff.execution.again import Known
from bff.execution.executor import CompiledExecutor
from bff.execution.plans import Plans
from bff.graph import connection, payloads, refusals, types
from bff.graph.refusals import KINDS
from bff.graph.scalars import SCALARS
from bff.graph.schema import Mutation, Query
from domain.order import ports
from domain.order.models import Order
from tests.bff.outcomes import Outcome
from tests.bff.stand_in import StandIn, context_of

# What objects are made of, for whom something can be wrong with one.
KINDS_OF_OBJECTS: Final[dict[str, type]] = {
    each.__name__: each
    for each in (
        types.Money,
        types.Homestay,
        types.HomestayQuote,
        types.HomestayNight,
        types.OrderPayment,
        types.OrderEvent,
        types.HomestayOrder,
        connection.PageInfo,
        connection.HomestayOrderEdge,
        connection.HomestayOrderConnection,
        payloads.CreateHomestayOrderPayload,
        payloads.CancelHomestayOrderPayload,
        payloads.PayHomestayOrderPayload,
        *refusals.KINDS,
    )
}


class LoggingInfo(strawberry.Info):
    """Remembers each resolver that ran, as each is given one of these; but not what may be called twice."""

    ran: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, _raw_info: Any, _field: Any) -> None:
        super().__init__(_raw_info, _field)
        if not facts.PURE.items() <= _field.metadata.items():
            place = (str(_raw_info.parent_type), _raw_info.field_name, tuple(_raw_info.path.as_list()))
            self.ran.append((*place, repr(_raw_info.variable_values)))


SCHEMA: Final[GraphQLSchema] = strawberry.Schema(
    Query,
    Mutation,
    types=KINDS,
    config=StrawberryConfig(scalar_map=SCALARS, info_class=LoggingInfo),
)._schema


class Later:
    """A value to be waited for, as an attribute never is here."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        # Where it lies in memory must be in no answer: two worlds would differ in it.
        return "Later"

    def __await__(self) -> Generator[Any, None, object]:
        yield from asyncio.sleep(0).__await__()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Odd:
    """An object of no kind that is known."""

    def __repr__(self) -> str:
        return "Odd"


class Series:
    """Some values that are no list. They can be had again, as those of what a field is worked out of always can."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __repr__(self) -> str:
        return "Series"

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


def _lookalike(value: Any) -> object:
    return SimpleNamespace(**vars(value)) if hasattr(value, "__dict__") else value


def _heir(value: Any) -> object:
    if type(value).__name__ not in KINDS_OF_OBJECTS:
        return value
    heir: object = object.__new__(type(f"{type(value).__name__}Heir", (type(value),), {}))
    heir.__dict__.update(vars(value))
    return heir


def _cast(value: Any) -> object:
    # A copy: an edge's node is one of the list's, which may have been looked at by then, and may not.
    return strawberry.cast(types.Homestay, copy(value)) if type(value).__name__ in KINDS_OF_OBJECTS else value


# The attribute of an object that is the domain's, of which its fields are worked out.
SOURCES: Final = {"HomestayOrder": "order", "Homestay": "homestay"}


class Spoiled:
    """A domain's object with one attribute that is not what it should be."""

    def __init__(self, sound: object, attribute: str, wrong: object) -> None:
        self._sound = sound
        setattr(self, attribute, wrong)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sound, name)


def attributes_of(name: str) -> list[str]:
    """What can be wrong with an object of this kind."""
    fields = get_object_definition(KINDS_OF_OBJECTS[name], strict=True).fields
    own = [each.name for each in fields if not each.base_resolver]
    source = {"HomestayOrder": Order, "Homestay": ports.Homestay}.get(name)
    return own if source is None else [*own, *(each for each in dir(source) if not each.startswith("_"))]


def _number_of(one: object, numbers: Iterator[int]) -> int:
    """Which of its kind an object is. Prices and edges are made as often as it takes: they are told by their value."""
    if isinstance(one, connection.HomestayOrderEdge):
        return one.place % 3
    if isinstance(one, types.Money):
        return one.amount_minor // 100 % 3 if isinstance(one.amount_minor, int) else 0
    return next(numbers)


# What an attribute can be instead of what it should be.
WRONGS: Final[dict[str, Callable[[Any], object]]] = {
    "nothing": lambda _: None,
    "a text": lambda _: "a text",
    "an integer": lambda _: 7,
    "a large integer": lambda _: 2**40,
    "too large an integer": lambda _: 2**60,
    "true": lambda _: True,
    "a fraction": lambda _: 1.5,
    "a list": lambda value: [value, None],
    "a tuple": lambda value: tuple(value) if isinstance(value, list) else (value,),
    "a series": lambda value: Series(value if isinstance(value, list) else [value]),
    "an object": lambda _: Odd(),
    "an error": lambda _: ValueError("planted"),
    "a GraphQL error": lambda _: GraphQLError("planted", extensions={"code": "PLANTED"}),
    "a list with an error": lambda value: [*(value if isinstance(value, list) else []), ValueError("planted")],
    "to be waited for": Later,
    "an error to be waited for": lambda _: Later(ValueError("planted")),
    "a list to be waited for": lambda value: [Later(each) for each in value] if isinstance(value, list) else value,
    "one that looks like it": _lookalike,
    "one of a class of it": _heir,
    "cast": _cast,
}


@dataclass
class World:
    """What goes wrong.

    Attributes:
        broken: what use cases fail with, as in `StandIn`.
        turns: how long they take, as in `StandIn`.
        spoiled: by kind, attribute and number of the object (None for all), what the attribute is instead; an attribute
            None is the whole object, where `of` made it. An attribute may be one of the domain's object, of which
            fields are worked out.
        orders: how many orders there are.
    """

    broken: dict[tuple[str, object], Callable[[], Exception]] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    spoiled: dict[tuple[str, str | None, int | None], str] = field(default_factory=dict)
    orders: int = 3

    @contextmanager
    def entered(self) -> Iterator[None]:
        """The classes make spoiled objects meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for name in {name for name, _, _ in self.spoiled}:
                self._spoil(patch, KINDS_OF_OBJECTS[name])
            yield

    def _spoil(self, patch: pytest.MonkeyPatch, kind: type) -> None:
        numbers, made = count(), kind.__init__  # type: ignore[misc] # nobody inherits here
        wrongs = [
            (attribute, nth, wrong) for (name, attribute, nth), wrong in self.spoiled.items() if name == kind.__name__
        ]

        def make(one: Any, *args: Any, **named: Any) -> None:
            made(one, *args, **named)
            number = _number_of(one, numbers)
            for attribute, nth, wrong in wrongs:
                if attribute is None or nth not in {None, number}:
                    continue
                if attribute in vars(one):
                    setattr(one, attribute, WRONGS[wrong](getattr(one, attribute)))
                elif (name := SOURCES.get(kind.__name__)) is not None and name in vars(one):
                    source = getattr(one, name)
                    if hasattr(source, attribute):
                        setattr(one, name, Spoiled(source, attribute, WRONGS[wrong](getattr(source, attribute))))

        patch.setattr(kind, "__init__", make)
        for attribute, _, wrong in wrongs:
            if attribute is None and hasattr(kind, "of"):
                sound = kind.of
                patch.setattr(kind, "of", lambda value, sound=sound, wrong=wrong: WRONGS[wrong](sound(value)))


def _error(error: GraphQLError) -> tuple[object, ...]:
    original = error.original_error
    return (
        error.message,
        tuple(error.path or ()),
        tuple(error.locations or ()),
        type(original),
        str(original),
        error.extensions,
    )


@contextmanager
def _watched() -> Iterator[list[Path]]:
    """The lists of whose objects something is loaded at once meanwhile."""
    lists: list[Path] = []
    fill = loaded._filled

    def watched(executor: Executor[Any], items: Any, loads: Any, path: Path) -> Any:
        lists.append(path)
        return fill(executor, items, loads, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded, "_filled", watched)
        yield lists


async def outcome(
    document: DocumentNode,
    variables: Mapping[str, Any],
    world: World,
    executor: type[StrawberryGraphQLCoreExecutionContext],
    schema: GraphQLSchema = SCHEMA,
    *,
    again: bool = False,
) -> Outcome:
    """Executes an operation, and waits for what it left behind.

    Args:
        document: has the operation.
        variables: as a request gives them.
        world: in which it is executed.
        executor: executes it.
        schema: that the document is of.
        again: as an operation of a document that came before, where it may be; the executor is one of ours then.
    """
    known = Known.of(schema, document, None) if again and issubclass(executor, CompiledExecutor) else None
    orders = StandIn(world.orders, world.broken, world.turns)
    LoggingInfo.ran.clear()
    with world.entered(), _watched() as lists:
        if known is not None and issubclass(executor, CompiledExecutor):
            result: Any = known.begin(executor, {**variables}, context_of(orders), None)
        else:
            result = execute(
                schema,
                document,
                context_value=context_of(orders),
                variable_values={**variables},
                executor_class=executor,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type] # it is what Strawberry hands over
                middleware=MiddlewareManager(),
                operation_extensions=None,
            )
        cancelled = False
        try:
            answer = result if isinstance(result, ExecutionResult) else await result
        except asyncio.CancelledError:
            # Two fields of one operation wait for the same loader, and one was given up.
            answer, cancelled = ExecutionResult(), True
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)
    return Outcome(
        json.dumps(answer.data, default=repr),
        [_error(error) for error in answer.errors or ()],
        [*LoggingInfo.ran],
        # As they read: what was asked for may be any object, of this world or of the other.
        [(each[0], repr(each)) for each in orders.asked],
        cancelled,
        at_once=bool(lists),
    )


def fresh_executor(sights: int = 1) -> type[CompiledExecutor]:
    """Ours, knowing no operation yet."""

    class Fresh(CompiledExecutor):
        plans = Plans(sights=sights)

    return Fresh
