from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from starlette.applications import Starlette

from bff.app import create_app
from domain.database import Database
from domain.order.service import Orders
from tests.bff.client import TOKENS, Client
from tests.bff.terminal import Terminal


@pytest.fixture
def app(orders: Orders, database: Database) -> Starlette:
    return create_app(orders=orders, database=database, tokens=TOKENS, introspection=True)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    made = Client(app)
    async with made.http:
        yield made


@pytest.fixture
async def secretive(orders: Orders, database: Database) -> AsyncIterator[Client]:
    """A client of an edge that answers no question about its schema."""
    made = Client(create_app(orders=orders, database=database, tokens=TOKENS, introspection=False))
    async with made.http:
        yield made


@pytest.fixture
def statements(database: Database) -> list[str]:
    """The SQL that ran since the test began."""
    ran: list[str] = []

    def remember(_: Connection, __: object, statement: str, *___: object) -> None:
        ran.append(statement)

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", remember)
    return ran


@pytest.fixture
def terminal(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The command line of an installation on each kind of database."""
    return Terminal(database_url, monkeypatch)
