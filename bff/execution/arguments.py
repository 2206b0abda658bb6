"""Arguments of an operation's field: what the document says of them, made once, and what variables say, each time.

Compare `graphql.execution.values.get_argument_values` and `strawberry.types.arguments.convert_arguments`.
"""

from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ArgumentNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    is_non_null_type,
    is_required_argument,
    type_from_ast,
)
from graphql import GraphQLSchema as CoreSchema
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues, coerce_argument
from graphql.language import ListValueNode, ObjectValueNode
from strawberry import Schema
from strawberry.types.arguments import StrawberryArgument

from bff.execution.inputs import ABSENT, Change, NotCompiled, converter, default_of

_NONE: Final = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class _Variable:
    """An argument that a variable gives.

    Attributes:
        name: the resolver's name of it.
        variable: the variable's.
        convert: from the variable's value to the argument; None where they are one.
        default: what is given where the variable has no value; ABSENT where nothing is.
        required: whether the variable must have one.
        nullable: whether that may be null.
    """

    name: str
    variable: str
    convert: Change | None
    default: object
    required: bool
    nullable: bool


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a resolver is given."""

    _fixed: dict[str, Any]
    # Made anew for each resolver, which may change it: the name, what it is made of, and how.
    _made: tuple[tuple[str, Any, Change], ...]
    _variables: tuple[_Variable, ...]

    @classmethod
    def of(
        cls,
        schema: Schema,
        operation: OperationDefinitionNode,
        selected: FieldDetailsList,
        field: GraphQLField,
        known: dict[str, StrawberryArgument],
    ) -> "Arguments | None":
        """The arguments of an operation's field; None where one of them is for graphql-core.

        Args:
            schema: Strawberry's.
            operation: declares variables.
            selected: the field, as often as it is selected.
            field: the same in the schema.
            known: Strawberry's arguments by their names in the schema.
        """
        node = selected[0].node
        if selected[0].fragment_variable_values:
            return None
        nodes = {argument.name.value: argument for argument in node.arguments or ()}
        fixed: dict[str, Any] = {}
        made: list[tuple[str, Any, Change]] = []
        variables: list[_Variable] = []
        try:
            for name, argument in field.args.items():
                there, python_name = nodes.get(name), known[name].python_name
                convert = converter(schema, known[name].type)
                if there is not None and isinstance(there.value, VariableNode):
                    variables.append(_variable(schema._schema, operation, python_name, argument, there.value, convert))  # noqa: SLF001 -- graphql-core's schema
                    continue
                for value in _said(selected, name, argument, there):
                    if convert is None or value is None:
                        fixed[python_name] = value
                    else:
                        made.append((python_name, value, convert))
        except (GraphQLError, NotCompiled):
            return None
        return cls(fixed, tuple(made), tuple(variables))

    def values(self, coerced: dict[str, Any]) -> dict[str, Any] | None:
        """The arguments, where variables have these values; None where graphql-core is to say what they are."""
        if not self._variables and not self._made:
            return self._fixed
        found = dict(self._fixed)
        try:
            for each in self._variables:
                value = coerced.get(each.variable, ABSENT)
                if value is ABSENT:
                    if each.required:
                        return None
                    value = each.default
                    if value is not ABSENT:
                        found[each.name] = value
                elif value is None:
                    if not each.nullable:
                        return None
                    found[each.name] = None
                else:
                    found[each.name] = value if each.convert is None else each.convert(value)
            for name, value, convert in self._made:
                found[name] = convert(value)
        except Exception:  # noqa: BLE001 -- whatever it was, Strawberry comes upon it too, and tells of it
            return None
        return found


def _variable(  # noqa: PLR0917 -- each of another kind
    schema: CoreSchema,
    operation: OperationDefinitionNode,
    name: str,
    argument: GraphQLArgument,
    node: VariableNode,
    convert: Change | None,
) -> _Variable:
    variable = node.name.value
    if convert is not None:
        # A document need not be valid to be executed: then its variables may be of any type.
        declared = [
            type_from_ast(schema, each.type)
            for each in operation.variable_definitions or ()
            if each.variable.name.value == variable
        ]
        if [str(each).rstrip("!") for each in declared] != [str(argument.type).rstrip("!")]:
            raise NotCompiled
    required = is_required_argument(argument)
    default = ABSENT if required else default_of(argument)
    if convert is not None and default not in {ABSENT, None}:
        raise NotCompiled
    return _Variable(name, variable, convert, default, required, not is_non_null_type(argument.type))


def _said(selected: FieldDetailsList, name: str, argument: GraphQLArgument, node: ArgumentNode | None) -> list[Any]:
    """What the document itself says of an argument, or else the schema; nothing where nothing is said."""
    if node is not None and _has_variables(node.value):
        raise NotCompiled
    values: dict[str, Any] = {}
    coerce_argument(values, selected[0].node, name, argument, node, _NONE, None)
    return list(values.values())


def _has_variables(node: ValueNode) -> bool:
    match node:
        case VariableNode():
            return True
        case ListValueNode():
            return any(_has_variables(each) for each in node.values)
        case ObjectValueNode():
            return any(_has_variables(each.value) for each in node.fields)
    return False
