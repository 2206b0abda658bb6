"""Figures for whoever watches an installation."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from structlog.testing import capture_logs

from bff.app import create_app
from domain import outbox
from domain.database import Database
from domain.engine import create_engine
from domain.order import backlog
from domain.order.room import OrderRoom
from domain.order.states import TradeState
from domain.outbox import Outbox
from tests.bff.client import Client, any_database
from tests.bff.edges import edge_of
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.order.rows import REFUNDS, add_order, add_rows, after, create_row
from tests.plans import plan
from tests.servers import free_port
from workers.metrics import Metrics

WELL: Final = {
    "homestay_database_up": 1,
    "homestay_outbox_waiting": 0,
    "homestay_dead_letters": 0,
    "homestay_refunds_due": 0,
    "homestay_orders_overdue": 0,
}


def client_over(room: OrderRoom, database: Database, clock: FrozenClock) -> Client:
    """A client of an edge whose figures are those of this database."""
    metrics = Metrics(database, clock)
    app = create_app(edge=edge_of(room), database=database, metrics=metrics)
    return Client(app)


@pytest.fixture
async def client(room: OrderRoom, database: Database, clock: FrozenClock) -> AsyncIterator[Client]:
    made = client_over(room, database, clock)
    async with made.http:
        yield made


async def scrape(client: Client) -> dict[str, float]:
    response = await client.http.get("/metrics", headers={"Accept": "text/plain; version=x"})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if not sample.labels
    }


async def scrape_of(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """What these figures answer, by name and labels."""
    request = Request({"type": "http", "method": "GET", "path": "/metrics", "headers": []})
    text = bytes((await metrics.answer(request)).body).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ours(figures: dict[str, float]) -> dict[str, float]:
    """What is counted in the database."""
    return {name: value for name, value in figures.items() if name in WELL}


async def test_while_all_is_well_nothing_waits(client: Client, database: Database) -> None:
    await add_order(database)
    assert ours(await scrape(client)) == WELL


async def test_what_waits_is_counted_when_somebody_asks(client: Client, database: Database, clock: FrozenClock) -> None:
    for due in (timedelta(), -timedelta(hours=1), timedelta(milliseconds=1)):
        await add_order(database, **after(due))
    await add_order(database, **after(timedelta()), trade_state=TradeState.CANCELLED)
    refunds = [
        {"payment_sn": f"PMT{number}", "order_sn": "HSO1", "total": 1, "requested_at": NOW, "refunded_at": refunded_at}
        for number, refunded_at in enumerate((None, None, None, NOW))
    ]
    letters = {f"PMT{number}": {"paymentSn": f"PMT{number}"} for number in range(6)}

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(REFUNDS.insert(), refunds)
        await outbox.add(connection, "order.refund", letters, clock.sql_now())

    await database.write(work)
    post = Outbox(database, clock)
    delivered, dead = await post.take(["order.refund"], 2)
    await post.delivered(delivered)
    await post.bury(dead, error="no")
    assert ours(await scrape(client)) == WELL | {
        "homestay_outbox_waiting": 4,
        "homestay_dead_letters": 1,
        "homestay_refunds_due": 3,
        "homestay_orders_overdue": 2,
    }
    await post.retry()
    assert ours(await scrape(client)) == WELL | {
        "homestay_outbox_waiting": 5,
        "homestay_refunds_due": 3,
        "homestay_orders_overdue": 2,
    }


@any_database
async def test_the_process_tells_of_itself(client: Client) -> None:
    figures = await scrape(client)
    assert figures["process_open_fds"] > 0
    assert figures["process_resident_memory_bytes"] > 2**20


@any_database
async def test_figures_are_only_read(client: Client) -> None:
    assert (await client.http.head("/metrics")).status_code == 200
    assert (await client.http.post("/metrics")).status_code == 405


@any_database
async def test_a_database_that_is_away_is_told_and_the_rest_still_is(room: OrderRoom, clock: FrozenClock) -> None:
    away = Database(create_engine(f"mysql+aiomysql://guest:secret@127.0.0.1:{free_port()}/homestay"))
    client = client_over(room, away, clock)
    async with client.http:
        with capture_logs() as logs:
            figures = await scrape(client)
    await away.close()
    assert ours(figures) == {"homestay_database_up": 0}
    assert "process_open_fds" in figures
    assert [each["log_level"] for each in logs] == ["warning"]
    assert "secret" not in str(logs)


@any_database
async def test_a_database_that_says_nothing_holds_no_scrape_up(room: OrderRoom, clock: FrozenClock) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = int(server.sockets[0].getsockname()[1])
        silent = Database(create_engine(f"mysql+aiomysql://guest:secret@127.0.0.1:{port}/homestay"))
        client = client_over(room, silent, clock)
        async with client.http, asyncio.timeout(4):
            assert ours(await scrape(client)) == {"homestay_database_up": 0}
        await silent.close()


@any_database
async def test_where_nobody_watches_there_is_no_such_page(room: OrderRoom, database: Database) -> None:
    app = create_app(edge=edge_of(room), database=database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        assert (await http.get("/metrics")).status_code == 404


async def test_the_overdue_are_counted_along_their_index(database: Database, clock: FrozenClock) -> None:
    states = [*TradeState, *[TradeState.USED] * 14]
    await add_rows(
        database,
        (create_row(trade_state=states[number % len(states)], close_at=NOW + PAY_WINDOW) for number in range(2_000)),
    )
    index, vain = await plan(database, backlog.overdue_statement(clock.sql_now()))
    assert (index, vain) == ({"ix_homestay_order_due"}, "")
