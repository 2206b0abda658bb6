"""Reads what a client sends into one request, or a refusal: bytes, a GET's address, or a message of a WebSocket."""

from collections.abc import Mapping
from types import NoneType
from typing import Any, Final, NamedTuple

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from starlette.requests import Request
from strawberry.http.parse_content_type import parse_content_type

from bff.errors import EdgeCode
from bff.http.media_types import JSON

# Bytes. An operation of the contract with every field takes 3 KiB.
MAX_BODY: Final = 64 * 1024

# What a request's members may be.
_TEXT: Final = (str, NoneType)
_OBJECT: Final = (dict, NoneType)
_MEMBERS: Final = {
    "query": _TEXT,
    "documentId": _TEXT,
    "variables": _OBJECT,
    "operationName": _TEXT,
    "extensions": _OBJECT,
}


class Refused(HTTPException):
    """No GraphQL request, or none that is answered: the reason is for the client.

    Args:
        status: of the answer.
        reason: for people.
        code: for programs.
    """

    def __init__(self, status: int, reason: str, code: EdgeCode = EdgeCode.BAD_REQUEST) -> None:
        super().__init__(status, reason)
        self.code = code


class Said(NamedTuple):
    """A request as the client put it, each member of its right kind.

    Attributes:
        query: the document; None where it is named instead.
        document_id: the name of a document that the server knows.
        variables: of the operation.
        operation_name: which operation of the document is meant.
        extensions: what goes beyond the specification.
    """

    query: str | None
    document_id: str | None
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any]


async def read(request: AsyncHTTPRequestAdapter) -> Said:
    """Reads a request: its JSON body, or what a GET says in its address.

    Raises:
        Refused: it has no such form; nothing was executed.
    """
    if request.method == "GET":
        return said(_parameters(request.query_params))
    return await read_post(request._request)  # type: ignore[attr-defined]  # noqa: SLF001 -- the adapter hides the stream


async def read_post(request: Request) -> Said:
    """Reads a request's JSON body.

    Raises:
        Refused: it has no such form; nothing was executed.
    """
    check_type(request.headers.get("content-type", ""))
    return read_bytes(await _read(request))


def check_type(content_type: str) -> None:
    """Looks at what a body is said to be.

    Raises:
        Refused: it is no JSON.
    """
    if not _is_json(content_type):
        raise Refused(415, "The body must be application/json in UTF-8.")


def read_bytes(body: bytes) -> Said:
    """Reads a JSON body that is there as a whole.

    Raises:
        Refused: it has no such form; nothing was executed.
    """
    if len(body) > MAX_BODY:
        raise _too_large()
    return said(_parse(body))


def said(members: object) -> Said:
    """Checks that a request has the members that a request has.

    Raises:
        Refused: one is of another kind.
    """
    if not isinstance(members, dict):
        raise Refused(400, "The body must be a JSON object.")
    get = members.get
    query, document_id, operation_name = get("query"), get("documentId"), get("operationName")
    variables, extensions = get("variables"), get("extensions")
    if not (
        isinstance(query, _TEXT)
        and isinstance(document_id, _TEXT)
        and isinstance(variables, _OBJECT)
        and isinstance(operation_name, _TEXT)
        and isinstance(extensions, _OBJECT)
    ):
        raise _of_another_kind(members)
    return Said(query or None, document_id or None, variables, operation_name or None, extensions or {})


def _is_json(content_type: str) -> bool:
    if content_type == JSON:
        return True  # as nearly everybody says it
    media_type, parameters = parse_content_type(content_type)
    return media_type.lower() == JSON and parameters.get("charset", "utf-8").lower() == "utf-8"


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> Refused:
    return Refused(413, f"The body is larger than {MAX_BODY} bytes.")


def _parse(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not JSON in UTF-8.") from None


def _parameters(given: Mapping[str, str | list[str] | None]) -> dict[str, Any]:
    parameters: dict[str, Any] = {**given}
    for name in ("variables", "extensions"):
        if value := given.get(name):
            try:
                parameters[name] = orjson.loads(str(value))
            except orjson.JSONDecodeError:
                raise Refused(400, f"`{name}` is not JSON.") from None
        else:
            parameters.pop(name, None)
    return parameters


def _of_another_kind(members: dict[str, Any]) -> Refused:
    """Names the first that is."""
    name = next(name for name, kinds in _MEMBERS.items() if not isinstance(members.get(name), kinds))
    return Refused(400, f"`{name}` must be {'a string' if _MEMBERS[name] is _TEXT else 'an object'}.")
