"""The Starlette application: /graphql, the explorer page, health and figures. Wires; decides nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from bff import schema
from bff.admission import Admission
from bff.endpoint import Endpoint
from bff.metrics import Metrics
from bff.request_id import RequestId
from bff.tokens import Tokens
from domain.database import Database
from domain.errors import DatabaseUnavailable
from domain.order.service import Orders

# Seconds; a database that takes longer is not ready.
READY_WITHIN: Final = 2.0


def create_app(
    *,
    orders: Orders,
    database: Database,
    tokens: Tokens,
    introspection: bool,
    metrics: Metrics | None = None,
    explorer_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Returns the application.

    Args:
        orders: the use cases.
        database: asked by /readyz.
        tokens: reads who is asking.
        introspection: whether the schema may be asked about itself.
        metrics: answers /metrics; None where nobody watches.
        explorer_routes: the GraphiQL page's, none where it is off.
    """
    endpoint = Endpoint(schema.build(introspection=introspection), orders, tokens, suggestions=introspection)
    return Starlette(
        routes=[
            Route("/graphql", endpoint),
            Route("/livez", _alive),
            Route("/readyz", _readiness(database)),
            *([Route("/metrics", metrics.answer, methods=["GET"])] if metrics else []),
            *explorer_routes,
        ],
        middleware=[Middleware(RequestId), Middleware(Admission)],
    )


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _readiness(database: Database) -> Callable[[Request], Awaitable[Response]]:
    async def ready(_: Request) -> Response:
        missing = []
        try:
            async with asyncio.timeout(READY_WITHIN):
                await database.ping()
        except (DatabaseUnavailable, TimeoutError):
            missing.append("database")
        return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)

    return ready
