"""What the endpoint serves, to whom and within which limits; and how an answer looks, whatever carries it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from strawberry import Schema
from strawberry.http import GraphQLHTTPResponse
from strawberry.types.execution import ExecutionResult, PreExecutionError

from bff import errors, metrics
from bff.http.persisted import Documents, PersistedDocuments
from bff.identity.tokens import Tokens
from bff.limits.allowance import Allowance
from domain.order.following import Following
from domain.order.service import Orders


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge.

    Attributes:
        schema: what can be asked.
        orders: the use cases.
        following: lets guests follow their orders.
        tokens: reads who is asking.
        allowance: what each guest may ask for in a minute.
        documents: who knows documents by their names.
        origins: of other sites whose pages may open a WebSocket.
        suggestions: whether an error may name what the client could have meant; names of the schema are not told
            where it may not be asked about itself.
    """

    schema: Schema
    orders: Orders
    following: Following
    tokens: Tokens
    allowance: Allowance
    documents: Documents = field(default_factory=PersistedDocuments)
    origins: Sequence[str] = ()
    suggestions: bool = True

    def answer(self, result: ExecutionResult, request_id: str) -> GraphQLHTTPResponse:
        """The answer as the client sees it; without `data` where nothing was executed. What went wrong is counted."""
        executed = not isinstance(result, PreExecutionError)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [
                errors.formatted(error, request_id, executed=executed, suggestions=self.suggestions)
                for error in result.errors
            ]
            metrics.failed(error["extensions"]["code"] for error in answer["errors"])
            if result.data is None and not any("path" in error for error in answer["errors"]):
                # Nothing was executed: an error of execution has a path.
                answer.pop("data", None)
        if result.extensions:
            answer["extensions"] = result.extensions
        return cast("GraphQLHTTPResponse", answer)
