"""Selections in which something has to be waited for: the same steps as graphql-core takes, with less to find out.

What is plain in an object is done first, by one function; only then is any resolver called. So a value that is not
what was expected goes to graphql-core before anything was done with it, and no resolver runs twice. What waits for
what, in which task, is as it is there: it decides which errors come first, and what is cancelled by them.
"""

from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, TypeAlias

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor, collect_iterator_awaitables
from graphql.pyutils import Path, gather_with_cancel

from bff.execution import facts
from bff.execution.loaded import loading_list_of
from bff.execution.places import MISS, Complete, Place, Unknown
from bff.execution.plain import MAX_DEPTH, NotPlain, function_of, function_of_object, is_plain

# From an object to what one of its fields becomes, or an awaitable of that.
Start: TypeAlias = Callable[[Executor[Any], Any, Path], Any]


def complete_of(
    executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList, depth: int = 0
) -> Complete:
    """How a value is completed.

    Args:
        executor: knows the document and its variables.
        type_: what the value is to be.
        fields: the field that has it, as often as it is selected.
        depth: how many other values it is in.

    Raises:
        Unknown: as graphql-core does it.
    """
    if depth > MAX_DEPTH:
        raise Unknown
    function = function_of(executor, type_, fields)
    if function is not None:
        return _plain(function)
    nullable = not is_non_null_type(type_)
    inner = type_.of_type if is_non_null_type(type_) else type_
    classes: dict[type, GraphQLObjectType] | None = None
    match inner:
        case GraphQLList():
            loading = loading_list_of(executor, inner.of_type, fields, nullable=nullable)
            if loading is not None:
                return loading
            each = complete_of(executor, inner.of_type, fields, depth + 1)
            return _list(inner.of_type, fields, each, nullable=nullable)
        case GraphQLObjectType():
            origin = facts.class_of(inner)
            classes = None if origin is None else {origin: inner}
        case GraphQLInterfaceType():
            classes = facts.classes_of(executor.schema, inner)
    if classes is None:
        raise Unknown
    kinds = {origin: _object(executor, possible, fields, depth) for origin, possible in classes.items()}
    return _kinds(kinds, nullable=nullable)


def _plain(function: Callable[[Any], Any]) -> Complete:
    def complete(_executor: Executor[Any], value: object, _path: Path, _info: GraphQLResolveInfo[Any]) -> object:
        try:
            return function(value)
        except Exception:  # noqa: BLE001 -- whatever it was, graphql-core comes upon it too, and tells of it
            return MISS

    return complete


def _kinds(kinds: dict[type, Complete], *, nullable: bool) -> Complete:
    def complete(executor: Executor[Any], value: object, path: Path, info: GraphQLResolveInfo[Any]) -> object:
        kind = kinds.get(type(value))
        if kind is None:
            return None if value is None and nullable else MISS
        return kind(executor, value, path, info)

    return complete


def _list(item_type: GraphQLOutputType, fields: FieldDetailsList, each: Complete, *, nullable: bool) -> Complete:
    """Compare `Executor.complete_iterable_value`."""
    add = _item(item_type, fields, each)

    def complete(executor: Executor[Any], value: object, path: Path, info: GraphQLResolveInfo[Any]) -> object:
        if type(value) is not list and type(value) is not tuple:
            return None if value is None and nullable else MISS
        results: list[Any] = []
        waited: list[int] = []
        items = iter(value)
        try:
            for index, item in enumerate(items):
                if add(executor, item, results, path.add_key(index, None), info):
                    waited.append(index)
        except Exception:
            left = [results[index] for index in waited]
            left += collect_iterator_awaitables(items, executor.is_awaitable)
            if left:
                executor.settle_in_background(left)
            raise
        return _all(results, waited) if waited else results

    return complete


def _item(
    item_type: GraphQLOutputType, fields: FieldDetailsList, each: Complete
) -> Callable[[Executor[Any], Any, list[Any], Path, GraphQLResolveInfo[Any]], bool]:
    """Compare `Executor.complete_list_item_value`."""

    def add(
        executor: Executor[Any], item: object, results: list[Any], path: Path, info: GraphQLResolveInfo[Any]
    ) -> bool:
        """Adds an item; returns whether it has to be waited for."""
        try:
            completed = each(executor, item, path, info)
        except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
            executor.handle_field_error(error, item_type, fields, path)
            results.append(None)
            return False
        if completed is MISS:
            if not executor.is_awaitable(item):
                return executor.complete_list_item_value(item, results, item_type, fields, info, path, None)
            results.append(executor.complete_awaitable_list_item_value(item, item_type, fields, info, path, None))
            return True
        if executor.is_awaitable(completed):
            results.append(_guarded(executor, completed, item_type, fields, path))
            return True
        results.append(completed)
        return False

    return add


