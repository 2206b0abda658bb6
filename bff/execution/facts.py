"""What may be known of a type before any value of it is seen, and what is then left to look at in the value itself."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import MemberDescriptorType
from typing import Any, Final, TypeAlias

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema
from strawberry import Schema
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

Resolve: TypeAlias = Callable[[Any, Info], Coroutine[Any, Any, Any]]

# Of texts what stands in an answer. What is looked up costs less than what is called.
Write: TypeAlias = Callable[..., Any] | Mapping[Any, Any]

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
CAST: Final = TYPE_CAST_ATTRIBUTE

# The functions that Strawberry makes of a field: any other one was put there by somebody, for some reason.
_ATTRIBUTE: Final = "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
_METHOD: Final = "GraphQLCoreConverter.from_resolver.<locals>._resolver"
_ASYNC: Final = "GraphQLCoreConverter.from_resolver.<locals>._async_resolver"
_READS: Final = inspect.getattr_static(object, "__getattribute__")
# What a field's metadata says of a method that works something out of its object and does nothing else, so that it may
# be called twice: `strawberry.field(resolver, metadata=facts.PURE)`.
PURE: Final = {"pure": True}
# And of one that only reads: the attributes that it goes along, e.g. `order.title`.
PATH: Final = "path"
# What a field's metadata says of the attributes that it reads of its object's own object, whatever else it does.
READS: Final = "reads"
# And of what it is where its object is a line of texts, see `bff.execution.lines`: `Written` or `Passed`.
WRITTEN: Final = "written"
# And of a field to be awaited that does nothing but load its value: how, so that it need not be called. See `Loaded`.
LOADED: Final = "loaded"
# And of a field that fetches objects of a class which can do with less: the class. See `wanted`.
FETCHES: Final = "fetches"
_WANTED: Final = "wanted_of_objects"
# With one of these a class decides itself what an attribute is, or is something else than an object of the schema.
_WILFUL: Final = ("__getattr__", "__await__", "__aiter__")


@dataclass(frozen=True, slots=True)
class Written:
    """A field that is made of the texts of its object's columns.

    Attributes:
        columns: which.
        write: makes it, as it stands in the answer, or has it under the text, or under all of several; None where the
            field's type says how. It raises where a text is wrong.
        nullable: whether it is null where the first of the texts is empty.
    """

    columns: tuple[str, ...]
    write: Write | None = None
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A field that is an object, made of the texts of the object that has it.

    Attributes:
        names: what the object's own fields call the columns that it is made of; empty where it has all, as they are.
    """

    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A field of which a loader has the value, by a key: what objects of a list have is asked for at once.

    Attributes:
        key: of the object the key; None where there is nothing to be loaded, and the field is null.
        written: the same of an object that is a line of texts.
        load: from a request's context and a key to what was loaded, which nobody may cancel.
        make: makes the value of it.
    """

    key: Callable[[Any], Any]
    written: Written
    load: Callable[[Any, Any], "asyncio.Future[Any]"]
    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the objects that a field fetches.

    Attributes:
        attributes: those that are read.
        as_lines: whether they may come as lines of texts.
    """

    attributes: frozenset[str]
    as_lines: bool


def strawberry_schema(schema: GraphQLSchema) -> Schema | None:
    """The Strawberry schema, where it gives and takes nothing but attributes and what resolvers return."""
    found = schema.extensions.get(DEFINITION)
    if not isinstance(found, Schema) or found.exception_handlers:
        return None
    return found if found.config.default_resolver is getattr else None


