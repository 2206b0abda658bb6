"""A query's one field, from its arguments to the answer: the steps of graphql-core and Strawberry, less to find out.

What is known beforehand are the field's function, the arguments that the document itself gives, and the names of those
that variables give. An argument of another kind than a plain scalar, or a variable without a value: graphql-core's.
Nothing has been done by then.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    OperationType,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.executor import Executor
from graphql.execution.values import VariableValues, coerce_argument
from graphql.pyutils import Path

from bff.execution import facts
from bff.execution.waiting import MISS, Complete, Place, Unknown, complete_of

# Strawberry gives a value of these to a resolver as it is.
_PLAIN: Final = frozenset({GraphQLString, GraphQLID, GraphQLInt, GraphQLBoolean})
_NONE: Final = VariableValues({}, {})


@dataclass(frozen=True)
class Root:
    """How a query of one field is answered.

    Attributes:
        key: the field's name in the answer.
        place: the field.
        resolve: the method that it is.
        make_info: makes the Info that the method is given.
        given: arguments that the document gives, by the method's names.
        variables: the method's names of others, and the variables that give them.
        complete: what becomes of what the method returns.
    """

    key: str
    place: Place
    resolve: Callable[..., Coroutine[Any, Any, Any]]
    make_info: Callable[[Any], Any]
    given: dict[str, Any]
    variables: tuple[tuple[str, str], ...]
    complete: Complete | None

    def begin(self, executor: Executor[Any]) -> Coroutine[Any, Any, ExecutionResult] | None:
        """The answer, to be waited for; None where graphql-core gives it."""
        arguments = self.given
        if self.variables:
            values = executor.variable_values.coerced
            arguments = dict(arguments)
            for name, variable in self.variables:
                value = values.get(variable)
                if value is None:
                    return None
                arguments[name] = value
        return self._answer(executor, arguments)

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
        return executor.build_response({self.key: completed})


def root_of(executor: Executor[Any]) -> Root | None:
    """How the executor's operation is answered, with its variables leaving the same fields out; None where unknown."""
    operation = executor.operation
    type_ = executor.schema.query_type
    schema = facts.strawberry_schema(executor.schema)
    if operation.operation is not OperationType.QUERY or type_ is None or schema is None:
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
    resolve, definition, names = found
    place = Place(type_, field, selected)
    try:
        given, variables = _arguments(place, field, names)
    except GraphQLError:
        return None
    except Unknown:
        return None
    info_class = schema.config.info_class
    return Root(
        key,
        place,
        resolve,
        lambda info: info_class(_raw_info=info, _field=definition),
        given,
        tuple(variables),
        _complete(executor, place),
    )


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


def _arguments(
    place: Place, field: GraphQLField, names: dict[str, str]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Compare `graphql.execution.values.get_argument_values` and `strawberry.types.arguments.convert_arguments`."""
    node = place.selected[0].node
    if place.selected[0].fragment_variable_values:
        raise Unknown
    nodes = {argument.name.value: argument for argument in node.arguments or ()}
    given: dict[str, Any] = {}
    variables: list[tuple[str, str]] = []
    for name, argument in field.args.items():
        there = nodes.get(name)
        if there is not None and isinstance(there.value, VariableNode):
            _check_plain(argument.type)
            variables.append((names[name], there.value.name.value))
            continue
        values: dict[str, Any] = {}
        coerce_argument(values, node, name, argument, there, _NONE, None)
        for value in values.values():
            if value is not None:
                _check_plain(argument.type)
            given[names[name]] = value
    return given, variables


def _check_plain(type_: Any) -> None:  # noqa: ANN401 -- an input type
    inner = type_.of_type if is_non_null_type(type_) else type_
    if is_list_type(inner) or get_named_type(inner) not in _PLAIN:
        raise Unknown
