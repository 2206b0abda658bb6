"""A schema taken apart, so that two can be laid side by side: each element by its place, with what it says there."""

from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    DefinitionNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    StringValueNode,
    parse,
    print_ast,
)


@dataclass(frozen=True, slots=True)
class Element:
    """A type, field, argument or enum value.

    Attributes:
        place: `Type`, `Type.field`, `Type.field(argument:)` or `Enum.VALUE`.
        form: what a client's program relies on: kind and interfaces, type, default.
        description: what a client's people rely on.
    """

    place: str
    form: str
    description: str | None


def elements(sdl: str) -> dict[str, Element]:
    """Every element of a schema by its place."""
    return {each.place: each for definition in parse(sdl).definitions for each in _taken_apart(definition)}


def _taken_apart(definition: DefinitionNode) -> Iterator[Element]:
    match definition:
        case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
            name = definition.name.value
            kind = "type" if isinstance(definition, ObjectTypeDefinitionNode) else "interface"
            interfaces = sorted(each.name.value for each in definition.interfaces or ())
            yield Element(name, " ".join([kind, *interfaces]), _words(definition.description))
            for field in definition.fields or ():
                yield from _field(name, field)
        case InputObjectTypeDefinitionNode():
            name = definition.name.value
            yield Element(name, "input", _words(definition.description))
            for value in definition.fields or ():
                yield _value(f"{name}.{value.name.value}", value)
        case EnumTypeDefinitionNode():
            name = definition.name.value
            yield Element(name, "enum", _words(definition.description))
            for member in definition.values or ():
                yield Element(f"{name}.{member.name.value}", "value", _words(member.description))
        case ScalarTypeDefinitionNode():
            yield Element(definition.name.value, "scalar", _words(definition.description))
        case _:
            raise AssertionError(f"the schema has a kind of definition that no test looks at: {definition.kind}")


def _field(owner: str, field: FieldDefinitionNode) -> Iterator[Element]:
    place = f"{owner}.{field.name.value}"
    yield Element(place, print_ast(field.type), _words(field.description))
    for argument in field.arguments or ():
        yield _value(f"{place}({argument.name.value}:)", argument)


def _value(place: str, value: InputValueDefinitionNode) -> Element:
    default = f" = {print_ast(value.default_value)}" if value.default_value else ""
    return Element(place, print_ast(value.type) + default, _words(value.description))


def _words(description: StringValueNode | None) -> str | None:
    return description.value if description else None
