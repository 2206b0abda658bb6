"""What clients give, from JSON to what a resolver takes: two functions for each type, made once.

The first does what graphql-core does with a variable, the second what Strawberry does with an argument. Neither tells
what is wrong with a value: it raises, whatever it likes, before anything was done with it. Then those two are asked.
"""

from collections.abc import Callable
from dataclasses import MISSING
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    is_non_null_type,
    is_required_input_field,
    parse_type,
    type_from_ast,
)
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry import Schema
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.types.base import StrawberryList, StrawberryMaybe, StrawberryOptional, get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from bff.execution.source import Source

Change = Callable[[Any], Any]

# Of these very types a value is itself.
_SAME: Final = {GraphQLString: "str", GraphQLID: "str", GraphQLBoolean: "bool"}
# What nobody can change: one default may be given to many resolvers.
_UNCHANGING: Final = (str, int, float, bool, date, Enum, type(None))
# Inputs within each other.
_MAX_DEPTH: Final = 8
ABSENT: Final = object()


class NotCompiled(Exception):
    """Something of a type is unusual."""


class Unusual(Exception):
    """A value is not for these functions."""


@lru_cache(maxsize=256)  # a schema has some dozens of them; a document may have as many variables as it likes
def coercer(schema: GraphQLSchema, text: str) -> Change:
    """From what JSON has to what graphql-core makes of it. Compare `coerce_input_value`.

    Args:
        schema: has the type.
        text: the type, as a document writes it.

    Raises:
        NotCompiled: it is for graphql-core.
    """
    type_: Any = type_from_ast(schema, parse_type(text))
    source = _Coercing({"Unusual": Unusual, "Undefined": Undefined, "ABSENT": ABSENT})
    with source.function("coerced") as name:
        source.line(f"return {source.value(type_, 'v')}")
    return source.compile(name)


def converter(schema: Schema, kind: Any) -> Change | None:  # noqa: ANN401 -- a type of Strawberry's
    """From what graphql-core made of a value to what a resolver takes; None where they are one.

    Compare `strawberry.types.arguments.convert_argument`.

    Args:
        schema: knows which types are scalars, and the names of fields.
        kind: of the argument.

    Raises:
        NotCompiled: it is for Strawberry.
    """
    source = _Converting(schema)
    with source.function("converted") as name:
        result = source.value(kind, "v")
        source.line(f"return {result}")
    return None if result == "v" else source.compile(name)


def default_of(found: Any) -> Any:  # noqa: ANN401 -- an argument, or a field of an input
    """What stands for a value that was not given, or ABSENT where nothing does.

    Raises:
        NotCompiled: it is none, or could be changed by whom it is given to.
    """
    try:
        value = coerce_default_value(found)
    except TypeError:
        raise NotCompiled from None
    if value is Undefined:
        return ABSENT
    if not isinstance(value, _UNCHANGING):
        raise NotCompiled
    return value


