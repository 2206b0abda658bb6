"""What an operation reads of the objects of one class, so that whoever fetches them need not fetch the rest.

A field says it in its metadata: `facts.READS`. Where one that is selected does not say, all of an object is needed.
"""

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor

from bff.execution import facts
from bff.execution.lines import LineFunctions, NoLines
from bff.execution.loaded import has_loading_lines
from bff.execution.places import Unknown


def wanted_of(
    executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList, kind: type
) -> facts.Wanted | None:
    """What is wanted of objects of a class within a value; None where that is not known.

    Args:
        executor: knows the document and its variables.
        type_: what the value is to be.
        fields: the field that has it, as often as it is selected.
        kind: the class.
    """
    try:
        attributes = frozenset(_read(executor, type_, fields, kind))
    except Unknown:
        return None
    places = [*_lists(executor, type_, fields, kind)]
    return facts.Wanted(attributes, as_lines=bool(places) and all(places))


def _lists(executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList, kind: type) -> Iterator[bool]:
    """Of each place where there are objects of the class, whether they can come so."""
    inner = get_nullable_type(type_)
    if isinstance(inner, GraphQLList) and _has_lines(executor, inner.of_type, fields):
        yield True
        return
    for possible in _possible(executor, type_):
        if facts.class_of(possible) is kind:
            yield False
            return
        for selected in executor.collect_subfields(possible, fields).grouped_field_set.values():
            field = possible.fields.get(selected[0].node.name.value)
            if field is not None:
                yield from _lists(executor, field.type, selected, kind)


def _has_lines(executor: Executor[Any], item_type: GraphQLOutputType, fields: FieldDetailsList) -> bool:
    try:
        LineFunctions.of(executor, item_type, fields)
    except NoLines:
        return has_loading_lines(executor, item_type, fields)
    return True


def _read(executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList, kind: type) -> Iterator[str]:
    for possible in _possible(executor, type_):
        collected = executor.collect_subfields(possible, fields)
        if collected.new_defer_usages:
            raise Unknown
        for selected in collected.grouped_field_set.values():
            name = selected[0].node.name.value
            if name == "__typename":
                continue
            field = possible.fields.get(name)
            if field is None:
                raise Unknown
            if facts.class_of(possible) is kind:
                reads = facts.reads(field)
                if reads is None:
                    raise Unknown
                yield from reads
            yield from _read(executor, field.type, selected, kind)


def _possible(executor: Executor[Any], type_: GraphQLOutputType) -> list[GraphQLObjectType]:
    """The types that an object in this value may be of."""
    named = get_named_type(type_)
    match named:
        case GraphQLObjectType():
            return [named]
        case GraphQLInterfaceType() | GraphQLUnionType():
            return list(executor.schema.get_possible_types(named))
    return []
