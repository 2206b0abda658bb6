"""Domain error to GraphQL error: each with a stable code and the request's id, and nothing that is not for the client.

Refusals of mutations never come here: they are answers (`bff.graph.refusals`). What comes here is a document or input
that can't be used, a query that is refused, an upstream that is down, and bugs, which are masked and logged once.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import structlog
from graphql import GraphQLError, GraphQLSyntaxError, ValueNode

from bff.context import Unauthenticated
from bff.metrics import ERRORS, expect
from domain.errors import Explanation, Failure, RateLimited, Refusal

log = structlog.get_logger(__name__)

MASK: Final = "Something went wrong on our side. Quote the requestId when you ask about it."

# What the reference implementation appends: names of the schema, one misspelling at a time.
_SUGGESTION: Final = re.compile(r" Did you mean [^?]*\?")
# How the parser says that it stopped at its limit.
_TOO_LONG: Final = "Document contains more than"
_EXPECTED: Final = (Refusal, Failure, Unauthenticated, GraphQLError)


class EdgeCode(StrEnum):
    """`extensions.code` of a top-level error. Stable; new values may be added."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_RESOLUTION_FAILURE = "OPERATION_RESOLUTION_FAILURE"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    BAD_REQUEST = "BAD_REQUEST"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    OPERATION_TOO_COMPLEX = "OPERATION_TOO_COMPLEX"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


expect(EdgeCode)

EXPLAINED: Final[Mapping[EdgeCode, Explanation]] = {
    EdgeCode.GRAPHQL_PARSE_FAILED: Explanation("the document is not GraphQL", "mend the client"),
    EdgeCode.GRAPHQL_VALIDATION_FAILED: Explanation("it does not fit the schema", "mend the client"),
    EdgeCode.OPERATION_RESOLUTION_FAILURE: Explanation(
        "it is not said which operation of the document is meant, or there is no such one", "mend the client"
    ),
    EdgeCode.BAD_USER_INPUT: Explanation("a variable or argument does not fit", "show the message"),
    EdgeCode.BAD_REQUEST: Explanation(
        "the request is no GraphQL request at all, or came by a way that is not its own: a subscription by a POST that "
        "wants one answer, a mutation by GET",
        "mend the client",
    ),
    EdgeCode.PERSISTED_QUERY_NOT_FOUND: Explanation(
        "only the hash of a document was sent, and it is not known here (any more)", "send hash and document together"
    ),
    EdgeCode.UNAUTHENTICATED: Explanation("no token, or a bad or expired one; nothing was resolved", "sign in again"),
    EdgeCode.FORBIDDEN: Explanation(
        "it is not allowed here: where a manifest says which documents are run, no other is", "mend the client"
    ),
    EdgeCode.RATE_LIMITED: Explanation(
        "the guest asked for too much in a minute, or follows too many orders; nothing was resolved",
        "try again after `retryAfter` seconds",
    ),
    EdgeCode.OPERATION_TOO_COMPLEX: Explanation(
        "the document asks for too much; `limit` says of what, `value` how much it asks for, `max` how much it may",
        "ask for less at once",
    ),
    EdgeCode.UPSTREAM_UNAVAILABLE: Explanation(
        "another service, or the database, can't be used right now: at the error's `path` there is `null`, and all "
        "else is as asked for. Without a `path` there is no `data`: the answer was not there in time, or who is asking "
        "can't be found out now",
        "show what is there, offer to try again; a mutation with the same key, for it may have been carried out",
    ),
    EdgeCode.OVERLOADED: Explanation(
        "there is more to do than can be done right now; nothing was executed", "try again after `retryAfter` seconds"
    ),
    EdgeCode.INTERNAL_SERVER_ERROR: Explanation("a bug of ours, masked and logged", "apologise, quote `requestId`"),
}


def is_bug(error: GraphQLError) -> bool:
    """Whether the error is a surprise: neither a refusal, nor an upstream that is down, nor the client's doing."""
    if error.original_error is None or isinstance(error.original_error, _EXPECTED):
        return False
    # A value that does not fit has a place in the document and no path into the answer; its message is for the client.
    return error.path is not None or not error.locations


def formatted(error: GraphQLError, request_id: str, *, executed: bool, suggestions: bool = True) -> dict[str, Any]:
    """An error as the client sees it.

    Args:
        error: what execution, or what came before it, reported.
        request_id: the request's id.
        executed: whether the operation was executed; before that, an error without a code is a validation error.
        suggestions: whether it may name what the client could have meant.
    """
    message = MASK if is_bug(error) else error.message
    shown: dict[str, Any] = {"message": message if suggestions else _SUGGESTION.sub("", message)}
    if error.locations:
        shown["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path is not None:
        shown["path"] = error.path
    shown["extensions"] = {**_extensions(error, executed=executed), "requestId": request_id}
    ERRORS.labels(shown["extensions"]["code"]).inc()
    return shown


def _extensions(error: GraphQLError, *, executed: bool) -> dict[str, Any]:
    original = error.original_error
    if isinstance(original, RateLimited):
        return {"code": EdgeCode.RATE_LIMITED, "retryAfter": original.retry_after}
    if isinstance(original, Refusal):
        reason = {"code": EdgeCode.BAD_USER_INPUT, "reason": original.code}
        return reason | {"field": list(original.field)} if original.field else reason
    told = error.extensions or {}
    # Ours are for the client whole; what others put there is not.
    return dict(told) if isinstance(told.get("code"), EdgeCode) else {"code": _code(error, executed=executed)}


def _code(error: GraphQLError, *, executed: bool) -> EdgeCode:
    code = EdgeCode.GRAPHQL_VALIDATION_FAILED
    if isinstance(error.original_error, Failure):
        code = EdgeCode.UPSTREAM_UNAVAILABLE
    elif isinstance(error.original_error, Unauthenticated):
        code = EdgeCode.UNAUTHENTICATED
    elif is_bug(error):
        code = EdgeCode.INTERNAL_SERVER_ERROR
    elif isinstance(error, GraphQLSyntaxError):
        long = _TOO_LONG in error.message
        code = EdgeCode.OPERATION_TOO_COMPLEX if long else EdgeCode.GRAPHQL_PARSE_FAILED
    elif executed:
        # Nothing was resolved, as the variables did not fit; or one is null where the schema has a default and wants a
        # value, which shows only when its field's turn comes. What a resolver did wrong is a bug.
        theirs = error.path is None or any(isinstance(node, ValueNode) for node in error.nodes or ())
        code = EdgeCode.BAD_USER_INPUT if theirs else EdgeCode.INTERNAL_SERVER_ERROR
    return code


def record(error: GraphQLError) -> None:
    """Logs an error once: a bug with its trace, what is down with its reason, a refusal not at all."""
    path = ".".join(str(step) for step in error.path or ())
    if isinstance(error.original_error, Failure):
        log.warning("can't be answered now", path=path, reason=error.original_error.reason)
    elif is_bug(error):
        log.error("request failed", path=path, exc_info=error.original_error)
