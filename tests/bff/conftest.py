from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from starlette.applications import Starlette

from bff.app import create_app
from bff.http.server import HttpServer
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import Client
from tests.bff.edges import edge_of
from tests.bff.shell import Shell
from tests.bff.terminal import Terminal


@pytest.fixture
def app(room: OrderRoom, database: Database) -> Starlette:
    return create_app(edge=edge_of(room), database=database)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[Client]:
    made = Client(app)
    async with made.http:
        yield made


@pytest.fixture
async def served(app: Starlette) -> AsyncIterator[int]:
    """The port of the application on a real socket."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.stop()


@pytest.fixture
async def secretive(room: OrderRoom, database: Database) -> AsyncIterator[Client]:
    """A client of an edge that answers no question about its schema."""
    made = Client(create_app(edge=edge_of(room, introspection=False), database=database))
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


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The console script, with an environment of its own."""
    return Shell(tmp_path, monkeypatch, capsys)
