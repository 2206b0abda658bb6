"""An operation of a document that came before: what of it need not be found out again, and its execution.

What Strawberry and graphql-core do before the first field is resolved depends on the document alone, but for its
variables. Values that fit are taken by functions made for them; who finds one that does not asks graphql-core.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    is_non_null_type,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from strawberry.types.graphql import OperationType

from bff.execution.executor import CompiledExecutor, Lasting
from bff.execution.inputs import ABSENT, Change, NotCompiled, coercer, default_of

# graphql-core's own, of an execution.
_MAX_ERRORS: Final = 50


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable, and what becomes of its value.

    Attributes:
        name: of the variable.
        signature: what graphql-core wants to know of it.
        missing: what graphql-core wants to know of a value that was not given.
        coerce: from what is given to the value; raises where it does not fit.
        default: the value where none is given; ABSENT where there is none then.
        required: whether it is a mistake to give none.
    """

    name: str
    signature: Any
    missing: VariableValueSource
    coerce: Change
    default: object
    required: bool


@dataclass(slots=True)
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
    _schema: GraphQLSchema
    _definitions: dict[str, FragmentDefinitionNode]
    # None where one of them is for graphql-core.
    _variables: tuple[_Variable, ...] | None
    _lasting: Lasting | None = field(default=None, init=False)

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
                    schema,
                    fragments,
                    _variables(schema, operation),
                )
        return None

    def begin(
        self,
        kind: type[CompiledExecutor],
        given: dict[str, Any],
        context: object,
        extensions: dict[str, Any] | None,
    ) -> Any:  # noqa: ANN401 -- graphql-core's
        """The answer, or an awaitable of it. Compare `graphql.execute`.

        Args:
            kind: the executor's class.
            given: the values of variables, as the request has them.
            context: the request.
            extensions: what the request says beside the operation.
        """
        values = self._values(given)
        if values is None:
            found = get_variable_values(
                self._schema, self.operation.variable_definitions or (), given, max_errors=_MAX_ERRORS
            )
            if isinstance(found, list):
                return ExecutionResult(None, found)
            values = found
        lasting = self._lasting
        if lasting is None or lasting.kind is not kind:
            fragments = {name: FragmentDetails(node, None) for name, node in self._definitions.items()}
            lasting = self._lasting = Lasting.of(kind, self._schema, self._definitions, fragments, self.operation)
        return lasting.executor(values, context, extensions).execute_operation()

    def _values(self, given: dict[str, Any]) -> VariableValues | None:
        """Compare `coerce_variable_values`. None where a value does not fit, or is not for this module."""
        if self._variables is None:
            return None
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for each in self._variables:
            value = given.get(each.name, ABSENT)
            if value is ABSENT:
                if each.required:
                    return None
                sources[each.name] = each.missing
                if each.default is not ABSENT:
                    coerced[each.name] = each.default
                continue
            try:
                coerced[each.name] = each.coerce(value)
            except Exception:  # noqa: BLE001 -- whatever it was, graphql-core comes upon it too, and tells of it
                return None
            sources[each.name] = VariableValueSource(each.signature, value)
        return VariableValues(sources, coerced)


def _variables(schema: GraphQLSchema, operation: OperationDefinitionNode) -> tuple[_Variable, ...] | None:
    found = []
    for definition in operation.variable_definitions or ():
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            return None
        try:
            coerce, default = coercer(schema, str(signature.type)), default_of(signature)
        except NotCompiled:
            return None
        required = default is ABSENT and is_non_null_type(signature.type)
        found.append(_Variable(signature.name, signature, VariableValueSource(signature), coerce, default, required))
    return tuple(found)
