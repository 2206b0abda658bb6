"""What comparing can't see: that there are plans, where there are none, how many there are, and for how long."""

import asyncio
import gc
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, TypeVar

import pytest
import strawberry
from graphql import DocumentNode, execute, parse
from graphql.execution.executor import Executor
from graphql.execution.incremental import IncrementalExecutor
from graphql.execution.values import coerce_argument, coerce_variable_values
from graphql.pyutils import gather_with_cancel
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_value
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument, convert_arguments

from bff.execution import facts
from bff.execution.executor import GIVEN, OWN, CompiledExecutor
from bff.execution.plans import MAX_VARIANTS, Plans
from bff.graph import schema
from bff.graph.refusals import KINDS
from bff.graph.scalars import SCALARS
from bff.graph.schema import Mutation, Query
from tests.bff import documents
from tests.bff.compared import SCHEMA, World, fresh_executor, outcome
from tests.bff.stand_in import StandIn, context_of, sn

T = TypeVar("T")

# What was read when this was written. A new version is to be read as well: `bff.execution.waiting` takes the steps of
# these methods, and `bff.execution.facts` knows what Strawberry makes of a field.
READ: Final = {
    "graphql-core": "3.3.2",
    "strawberry-graphql": "0.341.2",
}
FOLLOWED: Final = (
    Executor.__init__,
    IncrementalExecutor.__init__,
    StrawberryGraphQLCoreExecutionContext.__init__,
    Executor.build,
    Executor.execute_operation,
    Executor.execute_fields_serially,
    IncrementalExecutor.build_response,
    coerce_variable_values,
    coerce_argument,
    coerce_input_value,
    coerce_default_value,
    convert_argument,
    convert_arguments,
    Executor.execute_fields,
    Executor.execute_field,
    Executor.complete_value,
    Executor.complete_awaitable_value,
    Executor.complete_list_value,
    Executor.complete_iterable_value,
    Executor.complete_list_item_value,
    Executor.complete_leaf_value,
    Executor.complete_abstract_value,
    Executor.complete_object_value,
    IncrementalExecutor.execute_collected_subfields,
    gather_with_cancel,
    GraphQLCoreConverter.from_interface,
    GraphQLCoreConverter.from_object,
    GraphQLCoreConverter.from_resolver,
)
AS_READ: Final = "b6151d18d8e118b4648db397af4e8a17b1c9447203f9ee6279a4c1444b50f873"

ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "detail": (documents.DETAIL, {"sn": sn(1)}),
    "detail with everything": (documents.FULL_DETAIL, {"sn": sn(1)}),
    "list": (documents.LIST, {"first": 3}),
    "place": (documents.PLACE, {"input": documents.stay()}),
    "cancel": (documents.CANCEL, {"sn": sn(1)}),
    "pay": (documents.PAY, {"sn": sn(1)}),
    "homestay": (documents.HOMESTAY_BY_ID, {"id": "1"}),
    "node": (documents.NODE, {"id": "SG9tZXN0YXk6MQ=="}),
    "nodes": (documents.NODES, {"ids": ["SG9tZXN0YXk6MQ=="]}),
}


def test_the_libraries_are_those_that_were_read() -> None:
    assert {name: version(name) for name in READ} == READ
    text = "".join(inspect.getsource(each) for each in FOLLOWED)
    assert hashlib.sha256(text.encode()).hexdigest() == AS_READ


def test_an_executor_has_what_is_made_for_it_what_it_is_given_and_what_is_common_to_all() -> None:
    common = {
        "schema", "fragment_definitions", "fragments", "root_value", "operation", "field_resolver", "type_resolver",
        "subscribe_field_resolver", "enable_early_execution", "hide_suggestions", "abort_signal", "hooks",
        "middleware_manager", "error_propagation", "is_awaitable", "is_async_iterable", "defer_usage_set",
        "async_work_finished_hook_task",
    }  # fmt: skip
    made = CompiledExecutor.build(SCHEMA, parse("{ __typename }"))
    assert isinstance(made, CompiledExecutor)
    assert vars(made).keys() == common | OWN.keys() | set(GIVEN)
    assert {name: type(make(made)) for name, make in OWN.items()} == {name: type(vars(made)[name]) for name in OWN}


