"""What each command of `homestay` runs: which services, in which order. Building them is the bootstrap's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

from starlette.routing import BaseRoute

from bff import explorer
from bff.app import create_app
from bff.explorer.operations import tabs
from bff.graph import schema
from bff.http import persisted
from bff.http.edge import Edge
from bff.http.persisted import Documents, PersistedDocuments, RedisStore
from bff.http.server import HttpServer
from bff.identity.tokens import Tokens
from bff.limits.allowance import Allowance
from bff.limits.shared_allowance import open_allowance
from bff.processes import figures
from bff.processes.figures import FiguresServer
from bff.processes.seat import Parent, Seat
from domain import rpc
from domain.database import Database
from domain.order import server as order_server
from domain.order.pricing import local_date
from domain.order.room import OrderRoom
from domain.outbox import Outbox
from domain.payment import server as payment_server
from domain.payment.ports import STATUS_CHANGED
from domain.travel import catalogue
from domain.travel import server as travel_server
from workers import actors, bootstrap, broker
from workers.changes import open_redis
from workers.clock import SystemClock
from workers.courier import Courier
from workers.embedded import EmbeddedWorker
from workers.metrics import Metrics, on_loop
from workers.queue_figures import QueueFigures
from workers.relay import Relay
from workers.sender import Sender
from workers.service_group import Service, ServiceGroup
from workers.settings import PREFIX, Settings, SettingsError
from workers.watch_server import WatchServer, responsive

# The guest of the token that a developer is given.
DEMO_USER: Final = 7
TOKEN_TTL: Final = timedelta(hours=24)


def demo_token(settings: Settings) -> str:
    """A token for the demo guest, good for a day."""
    return Tokens.of(settings).sign(DEMO_USER, TOKEN_TTL)


async def run_all(settings: Settings, greet: Callable[[HttpServer], None]) -> None:
    """The whole product in one process; what has no address is served from inside."""
    sender = Sender(actors.broker)
    async with (
        bootstrap.open_orders(settings, sender) as room,
        _open_documents(settings) as documents,
        open_allowance(settings.values_per_minute, broker.redis_url(settings)) as allowance,
        _open_ops(settings, room, works=True) as ops_routes,
    ):
        metrics = Metrics(room.database, room.clock, queues=QueueFigures(actors.broker))
        http = _http(settings, room, documents, allowance, ops_routes, metrics)
        services: list[Service] = [sender]
        if not settings.travel_addr:
            services.append(await _travel(settings, room.database))
        if not settings.payment_addr:
            services += _payment(settings, room.database)[1]
        services += [_order(settings, room), EmbeddedWorker(actors.broker), http]
        await ServiceGroup(services).run(lambda: greet(http))


async def run_bff(settings: Settings, greet: Callable[[HttpServer], None], seat: Seat | None = None) -> None:
    """The GraphQL edge alone, or one process of several that serve it."""
    sender = Sender(actors.broker)
    async with (
        bootstrap.open_orders(settings, sender) as room,
        _open_documents(settings) as documents,
        open_allowance(settings.values_per_minute, broker.redis_url(settings)) as allowance,
        _open_ops(settings, room, works=False, seat=seat) as ops_routes,
    ):
        of_all = None if seat is None else partial(figures.of_all, seat)
        metrics = Metrics(room.database, room.clock, queues=QueueFigures(actors.broker), of_all=of_all)
        http = _http(settings, room, documents, allowance, ops_routes, metrics, seat)
        family: list[Service] = [] if seat is None else [Parent(), FiguresServer(seat, metrics.own)]
        await ServiceGroup([sender, http, *family]).run(lambda: greet(http))


async def run_order_rpc(settings: Settings, greet: Callable[[rpc.Server], None]) -> None:
    """The order gRPC service alone."""
    sender = Sender(actors.broker)
    async with bootstrap.open_orders(settings, sender) as room:
        server = _order(settings, room)
        watch = _watched(settings, room.database)
        await ServiceGroup([sender, server, *watch]).run(lambda: greet(server))


async def run_travel_rpc(settings: Settings, greet: Callable[[rpc.Server], None]) -> None:
    """The reference travel service alone, its demo catalogue in place."""
    async with bootstrap.open_database(settings) as database:
        server = await _travel(settings, database)
        watch = _watched(settings, database, letters=False, orders=False)
        await ServiceGroup([server, *watch]).run(lambda: greet(server))


async def run_payment_rpc(settings: Settings, greet: Callable[[rpc.Server], None]) -> None:
    """The reference payment service alone."""
    async with bootstrap.open_database(settings) as database:
        server, services = _payment(settings, database)
        watch = _watched(settings, database, orders=False)
        await ServiceGroup([*services, *watch]).run(lambda: greet(server))


def _watched(settings: Settings, database: Database, *, letters: bool = True, orders: bool = True) -> list[Service]:
    """Health and figures of a program that answers no HTTP otherwise, where somebody watches it."""
    if not settings.watch_port:
        return []
    loop = asyncio.get_running_loop()
    server = WatchServer(
        host=settings.watch_host,
        port=settings.watch_port,
        metrics=Metrics(database, SystemClock(), letters=letters, orders=orders, loop=loop),
        live={"loop": responsive(loop)},
        ready={"database": lambda: on_loop(loop, database.ping())},
    )
    return [server]


def _http(  # noqa: PLR0917 -- all that is served
    settings: Settings,
    room: OrderRoom,
    documents: Documents,
    allowance: Allowance,
    ops_routes: Sequence[BaseRoute],
    metrics: Metrics,
    seat: Seat | None = None,
) -> HttpServer:
    token = (lambda: demo_token(settings)) if settings.gives_tokens else None
    page = (
        explorer.routes(
            endpoint="/graphql", tabs=lambda: tabs(local_date(SystemClock().now(), settings.zone)), token=token
        )
        if settings.shows_graphiql
        else []
    )
    edge = Edge(
        schema.build(introspection=settings.introspects),
        room.orders,
        room.following,
        Tokens.of(settings),
        allowance,
        documents,
        settings.origins,
        suggestions=settings.introspects,
    )
    app = create_app(
        edge=edge,
        database=room.database,
        metrics=metrics,
        explorer_routes=page,
        ops_routes=ops_routes,
        origins=settings.origins,
        production=settings.production,
    )
    return HttpServer(
        app,
        host=settings.host,
        port=settings.port if seat is None else seat.port,
        shared=seat is not None,
    )


@asynccontextmanager
async def _open_ops(
    settings: Settings, room: OrderRoom, *, works: bool, seat: Seat | None = None
) -> AsyncIterator[Sequence[BaseRoute]]:
    """The operators' page, where a token is set; with channels of its own, so that its questions disturb nobody's."""
    token = settings.ops_token.get_secret_value()
    if not token:
        yield ()
        return
    from bff import ops  # noqa: PLC0415 -- templates, for those who want them

    async with (
        bootstrap.open_channel(settings.travel) as travel,
        bootstrap.open_channel(settings.payment) as payment,
    ):
        yield ops.routes(
            ops.Sight(room.database, room.clock, actors.broker, {"travel": travel, "payment": payment}),
            ops.Door(token),
            secure=settings.production,
            grace=timedelta(seconds=settings.sweep_grace),
            works=works,
            here=None if seat is None else seat.name,
        )


@asynccontextmanager
async def _open_documents(settings: Settings) -> AsyncIterator[Documents]:
    """Who knows documents by their names: a manifest, or clients as they go; these share what they know by Redis."""
    url = broker.redis_url(settings)
    if settings.trusted_documents is not None:
        try:
            documents = persisted.read_manifest(settings.trusted_documents)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}TRUSTED_DOCUMENTS: {error}") from error
        yield documents
    elif not url:
        yield PersistedDocuments()
    else:
        async with open_redis(url) as redis:
            yield PersistedDocuments(RedisStore(redis))


def _order(settings: Settings, room: OrderRoom) -> rpc.Server:
    return order_server.server(
        room.orders,
        room.closing,
        room.stays,
        zone=settings.zone,
        host=settings.rpc_host,
        port=settings.order_rpc_port,
        ping=room.database.ping,
    )


async def _travel(settings: Settings, database: Database) -> rpc.Server:
    await catalogue.seed(database)
    return travel_server.server(database, host=settings.rpc_host, port=settings.travel_rpc_port)


def _payment(settings: Settings, database: Database) -> tuple[rpc.Server, list[Service]]:
    """The payment service, and all that has to run with it: it itself, and what takes its news to the broker."""
    clock = SystemClock()
    courier = Courier(actors.broker)
    relay = Relay(Outbox(database, clock), {STATUS_CHANGED: courier.payment_status_changed})
    server = payment_server.server(
        database, relay.wake, clock, zone=settings.zone, host=settings.rpc_host, port=settings.payment_rpc_port
    )
    return server, [courier, relay, server]
