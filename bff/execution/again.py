"""An operation of a document that came before: what of it need not be found out again, and its execution.

What Strawberry and graphql-core do before the first field is resolved depends on the document alone, but for its
variables: those of the plain kinds are looked at here, all others are theirs.
"""

from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    default_field_resolver,
    default_type_resolver,
    is_non_null_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.executor import Executor
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from strawberry.execution import optimized_is_awaitable
from strawberry.types.graphql import OperationType

_KINDS: Final = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
_ABSENT: Final = object()
# graphql-core's own, of an execution.
_MAX_ERRORS: Final = 50


@dataclass(frozen=True, slots=True)
class Known:
    """An operation of a document that is valid.

    Attributes:
        operation: the operation.
        sort: query, mutation or subscription.
        name: as the document has it.
    """

    operation: OperationDefinitionNode
    sort: OperationType
    name: str | None
    _definitions: dict[str, FragmentDefinitionNode]
    _fragments: dict[str, FragmentDetails]
    # Variables whose values are taken as they are, where they are of this very type; None where there are others.
    _plain: tuple[tuple[str, GraphQLVariableSignature, type], ...] | None

    @classmethod
    def of(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> "Known | None":
        """The operation that a request means; None where that is unusual, or there is none."""
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        if name is None and len(operations) != 1:
            return None
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        if any(node.variable_definitions for node in fragments.values()):
            return None
        for operation in operations:
            said = operation.name.value if operation.name else None
            if name is None or said == name:
                return cls(
                    operation,
                    OperationType(operation.operation.value),
                    said,
                    fragments,
                    {each: FragmentDetails(node, None) for each, node in fragments.items()},
                    _plain_variables(schema, operation),
                )
        return None

    def executor(
        self,
        kind: type[Executor[Any]],
        schema: GraphQLSchema,
        variables: dict[str, Any],
        context: object,
        extensions: dict[str, Any] | None,
    ) -> "Executor[Any] | list[GraphQLError]":
        """Compare `Executor.build`.

        Args:
            kind: the executor's class.
            schema: what the document is valid against.
            variables: as the request gives them.
            context: the request.
            extensions: what the request says beside the operation.

        Returns:
            The executor, or what is wrong with the variables.
        """
        values = self._values(variables)
        if values is None:
            found = get_variable_values(
                schema, self.operation.variable_definitions or (), variables, max_errors=_MAX_ERRORS
            )
            if isinstance(found, list):
                return found
            values = found
        make: Any = kind  # Strawberry's takes more than graphql-core's
        made: Executor[Any] = make(
            schema,
            self._definitions,
            self._fragments,
            None,
            context,
            self.operation,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
            operation_extensions=extensions,
        )
        return made

    def _values(self, given: dict[str, Any]) -> VariableValues | None:
        """Compare `coerce_variable_values`."""
        if self._plain is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, kind in self._plain:
            value = given.get(name, _ABSENT)
            if type(value) is not kind:
                return None
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = value
        return VariableValues(sources, coerced)


def _plain_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode
) -> tuple[tuple[str, GraphQLVariableSignature, type], ...] | None:
    plain = []
    for definition in operation.variable_definitions or ():
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            return None
        inner: Any = signature.type.of_type if is_non_null_type(signature.type) else signature.type
        if inner not in _KINDS:
            return None
        plain.append((signature.name, signature, _KINDS[inner]))
    return tuple(plain)