def _object(executor: Executor[Any], type_: GraphQLObjectType, fields: FieldDetailsList, depth: int) -> Complete:
    collected = executor.collect_subfields(type_, fields)
    if collected.new_defer_usages:
        raise Unknown
    found = {key: _start(executor, type_, each, depth) for key, each in collected.grouped_field_set.items()}
    starts = [(key, start) for key, start in found.items() if start is not None]
    try:
        later = frozenset(key for key, _ in starts)
        plain = function_of_object(executor, type_, collected.grouped_field_set, later)
    except NotPlain:
        raise Unknown from None
    return _fields(type_.name, plain, starts)


def _fields(type_name: str, plain: Callable[[Any], dict[str, Any]], starts: list[tuple[str, Start]]) -> Complete:
    """Compare `Executor.execute_fields`."""

    def complete(executor: Executor[Any], source: object, path: Path, _info: GraphQLResolveInfo[Any]) -> object:
        try:
            results = plain(source)
        except Exception:  # noqa: BLE001 -- whatever it was, graphql-core comes upon it too, and tells of it
            return MISS
        waited: list[str] = []
        try:
            for key, start in starts:
                results[key] = started = start(executor, source, Path(path, key, type_name))
                if executor.is_awaitable(started):
                    waited.append(key)
        except Exception:
            if waited:
                executor.settle_in_background([results[key] for key in waited])
            raise
        return _all(results, waited) if waited else results

    return complete


def _start(executor: Executor[Any], type_: GraphQLObjectType, selected: FieldDetailsList, depth: int) -> Start | None:
    """How a field is begun with; None where it is part of its object's function."""
    node = selected[0].node
    if node.name.value == "__typename":
        return None
    field, origin = type_.fields.get(node.name.value), facts.class_of(type_)
    if field is None or origin is None:
        raise Unknown
    place = Place(type_, field, selected)
    if node.arguments:
        return place.stock
    attribute = facts.attribute(origin, field)
    read = attrgetter(attribute) if attribute is not None else facts.method(field)
    if read is not None and is_plain(executor, field.type, selected):
        return None
    try:
        complete = complete_of(executor, field.type, selected, depth + 1)
    except Unknown:
        complete = _unknown
    if read is not None:
        return _at_hand(place, read, complete)
    resolver, schema = facts.resolver(field), facts.strawberry_schema(executor.schema)
    if resolver is None or schema is None:
        return place.stock
    return _awaited(place, *resolver, schema.config.info_class, complete)


def _unknown(_executor: Executor[Any], _value: object, _path: Path, _info: GraphQLResolveInfo[Any]) -> object:
    return MISS


def _at_hand(place: Place, read: Callable[[Any], Any], complete: Complete) -> Start:
    """Compare `Executor.execute_field`, of a field without a resolver, or with a pure one."""

    def start(executor: Executor[Any], source: object, path: Path) -> object:
        try:
            completed = complete(executor, read(source), path, place.info(executor, path))
        except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
            place.fail(executor, error, path)
            return None
        if completed is MISS:
            # It reads the value again, which is all that was done.
            return place.stock(executor, source, path)
        if executor.is_awaitable(completed):
            return _guarded(executor, completed, place.field.type, place.selected, path)
        return completed

    return start


def _awaited(
    place: Place, resolve: facts.Resolve, definition: object, info_class: Callable[..., Any], complete: Complete
) -> Start:
    """Compare `Executor.complete_awaitable_value`."""

    async def start(executor: Executor[Any], source: object, path: Path) -> object:
        info = place.info(executor, path)
        try:
            value = await resolve(source, info_class(_raw_info=info, _field=definition))
            completed = complete(executor, value, path, info)
            if completed is MISS:
                completed = executor.complete_value(place.field.type, place.selected, info, path, value, None)
            if executor.is_awaitable(completed):
                completed = await completed
        except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
            place.fail(executor, error, path)
            return None
        return completed

    return start


async def _guarded(
    executor: Executor[Any], completed: Awaitable[Any], type_: GraphQLOutputType, fields: FieldDetailsList, path: Path
) -> object:
    try:
        return await completed
    except Exception as error:  # noqa: BLE001 -- a resolver's, whatever it is
        executor.handle_field_error(error, type_, fields, path)
        return None


async def _all(results: Any, waited: list[Any]) -> object:  # noqa: ANN401 -- a list, or a dict
    """Waits for what has to be waited for, in its place."""
    if len(waited) == 1:
        results[waited[0]] = await results[waited[0]]
    else:
        arrived = await gather_with_cancel(*(results[place] for place in waited))
        for place, value in zip(waited, arrived, strict=True):
            results[place] = value
    return results
