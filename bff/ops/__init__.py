"""The operators' page, /ops: how the installation does, and what people do about what could not be delivered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

import redis
import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bff.http.admission import Admission
from bff.ops import page
from bff.ops.door import SESSION, Crowded, Door
from bff.ops.sight import Sight
from workers.queue_depths import QUEUES

__all__ = ["COOKIE", "PATH", "Door", "Sight", "routes"]

log = structlog.get_logger(__name__)

Form: TypeAlias = Mapping[str, str]

PATH: Final = "/ops"
COOKIE: Final = "homestay_ops"
_HERE: Final = Path(__file__).parent
# Bytes of a form, and its fields: a token, or an id and what to do.
_MAX_FORM: Final = 4096
_MAX_FIELDS: Final = 8
# Forms that are worked on at once.
_AT_ONCE: Final = 32
# Seconds until who was not let in should come again.
_RETRY_AFTER: Final = 10
# What a number of 64 bits has at most, surely.
_ID_DIGITS: Final = 18
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def routes(
    sight: Sight, door: Door, *, secure: bool, grace: timedelta, works: bool, here: str | None = None
) -> list[BaseRoute]:
    """Make the routes of the page.

    Args:
        sight: what there is to see.
        door: who may see it.
        secure: whether browsers come by TLS alone, so that the session's cookie may too.
        grace: past the due moment until a sweep closes what no message did.
        works: whether a worker runs in this process.
        here: which process this is, where several share the address and another one may answer the next time.
    """
    desk = _Desk(sight, door, secure=secure, grace=grace, works=works, here=here)

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
        # Whoever sends a byte a second is left, as at /graphql.
        return Route(f"{PATH}/{path}", endpoint, methods=["POST"], middleware=[Middleware(Admission, at_once=_AT_ONCE)])

    return [
        Route(PATH, desk.show, methods=["GET"]),
        Route(f"{PATH}/ops.css", _stylesheet, methods=["GET"]),
        post("session", desk.sign_in),
        post("session/end", desk.sign_out),
        post("letters", desk.letter),
        post("messages", desk.message),
    ]


class _Desk:
    """The endpoints."""

    def __init__(
        self, sight: Sight, door: Door, *, secure: bool, grace: timedelta, works: bool, here: str | None
    ) -> None:
        self._sight = sight
        self._door = door
        self._secure = secure
        self._grace = grace
        self._works = works
        self._here = here

    async def show(self, request: Request) -> Response:
        """The page; who is not signed in is asked for the token."""
        session = self._session(request)
        done = request.query_params.get("done", "")
        if not session:
            return _ask_for_token(page.DONE[done] if done == "signed-out" else "")
        html = page.overview(
            await self._sight.look(),
            key=self._door.form_key(session),
            done=done,
            refreshes=request.query_params.get("refresh") != "off",
            grace=self._grace,
            works=self._works,
            here=self._here,
        )
        return HTMLResponse(html, headers=_HEADERS)

    async def sign_in(self, request: Request) -> Response:
        """Takes the token, and gives a session for it."""
        form = await _form(request)
        if form is None:
            return _refuse(HTTPStatus.BAD_REQUEST, "This is no form of this page.")
        try:
            admitted = await self._door.admits(form.get("token", ""))
        except Crowded:
            return _refuse(HTTPStatus.TOO_MANY_REQUESTS, "Too many try at once. Wait some seconds.")
        if not admitted:
            log.warning("wrong token at the operators' page")
            return _ask_for_token("This is not the token.")
        log.info("operator signed in")
        response = _back()
        response.set_cookie(
            COOKIE,
            self._door.open_session(),
            max_age=SESSION,
            path=PATH,
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """Has the browser forget the session."""
        form = await self._trusted(request)
        if isinstance(form, Response):
            return form
        response = _back("signed-out")
        response.delete_cookie(COOKIE, path=PATH, secure=self._secure, httponly=True, samesite="strict")
        return response

    async def letter(self, request: Request) -> Response:
        """Has a dead letter tried again, or drops it."""
        form = await self._trusted(request)
        if isinstance(form, Response):
            return form
        act = {"retry": self._sight.outbox.retry, "drop": self._sight.outbox.drop}.get(form.get("do", ""))
        id_ = form.get("id", "")
        if act is None or not (id_.isascii() and id_.isdecimal() and len(id_) <= _ID_DIGITS):
            return _refuse(HTTPStatus.BAD_REQUEST, "This is no form of this page.")
        if not await act([int(id_)]):
            return _back("nothing")
        log.info("operator looked after a dead letter", did=form["do"], id=int(id_))
        return _back(f"letter-{form['do']}")

    async def message(self, request: Request) -> Response:
        """Sends a dead message again, or drops it."""
        form = await self._trusted(request)
        if isinstance(form, Response):
            return form
        dead = self._sight.dead_messages
        if dead is None:
            return _back("nothing")
        act = {"retry": dead.revive, "drop": dead.drop}.get(form.get("do", ""))
        if act is None or form.get("queue") not in QUEUES:
            return _refuse(HTTPStatus.BAD_REQUEST, "This is no form of this page.")
        try:
            done = await asyncio.to_thread(act, form["queue"], [form.get("id", "")])
        except redis.RedisError as error:
            log.warning("the broker can't be asked", error=type(error).__name__)
            return _back("broker")
        if not done:
            return _back("nothing")
        log.info("operator looked after a dead message", did=form["do"], queue=form["queue"], id=form["id"])
        return _back(f"message-{form['do']}")

    def _session(self, request: Request) -> str:
        """The session of whoever asks; empty where there is none."""
        cookie = request.cookies.get(COOKIE, "")
        return cookie if self._door.knows(cookie) else ""

    async def _trusted(self, request: Request) -> Form | Response:
        """The form that somebody sent whom we know, from a page of ours; else what they are told."""
        session = self._session(request)
        if not session:
            return _ask_for_token("Your session has ended, and nothing was done.")
        form = await _form(request)
        if form is None:
            return _refuse(HTTPStatus.BAD_REQUEST, "This is no form of this page.")
        if not self._door.wrote(session, form.get("key", "")):
            log.warning("form from elsewhere at the operators' page", path=request.url.path)
            return _refuse(HTTPStatus.FORBIDDEN, "This form comes from another page or session. Nothing was done.")
        return form


async def _form(request: Request) -> Form | None:
    """The fields of a form; None where it is none of ours."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_FORM:
            return None
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return None


def _ask_for_token(reason: str) -> Response:
    headers = _HEADERS | {"WWW-Authenticate": 'Form realm="operators"'}
    return HTMLResponse(page.render("sign_in.html", reason=reason), HTTPStatus.UNAUTHORIZED, headers)


def _refuse(status: HTTPStatus, reason: str) -> Response:
    headers = _HEADERS | ({"Retry-After": str(_RETRY_AFTER)} if status is HTTPStatus.TOO_MANY_REQUESTS else {})
    return HTMLResponse(page.render("refusal.html", status=status, reason=reason), status, headers)


def _back(done: str = "") -> Response:
    # By GET, so that to look again repeats nothing.
    return RedirectResponse(f"{PATH}?done={done}" if done else PATH, HTTPStatus.SEE_OTHER, _HEADERS)


async def _stylesheet(_: Request) -> Response:
    return FileResponse(_HERE / "ops.css", headers=_HEADERS | {"Cache-Control": "no-cache"}, media_type="text/css")
