"""What must hold before anything is resolved: a document of a sane size, one operation meant, somebody known asking."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from bff.context import RequestContext
from bff.errors import EdgeCode
from bff.execution.documents import Document
from bff.limits import complexity

if TYPE_CHECKING:
    from bff.graph.schema import Schema


class Gate(SchemaExtension):
    """Refuses before execution what no resolver should have to think of."""

    _document: Document | None = None

    def on_parse(self) -> Iterator[None]:
        """Takes a document that came before as it is, and stops parsing where no sane document goes on.

        Several operations and no `operationName`: the specification wants an error, not the first of them.

        Raises:
            GraphQLError: it is no document, or it is not said which operation is meant.
        """
        context = self.execution_context
        if context.query:
            self._document = self._schema.documents.parse(context.query)
            context.graphql_document = self._document.node
        yield
        named = context._provided_operation_name is not None  # noqa: SLF001 -- the name is not public
        if context.graphql_document is not None and not named and len(_operations(context.graphql_document)) > 1:
            raise GraphQLError(
                "The document has several operations; `operationName` says which one is meant.",
                extensions={"code": EdgeCode.OPERATION_RESOLUTION_FAILURE},
            )

    @property
    def _schema(self) -> "Schema":
        return cast("Schema", self.execution_context.schema)

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        return validate(self._schema._schema, document, self.execution_context.validation_rules)  # noqa: SLF001 -- graphql-core's schema

    def on_validate(self) -> Iterator[None]:
        """Whoever asks for data must say who they are; the schema may be asked about itself by anybody.

        Raises:
            GraphQLError: the document asks for too much, at once or in this minute; or there is no token, or a bad one;
                or it is a subscription, and only one answer can be sent.
        """
        context = cast("RequestContext", self.execution_context.context)
        document = self.execution_context.graphql_document
        if document is not None:
            # Before the validation, which takes long over what this stops.
            variables = self.execution_context.variables
            if self._document is None:
                context.cost = complexity.check(document, variables)
            else:
                context.cost = complexity.check_kept(self._document, variables)
                self.execution_context.pre_execution_errors = self._document.errors(self._validate)
        yield
        if document is None or self.execution_context.pre_execution_errors:
            return
        if self.execution_context.operation_type is OperationType.SUBSCRIPTION and not context.streams:
            raise GraphQLError(
                "A subscription is answered over a WebSocket, or by POST with `Accept: text/event-stream`.",
                extensions={"code": EdgeCode.BAD_REQUEST},
            )
        if context.caller is not None:
            self._spend(context, context.caller.user_id)
        elif _asks_for_data(document, self.execution_context.operation_name):
            code = EdgeCode.UPSTREAM_UNAVAILABLE if context.unchecked else EdgeCode.UNAUTHENTICATED
            raise GraphQLError(context.refusal, extensions={"code": code})

    def get_results(self) -> dict[str, Any]:
        """What the operation cost, for a client that asks by `"extensions": {"cost": true}`."""
        context = cast("RequestContext", self.execution_context.context)
        asked = self.execution_context.operation_extensions or {}
        if asked.get("cost") is not True or context.cost is None:
            return {}
        told: dict[str, int] = {_camel(name): value for name, value in asdict(context.cost).items()}
        if context.caller is not None and context.allowance.per_minute:
            told["perMinute"] = context.allowance.per_minute
            told["left"] = context.allowance.left(context.caller.user_id)
        return {"cost": told}

    @staticmethod
    def _spend(context: RequestContext, user_id: int) -> None:
        wait = context.allowance.spend(user_id, context.cost.values if context.cost else 0)
        if wait:
            raise GraphQLError(
                f"At most {context.allowance.per_minute} values may be asked for in a minute.",
                extensions={"code": EdgeCode.RATE_LIMITED, "retryAfter": wait},
            )


def admits(document: Document, variables: Mapping[str, Any] | None, context: RequestContext) -> bool:
    """Lets a valid document of a known guest pass, and takes what it costs, where that is known; else it takes nothing.

    Returns:
        Whether it passes; why not, `Gate` finds out.
    """
    if context.caller is None:
        return False
    cost = complexity.known_cost(document, variables)
    if cost is None or context.allowance.spend(context.caller.user_id, cost.values):
        return False
    context.cost = cost
    return True


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def _operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    return [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]


def _asks_for_data(document: DocumentNode, wanted: str | None) -> bool:
    """Whether a root selection of the wanted operation reaches any field that is not introspection."""
    fragments = {
        node.name.value: node.selection_set for node in document.definitions if isinstance(node, FragmentDefinitionNode)
    }
    waiting = [
        operation.selection_set
        for operation in _operations(document)
        if (operation.name.value if operation.name else None) == wanted
    ]
    seen = set[str]()
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
