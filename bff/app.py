"""The Starlette application: /graphql, the pages, health and figures. Wires; decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from bff.http import guards
from bff.http.admission import Places
from bff.http.edge import Edge
from bff.http.endpoint import Endpoint
from bff.http.straight import Application, Straight
from domain.database import Database
from domain.errors import DatabaseUnavailable
from workers.metrics import Metrics

# Seconds; a database that takes longer is not ready.
READY_WITHIN: Final = 2.0


def create_app(
    *,
    edge: Edge,
    database: Database,
    metrics: Metrics | None = None,
    explorer_routes: Sequence[BaseRoute] = (),
    ops_routes: Sequence[BaseRoute] = (),
    origins: Sequence[str] = (),
    production: bool = False,
) -> Starlette:
    """Returns the application.

    Args:
        edge: what /graphql serves.
        database: asked by /readyz.
        metrics: answers /metrics; None where nobody watches.
        explorer_routes: the GraphiQL page's, none where it is off.
        ops_routes: the operators' page's, likewise.
        origins: whose pages may ask from a browser, beside our own.
        production: whether real guests are served, who are to come by TLS alone.
    """
    places = Places()
    endpoint = Endpoint(edge, places)
    return Application(
        routes=[
            Route("/graphql", endpoint, middleware=guards.around_graphql(places)),
            WebSocketRoute("/graphql", endpoint),
            Route("/livez", _alive),
            Route("/readyz", _readiness(database)),
            *([Route("/metrics", metrics.answer, methods=["GET"])] if metrics else []),
            *explorer_routes,
            *ops_routes,
        ],
        middleware=guards.around_all(origins=origins, production=production),
        straight=Straight(endpoint, places, origins=origins, production=production),
    )


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _readiness(database: Database) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_: Request) -> Response:
        # As `workers.watch_server` tells it. The broker is not asked: orders are placed and paid without it.
        missing = {}
        try:
            async with asyncio.timeout(READY_WITHIN):
                await database.ping()
        except DatabaseUnavailable as error:
            missing["database"] = _kind(error)
        except TimeoutError:
            missing["database"] = f"no answer in {READY_WITHIN:g} s"
        answer = {"ready": not missing, "missing": [*missing], "reasons": missing}
        return JSONResponse(answer, 503 if missing else 200)

    return ready


def _kind(error: DatabaseUnavailable) -> str:
    """What went wrong, without the driver's words: they name hosts and users, and this port is the guests', too."""
    cause: object = getattr(error.__cause__, "orig", None) or error.__cause__ or error
    code = next(iter(getattr(cause, "args", ())), None)
    return f"{type(cause).__name__} ({code})" if isinstance(code, int) else type(cause).__name__