class _Coercing(Source):
    _depth = 0

    def value(self, type_: GraphQLInputType, name: str) -> str:
        """Writes what a value must be, and returns the expression of what it becomes."""
        if is_non_null_type(type_):
            self.line(f"if {name} is None: raise Unusual")
            return self._value(type_.of_type, name)
        result = self._new("r")
        self.line(f"if {name} is None: {result} = None")
        with self.block("else:"):
            self.line(f"{result} = {self._value(type_, name)}")
        return result

    def _value(self, type_: GraphQLInputType, name: str) -> str:
        match type_:
            case GraphQLScalarType() if type_ in _SAME:
                return self._unless(f"type({name}) is {_SAME[type_]}", type_, name)
            case GraphQLScalarType() if type_ is GraphQLInt:
                small = f"type({name}) is int and {GRAPHQL_MIN_INT} <= {name} <= {GRAPHQL_MAX_INT}"
                return self._unless(small, type_, name)
            case GraphQLScalarType() | GraphQLEnumType():
                return self._unless("False", type_, name)
            case GraphQLList():
                self.line(f"if type({name}) is not list: raise Unusual")
                with self.function("item") as item:
                    self.line(f"return {self.value(type_.of_type, 'v')}")
                return f"[{item}(item) for item in {name}]"
            case GraphQLInputObjectType():
                return self._object(type_, name)
        raise NotCompiled

    def _unless(self, same: str, type_: GraphQLScalarType | GraphQLEnumType, name: str) -> str:
        result = self._new("s")
        self.line(f"{result} = {name}")
        with self.block(f"if not ({same}):"):
            self.line(f"{result} = {self._constant(type_.coerce_input_value)}({name})")
            self.line(f"if {result} is Undefined: raise Unusual")
        return result

    def _object(self, type_: GraphQLInputObjectType, name: str) -> str:
        if type_.is_one_of or type_.out_type is not GraphQLInputObjectType.out_type or self._depth >= _MAX_DEPTH:
            raise NotCompiled
        self._depth += 1
        result, names = self._new("d"), self._constant(frozenset(type_.fields))
        self.line(f"if type({name}) is not dict or not {name}.keys() <= {names}: raise Unusual")
        self.line(f"{result} = {{}}")
        for key, field in type_.fields.items():
            if field.out_name not in {None, key}:
                raise NotCompiled
            given, place = self._new("v"), f"{result}[{key!r}]"
            if is_required_input_field(field):
                self.line(f"{given} = {name}[{key!r}]")
                self.line(f"{place} = {self.value(field.type, given)}")
                continue
            default = default_of(field)
            self.line(f"{given} = {name}.get({key!r}, ABSENT)")
            with self.block(f"if {given} is not ABSENT:"):
                self.line(f"{place} = {self.value(field.type, given)}")
            if default is not ABSENT:
                self.line(f"else: {place} = {self._constant(default)}")
        self._depth -= 1
        return result


class _Converting(Source):
    def __init__(self, schema: Schema) -> None:
        super().__init__({})
        self._schema = schema
        self._depth = 0

    def value(self, kind: Any, name: str) -> str:  # noqa: ANN401 -- a type of Strawberry's
        """Writes what is done with a value, and returns the expression of what it becomes."""
        kind = _unwrapped(kind)
        if self._is_leaf(kind):
            return name
        result = self._new("r")
        self.line(f"if {name} is None: {result} = None")
        with self.block("else:"):
            self.line(f"{result} = {self._value(kind, name)}")
        return result

    def _is_leaf(self, kind: Any) -> bool:  # noqa: ANN401 -- a type of Strawberry's
        if isinstance(kind, StrawberryMaybe | LazyType) or kind is GlobalID:
            raise NotCompiled
        registry = self._schema.schema_converter.scalar_registry
        return is_scalar(kind, registry) or isinstance(kind, StrawberryEnumDefinition) or has_enum_definition(kind)

    def _value(self, kind: Any, name: str) -> str:  # noqa: ANN401 -- a type of Strawberry's
        if isinstance(kind, StrawberryList):
            with self.function("item") as item:
                result = self.value(kind.of_type, "v")
                self.line(f"return {result}")
            return f"list({name})" if result == "v" else f"[{item}(item) for item in {name}]"
        definition = get_object_definition(kind)
        if definition is None or not definition.is_input or definition.from_input or self._depth >= _MAX_DEPTH:
            raise NotCompiled
        self._depth += 1
        given = [
            f"{field.python_name}={self._field(field, field.resolve_type(type_definition=definition), name)}"
            for field in definition.fields
        ]
        self._depth -= 1
        return f"{self._constant(kind)}({', '.join(given)})"

    def _field(self, field: StrawberryField, kind: Any, name: str) -> str:  # noqa: ANN401 -- a type of Strawberry's
        """The same of a value that an input has, or has not."""
        if field.default_factory is not MISSING:
            raise NotCompiled
        key = repr(self._schema.config.name_converter.from_field(field))
        default = self._constant(None if field.default is MISSING else field.default)
        if self._is_leaf(_unwrapped(kind)):
            return f"{name}.get({key}, {default})"
        result, value = self._new("r"), self._new("v")
        self.line(f"if {key} not in {name}: {result} = {default}")
        with self.block("else:"):
            self.line(f"{value} = {name}[{key}]")
            self.line(f"{result} = {self.value(kind, value)}")
        return result


def _unwrapped(kind: Any) -> Any:  # noqa: ANN401 -- a type of Strawberry's
    while isinstance(kind, StrawberryOptional) and not isinstance(kind, StrawberryMaybe):
        kind = kind.of_type
    return kind