@dataclass
class Watched:
    """What graphql-core was left to do."""

    done: list[str] = field(default_factory=list)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    seen = Watched()
    for name in ("collect_and_execute_subfields", "complete_iterable_value", "complete_leaf_value"):
        watch = watching(getattr(Executor, name), name, seen.done)
        monkeypatch.setattr(Executor, name, staticmethod(watch) if name == "complete_leaf_value" else watch)
    return seen


def watching(sound: Callable[..., Any], name: str, done: list[str]) -> Callable[..., Any]:
    def watch(*args: Any) -> Any:
        done.append(name)
        return sound(*args)

    return watch


async def run(
    document: DocumentNode | str,
    variables: Mapping[str, Any] | None = None,
    executor: type[CompiledExecutor] = CompiledExecutor,
    world: World | None = None,
) -> str:
    node = parse(document) if isinstance(document, str) else document
    return (await outcome(node, variables or {}, world or World(), executor)).data


@pytest.mark.parametrize(("text", "variables"), ASKED.values(), ids=ASKED)
async def test_what_the_contract_asks_for_is_planned_when_it_comes_again(
    watched: Watched, text: str, variables: dict[str, Any]
) -> None:
    document, executor = parse(text), fresh_executor(sights=2)
    first = await run(document, variables, executor)
    assert watched.done
    watched.done.clear()
    assert await run(document, variables, executor) == first
    assert watched.done == []


async def test_only_the_item_that_is_wrong_is_left_to_graphql_core(watched: Watched) -> None:
    world = World(spoiled={("HomestayOrder", "cover", 1): "an integer"})
    await run(documents.LIST.replace("nodes { sn }", "nodes { sn cover }"), {"first": 3}, fresh_executor(), world)
    # The connection, and the one order of its list.
    assert watched.done.count("collect_and_execute_subfields") == 2


async def test_names_of_a_document_are_nothing_to_python() -> None:
    names = ("v", "v_1", "Miss", "ATOMS", "type", "id", "None", "class", "__class__", "item_1", "C_1", "r_2")
    text = f"{{ homestay(id: 1) {{ {' '.join(f'{name}: title' for name in names)} }} }}"
    data = await run(text, {}, fresh_executor())
    assert json.loads(data)["homestay"] == dict.fromkeys(names, "Courtyard House")


class Watching(SchemaExtension):
    """A hook of each field's resolver."""

    seen: Final[list[str]] = []

    def resolve(self, _next: Any, root: Any, info: Any, *args: Any, **kwargs: Any) -> Any:
        self.seen.append(info.field_name)
        return _next(root, info, *args, **kwargs)


