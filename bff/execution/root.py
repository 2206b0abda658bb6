"""An operation's one field, from its arguments to the answer: graphql-core's and Strawberry's steps, with less to find.

What is known beforehand are the field's function, and how its arguments are made. Where one of them is not usual,
graphql-core does it all: nothing has been done by then. Mutations run one after the other, and here there is one.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from graphql import ExecutionResult, GraphQLError, OperationType, is_non_null_type
from graphql.execution.collect_fields import collect_fields
from graphql.execution.executor import Executor
from graphql.pyutils import Path
from strawberry import Info, Schema
from strawberry.types.field import StrawberryField

from bff.execution import facts
from bff.execution.arguments import Arguments
from bff.execution.places import MISS, Complete, Place, Unknown
from bff.execution.reads import wanted_of
from bff.execution.waiting import complete_of

# A subscription has an answer for each event.
_SORTS: Final = (OperationType.QUERY, OperationType.MUTATION)


@dataclass(frozen=True)
class Root:
    """How an operation of one field is answered.

    Attributes:
        key: the field's name in the answer.
        place: the field.
        resolve: the method that it is.
        make_info: makes the Info that the method is given.
        arguments: what the method is given beside it.
        complete: what becomes of what the method returns.
    """

    key: str
    place: Place
    resolve: Callable[..., Coroutine[Any, Any, Any]]
    make_info: Callable[[Any], Info]
    arguments: Arguments
    complete: Complete | None

    def begin(self, executor: Executor[Any]) -> Coroutine[Any, Any, ExecutionResult] | None:
        """The answer, to be waited for; None where graphql-core gives it."""
        arguments = self.arguments.values(executor.variable_values.coerced)
        return None if arguments is None else self._answer(executor, arguments)

    async def _answer(self, executor: Executor[Any], arguments: dict[str, Any]) -> Any:  # noqa: ANN401 -- graphql-core's
        """Compare `Executor.execute_operation` and `Executor.complete_awaitable_value`."""
        place, path = self.place, Path(None, self.key, self.place.type.name)
        try:
            try:
                info = place.info(executor, path)
                value = await self.resolve(executor.root_value, info=self.make_info(info), **arguments)
                completed = MISS if self.complete is None else self.complete(executor, value, path, info)
                if completed is MISS:
                    completed = executor.complete_value(place.field.type, place.selected, info, path, value, None)
                if executor.is_awaitable(completed):
                    completed = await completed
            except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
                place.fail(executor, error, path)
                completed = None
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            return executor.build_response(None)
        data = {self.key: completed}
        # An executor made by `Lasting` has no errors before the first one.
        return executor.build_response(data) if "collected_errors" in vars(executor) else ExecutionResult(data, None)


def root_of(executor: Executor[Any]) -> Root | None:
    """How the executor's operation is answered, with its variables leaving the same fields out; None where unknown."""
    operation = executor.operation
    type_ = executor.schema.get_root_type(operation.operation) if operation.operation in _SORTS else None
    schema = facts.strawberry_schema(executor.schema)
    if type_ is None or schema is None:
        return None
    collected = collect_fields(
        executor.schema, executor.fragments, executor.variable_values, type_, operation, executor.hide_suggestions
    )
    if len(collected.grouped_field_set) != 1 or collected.new_defer_usages:
        return None
    ((key, selected),) = collected.grouped_field_set.items()
    field = type_.fields.get(selected[0].node.name.value)
    found = None if field is None else facts.root_resolver(field)
    if field is None or found is None:
        return None
    resolve, definition, known = found
    place = Place(type_, field, selected)
    arguments = Arguments.of(schema, operation, selected, field, known)
    if arguments is None:
        return None
    return Root(key, place, resolve, _infos(executor, place, schema, definition), arguments, _complete(executor, place))


def _infos(executor: Executor[Any], place: Place, schema: Schema, definition: StrawberryField) -> Callable[[Any], Info]:
    info_class, kind = schema.config.info_class, facts.fetches(definition)
    wanted = None if kind is None else wanted_of(executor, place.field.type, place.selected, kind)

    def make(raw: Any) -> Info:  # noqa: ANN401 -- graphql-core's
        info = info_class(_raw_info=raw, _field=definition)
        if wanted is not None:
            facts.want(info, wanted)
        return info

    return make


def _complete(executor: Executor[Any], place: Place) -> Complete | None:
    if is_non_null_type(place.field.type):
        # What is null there is an error, which graphql-core tells of.
        inner = place.field.type.of_type
        try:
            complete = complete_of(executor, inner, place.selected)
        except (Unknown, GraphQLError):
            return None
        return lambda executor, value, path, info: MISS if value is None else complete(executor, value, path, info)
    try:
        return complete_of(executor, place.field.type, place.selected)
    except (Unknown, GraphQLError):
        return None