def class_of(type_: GraphQLObjectType) -> type | None:
    """The class whose own instances are of this type, whatever else may be; None where that can't be known."""
    definition = type_.extensions.get(DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.is_type_of or definition.concrete_of:
        return None
    origin = definition.origin
    if issubclass(origin, Exception) or inspect.getattr_static(origin, "__getattribute__") is not _READS:
        return None
    return None if any(hasattr(origin, name) for name in _WILFUL) else origin


def may_be_cast(type_: GraphQLObjectType) -> bool:
    """Whether an instance can say that it is of another type than that of its class."""
    return type_.is_type_of is not None


def classes_of(schema: GraphQLSchema, type_: GraphQLInterfaceType) -> dict[type, GraphQLObjectType] | None:
    """The classes whose own instances are of this interface, each with its type; None where that can't be known."""
    definition = type_.extensions.get(DEFINITION)
    if not isinstance(definition, StrawberryObjectDefinition) or definition.resolve_type:
        return None
    found: dict[type, GraphQLObjectType] = {}
    for possible in schema.get_possible_types(type_):
        origin = class_of(possible)
        if origin is None or not issubclass(origin, definition.origin):
            return None
        if possible.extensions[DEFINITION].name != possible.name:
            return None
        found[origin] = possible
    return found


def attribute(origin: type, field: GraphQLField) -> str | None:
    """The attribute that a field is, where reading it does nothing but read it."""
    definition = field.extensions.get(DEFINITION)
    if not isinstance(definition, StrawberryField) or not definition.is_basic_field or field.args:
        return None
    if getattr(field.resolve, "__qualname__", None) != _ATTRIBUTE:
        return None
    there = inspect.getattr_static(origin, definition.python_name, None)
    if hasattr(type(there), "__get__") and not isinstance(there, MemberDescriptorType):
        return None
    return definition.python_name


def method(field: GraphQLField) -> Callable[[Any], Any] | None:
    """The method that a field is, where it is said to be pure and wants nothing but its object."""
    definition = field.extensions.get(DEFINITION)
    if not isinstance(definition, StrawberryField) or definition.extensions or field.args:
        return None
    if not PURE.items() <= definition.metadata.items() or definition.base_resolver is None:
        return None
    function = definition.base_resolver.wrapped_func
    if getattr(field.resolve, "__qualname__", None) != _METHOD or not inspect.isfunction(function):
        return None
    return function if list(inspect.signature(function).parameters) == ["self"] else None


def path(field: GraphQLField) -> str | None:
    """The attributes that a pure method goes along, where it does nothing else."""
    definition = field.extensions.get(DEFINITION)
    found = definition.metadata.get(PATH) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, str) and all(step.isidentifier() for step in found.split(".")) else None


def reads(field: GraphQLField) -> frozenset[str] | None:
    """The attributes that a field reads of its object's own object; None where it does not say."""
    definition = field.extensions.get(DEFINITION)
    found = definition.metadata.get(READS) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, frozenset) else None


def written(field: GraphQLField) -> Written | Passed | None:
    """What a field is where its object is a line of texts; None where it is not to be had of one."""
    definition = field.extensions.get(DEFINITION)
    found = definition.metadata.get(WRITTEN) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, Written | Passed) else None


def loaded(field: GraphQLField) -> Loaded | None:
    """How a field's value is loaded; None where it is not, or does something else beside."""
    definition = field.extensions.get(DEFINITION)
    found = definition.metadata.get(LOADED) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, Loaded) and resolver(field) is not None else None


def fetches(definition: StrawberryField) -> type | None:
    """The class whose objects a field fetches, where it can do with less than all of them."""
    found = definition.metadata.get(FETCHES)
    return found if isinstance(found, type) else None


def want(info: Info, wanted: Wanted) -> None:
    """Tells a field that fetches objects what is wanted of them."""
    setattr(info, _WANTED, wanted)


def wanted(info: Info) -> Wanted | None:
    """What is wanted of the objects that a field fetches; None where that is not known, and may be anything."""
    found: Wanted | None = getattr(info, _WANTED, None)
    return found


def resolver(field: GraphQLField) -> tuple[Resolve, StrawberryField] | None:
    """The method that a field is, where it is one to be awaited that wants nothing but its object and the Info."""
    found = None if field.args else _method(field)
    if found is None:
        return None
    function, definition, others = found
    return None if others else (function, definition)


def root_resolver(
    field: GraphQLField,
) -> tuple[Callable[..., Any], StrawberryField, dict[str, StrawberryArgument]] | None:
    """The method that a field of an operation is, where it is one to be awaited, that wants its object and the Info.

    Returns:
        The method, its field, and Strawberry's arguments by their names in the schema.
    """
    found = _method(field)
    if found is None:
        return None
    function, definition, _ = found
    arguments: dict[str, StrawberryArgument] = {}
    for name, argument in field.args.items():
        known = argument.extensions.get(DEFINITION)
        if not isinstance(known, StrawberryArgument) or argument.out_name not in {None, name}:
            return None
        arguments[name] = known
    return function, definition, arguments


def _method(field: GraphQLField) -> tuple[Callable[..., Any], StrawberryField, list[str]] | None:
    """The method to be awaited that a field is, where it wants its object and the Info; and what else it wants."""
    definition = field.extensions.get(DEFINITION)
    if not isinstance(definition, StrawberryField) or definition.extensions:
        return None
    found = definition.base_resolver
    if getattr(field.resolve, "__qualname__", None) != _ASYNC or found is None:
        return None
    function = found.wrapped_func
    if not inspect.isfunction(function) or not inspect.iscoroutinefunction(function):
        return None
    wants = list(inspect.signature(function).parameters)
    if wants[:2] != ["self", "info"] or found.self_parameter is None or found.info_parameter is None:
        return None
    return function, definition, wants[2:]