async def test_a_hook_of_resolvers_sees_each_field() -> None:
    class Fresh(CompiledExecutor):
        plans = Plans(sights=1)

    made = strawberry.Schema(
        Query,
        Mutation,
        types=KINDS,
        extensions=[Watching],
        execution_context_class=Fresh,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    context = context_of(StandIn())
    answer = await made.execute("{ homestay(id: 1) { title foodPrice { amount } } }", context_value=context)
    assert answer.errors is None
    assert Watching.seen == ["homestay", "title", "foodPrice", "amount"]
    assert len(Fresh.plans) == 0


async def test_it_serves_the_product(monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    """With its gate, and with the schema's own way to errors."""
    made, executor = schema.build(introspection=True), fresh_executor()
    monkeypatch.setattr(made, "execution_context_class", executor)
    for signed_in, expected in ((True, None), (False, "A bearer token is needed: `Authorization: Bearer …`.")):
        context = context_of(StandIn(), signed_in=signed_in)
        answer = await made.execute(documents.FULL_DETAIL, {"sn": sn(1)}, context_value=context)
        assert [error.message for error in answer.errors or ()] == ([expected] if expected else [])
        assert (answer.data is None) != signed_in
    assert watched.done == []
    introspected = await made.execute("{ __schema { queryType { name } } }", context_value=context)
    assert introspected.data == {"__schema": {"queryType": {"name": "Query"}}}


@pytest.mark.parametrize(
    "text",
    [
        "query @unknown { homestay(id: 1) { title } }",
        "{ homestay(id: 1) { title @unknown } }",
        "{ homestay(id: 1) { ...F } } fragment F on Homestay @unknown { title }",
    ],
)
async def test_an_unknown_directive_is_for_graphql_core(watched: Watched, text: str) -> None:
    assert await run(text, {}, fresh_executor()) == '{"homestay": {"title": "Courtyard House"}}'
    assert watched.done


async def test_plans_go_with_their_documents() -> None:
    executor = fresh_executor()
    kept, dropped = parse(documents.DETAIL), parse(documents.DETAIL)
    for document in (kept, dropped):
        await run(document, {"sn": sn(1)}, executor)
    assert len(executor.plans) == 2
    del document, dropped
    gc.collect()
    assert len(executor.plans) == 1


async def test_so_many_operations_are_remembered_and_no_more() -> None:
    class Fresh(CompiledExecutor):
        plans = Plans(most=2, sights=1)

    kept = [parse(documents.DETAIL) for _ in range(5)]
    for document in kept:
        await run(document, {"sn": sn(1)}, Fresh)
    assert len(Fresh.plans) == 2


async def test_an_operation_has_so_many_plans_and_no_more(watched: Watched) -> None:
    names = [f"b{number}" for number in range(MAX_VARIANTS)]
    fields = " ".join(f"{name}: title @include(if: ${name})" for name in names)
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    document, executor = parse(f"query ({declared}) {{ homestay(id: 1) {{ id {fields} }} }}"), fresh_executor()
    for number in range(MAX_VARIANTS):
        await run(document, {name: name == f"b{number}" for name in names}, executor)
    assert watched.done == []
    assert await run(document, dict.fromkeys(names, False), executor) == '{"homestay": {"id": "SG9tZXN0YXk6MQ=="}}'
    assert watched.done


async def test_a_plan_is_of_one_schema(watched: Watched) -> None:
    document, executor = parse("{ homestay(id: 1) { title } }"), fresh_executor()
    other = strawberry.Schema(Query, Mutation, types=KINDS, config=StrawberryConfig(scalar_map=SCALARS))._schema
    answers = [(await outcome(document, {}, World(), executor, each)).data for each in (SCHEMA, other, SCHEMA)]
    assert answers == ['{"homestay": {"title": "Courtyard House"}}'] * 3
    assert watched.done == []


def test_a_method_that_is_said_to_be_pure_is_part_of_the_plan(watched: Watched) -> None:
    called: list[str] = []

    @strawberry.type
    class Sum:
        part: int

        @strawberry.field(metadata=facts.PURE)  # type: ignore[untyped-decorator]
        def double(self) -> int:
            called.append("pure")
            return self.part * 2

        @strawberry.field
        def triple(self) -> int:
            called.append("any")
            return self.part * 3

    @strawberry.type
    class Sums:
        @strawberry.field
        def sum(self, part: int) -> Sum | None:
            return Sum(part=part)

    made = strawberry.Schema(Sums, execution_context_class=fresh_executor())
    assert made.execute_sync("{ sum(part: 2) { part double } }").data == {"sum": {"part": 2, "double": 4}}
    assert (called, watched.done) == (["pure"], [])
    assert made.execute_sync("{ sum(part: 2) { part triple double } }").data == {
        "sum": {"part": 2, "triple": 6, "double": 4}
    }
    assert (called, watched.done) == (["pure", "pure", "any"], ["complete_leaf_value"])
    large = made.execute_sync("{ sum(part: 2000000000) { triple double } }")
    assert large.data == {"sum": None}
    assert [error.path for error in large.errors or ()] == [["sum", "triple"]]
    assert called.count("any") == 2


@dataclass
class Hanging(StandIn):
    """Nobody answers."""

    begun: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    under_way: int = 0

    async def _answer(self, name: str, key: object, answer: T) -> T:
        if name in {"history", "payment", "homestay"}:
            self.under_way += 1
            self.begun.release()
            try:
                await asyncio.Event().wait()
            finally:
                self.under_way -= 1
        return await super()._answer(name, key, answer)


async def test_who_gives_up_leaves_nothing_behind() -> None:
    orders, document, executor = Hanging(), parse(documents.FULL_DETAIL), fresh_executor()
    before = asyncio.all_tasks()
    result = execute(
        SCHEMA,
        document,
        context_value=context_of(orders),
        variable_values={"sn": sn(3)},
        executor_class=executor,
        operation_extensions=None,
    )
    assert asyncio.iscoroutine(result)
    task = asyncio.create_task(result)
    for _ in range(3):
        await orders.begun.acquire()
    assert orders.under_way == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # A loader's question is nobody's own; what waited for it is over.
    left = {repr(each.get_coro()) for each in asyncio.all_tasks() - before}
    assert not {name for name in left if "execut" in name or "_awaited" in name or "_guarded" in name}
