"""Selections that nothing has to be waited for, as one Python function each: from an object to what it becomes.

The function takes nothing on trust: each value is of the very type that is expected, or the function raises, having
done nothing but read attributes and call what is said to be pure. Then graphql-core looks at the value, and decides
what is wrong with it, or that nothing is.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import Executor
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from bff.execution import facts
from bff.execution.lines import LineFunctions, Lines, NoLines
from bff.execution.source import Source

# What a scalar of ours is made from and written as. None of them can be awaited, nor is an error.
_ATOMS: Final = frozenset({str, int, float, bool, date, datetime})
_WRITTEN: Final = frozenset({str, int, float, bool})
_SAME: Final = {GraphQLString: "str", GraphQLID: "str", GraphQLBoolean: "bool"}

# Names in one function: two or three a field. A document within the limits of `bff.limits.complexity` needs fewer.
MAX_NAMES: Final = 4000
MAX_DEPTH: Final = 20


class NotPlain(Exception):
    """Something in a selection is not for this module."""


class Miss(Exception):
    """A value is not of the type that was expected."""


def is_plain(executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList) -> bool:
    """Whether a value has a function of its own."""
    try:
        Writer(executor).value(type_, fields, "v")
    except NotPlain:
        return False
    return True


def function_of(
    executor: Executor[Any], type_: GraphQLOutputType, fields: FieldDetailsList
) -> Callable[[Any], Any] | None:
    """The function of a value; None where there can be none.

    Args:
        executor: knows the document and its variables.
        type_: what the value is to be.
        fields: the field that has it, as often as it is selected.
    """
    writer = Writer(executor)
    try:
        with writer.function("value") as name:
            writer.line(f"return {writer.value(type_, fields, 'v')}")
    except NotPlain:
        return None
    return writer.compile(name)


def function_of_object(
    executor: Executor[Any], type_: GraphQLObjectType, fields: GroupedFieldSet, later: frozenset[str]
) -> Callable[[Any], dict[str, Any]]:
    """The function of an object, which leaves a place for what comes later.

    Args:
        executor: knows the document and its variables.
        type_: what the object is.
        fields: those selected.
        later: their response names that are None yet.

    Raises:
        NotPlain: there can be none.
    """
    writer = Writer(executor)
    with writer.function("object") as name:
        writer.line(f"return {writer.object(type_, fields, 'v', later)}")
    return writer.compile(name)


class Writer(Source):
    """Writes the functions of selections."""

    def __init__(self, executor: Executor[Any]) -> None:
        super().__init__({"Miss": Miss, "Lines": Lines, "ATOMS": _ATOMS, "WRITTEN": _WRITTEN})
        self._executor = executor
        self._depth = 0
        # Beginnings of paths that were read of the object at hand.
        self._begun = set[str]()

    def value(self, type_: GraphQLOutputType, fields: FieldDetailsList, name: str) -> str:
        """Writes what must hold of the value `name`, and returns the expression of what it becomes."""
        if is_non_null_type(type_):
            return self._value(type_.of_type, fields, name)
        result = self._new("r")
        self.line(f"if {name} is None: {result} = None")
        with self.block("else:"):
            self.line(f"{result} = {self._value(type_, fields, name)}")
        return result

    def object(
        self, type_: GraphQLObjectType, fields: GroupedFieldSet, name: str, later: frozenset[str] = frozenset()
    ) -> str:
        """The same of an object, whose fields are known already."""
        origin = facts.class_of(type_)
        if origin is None or self._depth >= MAX_DEPTH:
            raise NotPlain
        self._depth += 1
        outside, self._begun = self._begun, set()
        self._guard(f"type({name}) is not {self._constant(origin)}")
        if facts.may_be_cast(type_):
            self._guard(f"{facts.CAST!r} in {name}.__dict__")
        pairs = [
            f"{key!r}: {'None' if key in later else self._field(type_, origin, selected, name)}"
            for key, selected in fields.items()
        ]
        self._begun = outside
        self._depth -= 1
        return "{" + ", ".join(pairs) + "}"

    def _field(self, type_: GraphQLObjectType, origin: type, selected: FieldDetailsList, name: str) -> str:
        node = selected[0].node
        if node.name.value == "__typename":
            return repr(type_.name)
        field = type_.fields.get(node.name.value)
        if field is None or node.arguments or self._count > MAX_NAMES:
            raise NotPlain
        attribute, method = facts.attribute(origin, field), facts.method(field)
        variable = self._new("v")
        if attribute is not None:
            self.line(f"{variable} = {name}.{attribute}")
        elif method is not None:
            path = facts.path(field)
            self.line(f"{variable} = {self._along(name, path) if path else f'{self._constant(method)}({name})'}")
        else:
            raise NotPlain
        return self.value(field.type, selected, variable)

    def _along(self, name: str, path: str) -> str:
        """What is at the end of a path; of several that begin alike, the beginning is read once."""
        first, _, rest = path.partition(".")
        if not rest:
            return f"{name}.{first}"
        begun = f"{name}_{first}"
        if begun not in self._begun:
            self._begun.add(begun)
            self.line(f"{begun} = {name}.{first}")
        return f"{begun}.{rest}"

    def _value(self, type_: GraphQLOutputType, fields: FieldDetailsList, name: str) -> str:
        """The same of a value that is not None."""
        match type_:
            case GraphQLScalarType():
                return self._scalar(type_, name)
            case GraphQLEnumType():
                members = self._constant(_members(type_))
                return f"{members}[id({name})]"
            case GraphQLList():
                return self._list(type_, fields, name)
            case GraphQLObjectType():
                return self.object(type_, self._selected(type_, fields), name)
            case GraphQLInterfaceType():
                return f"{self._interface(type_, fields)}[type({name})]({name})"
        raise NotPlain

    def _list(self, type_: GraphQLList[Any], fields: FieldDetailsList, name: str) -> str:
        with self.function("item") as item:
            self.line(f"return {self.value(type_.of_type, fields, 'v')}")
        items = f"[{item}(item) for item in {name}]"
        try:
            lines = self._constant(LineFunctions.of(self._executor, type_.of_type, fields))
        except NoLines:
            self._guard(f"type({name}) is not list and type({name}) is not tuple")
            return items
        result = self._new("l")
        with self.block(f"if type({name}) is Lines:"):
            self.line(f"{result} = {lines}.completed({name})")
        with self.block("else:"):
            self._guard(f"type({name}) is not list and type({name}) is not tuple")
            self.line(f"{result} = {items}")
        return result

    def _scalar(self, type_: GraphQLScalarType, name: str) -> str:
        if type_ in _SAME:
            self._guard(f"type({name}) is not {_SAME[type_]}")
            return name
        if type_ is GraphQLInt:
            self._guard(f"type({name}) is not int or not {GRAPHQL_MIN_INT} <= {name} <= {GRAPHQL_MAX_INT}")
            return name
        result = self._new("s")
        self._guard(f"type({name}) not in ATOMS")
        self.line(f"{result} = {self._constant(type_.coerce_output_value)}({name})")
        self._guard(f"type({result}) not in WRITTEN")
        return result

    def _interface(self, type_: GraphQLInterfaceType, fields: FieldDetailsList) -> str:
        classes = facts.classes_of(self._executor.schema, type_)
        if classes is None:
            raise NotPlain
        pairs = []
        for origin, possible in classes.items():
            with self.function("kind") as kind:
                self.line(f"return {self.object(possible, self._selected(possible, fields), 'v')}")
            pairs.append(f"{self._constant(origin)}: {kind}")
        table = self._new("kinds")
        self._written.append(f"{table} = {{{', '.join(pairs)}}}")
        return table

    def _selected(self, type_: GraphQLObjectType, fields: FieldDetailsList) -> GroupedFieldSet:
        collected = self._executor.collect_subfields(type_, fields)
        if collected.new_defer_usages:
            raise NotPlain
        return collected.grouped_field_set

    def _guard(self, wrong: str) -> None:
        self.line(f"if {wrong}: raise Miss")


def _members(type_: GraphQLEnumType) -> dict[int, str]:
    """The names of an enum's members by their identity: a member is one object, and lives as long as its enum."""
    names: dict[int, str] = {}
    for member in getattr(type_, "wrapped_cls", ()):
        try:
            names[id(member)] = type_.coerce_output_value(member)
        except ValueError:
            continue  # not one of those that are shown
    return names
