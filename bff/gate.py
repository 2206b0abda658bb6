"""What must hold before anything is resolved: a document of a sane size, one operation meant, somebody known asking."""

from collections.abc import Iterator
from typing import cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from bff import complexity
from bff.context import RequestContext
from bff.errors import EdgeCode


class Gate(SchemaExtension):
    """Refuses before execution what no resolver should have to think of."""

    def on_operation(self) -> Iterator[None]:
        """The parser stops where no sane document goes on."""
        self.execution_context.parse_options["max_tokens"] = complexity.MAX_TOKENS
        yield

    def on_parse(self) -> Iterator[None]:
        """Several operations and no `operationName`: the specification wants an error, not the first of them.

        Raises:
            GraphQLError: it is not said which operation is meant.
        """
        yield
        document = self.execution_context.graphql_document
        named = self.execution_context._provided_operation_name is not None  # noqa: SLF001 -- the name is not public
        if document is not None and not named and len(_operations(document)) > 1:
            raise GraphQLError(
                "The document has several operations; `operationName` says which one is meant.",
                extensions={"code": EdgeCode.OPERATION_RESOLUTION_FAILURE},
            )

    def on_validate(self) -> Iterator[None]:
        """Whoever asks for data must say who they are; the schema may be asked about itself by anybody.

        Raises:
            GraphQLError: the document asks for too much; or there is no token, or a bad one.
        """
        if self.execution_context.graphql_document is not None:
            # Before the validation, which takes long over what this stops.
            complexity.check(self.execution_context.graphql_document, self.execution_context.variables)
        yield
        context = cast("RequestContext", self.execution_context.context)
        document = self.execution_context.graphql_document
        if document is None or self.execution_context.pre_execution_errors or context.caller is not None:
            return
        wanted = self.execution_context.operation_name
        for operation in _operations(document):
            named = operation.name.value if operation.name else None
            if named == wanted and _asks_for_data(document, operation.selection_set):
                raise GraphQLError(context.refusal, extensions={"code": EdgeCode.UNAUTHENTICATED})


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _asks_for_data(document: DocumentNode, selections: SelectionSetNode) -> bool:
    """Whether a root selection reaches any field that is not introspection."""
    fragments = {
        node.name.value: node.selection_set for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    waiting, seen = [selections], set[str]()
    while waiting:
        for node in waiting.pop().selections:
            match node:
                case FieldNode() if not node.name.value.startswith("__"):
                    return True
                case InlineFragmentNode():
                    waiting.append(node.selection_set)
                case FragmentSpreadNode() if node.name.value not in seen:
                    seen.add(node.name.value)
                    waiting.append(fragments[node.name.value])
    return False
