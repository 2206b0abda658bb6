"""The operators' page in a browser: it shows under its policy, and a picture of it is left in var/ to be looked at."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.http_server import HttpServer
from bff.ops import COOKIE, Door
from domain import rpc
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import any_database
from tests.bff.operators import TOKEN, app_of, fill
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.order.rows import add_rows, create_row
from tests.servers import Redis
from tests.bff.test_ops_messages import bury, message
from workers import bootstrap
from workers.sorted_set_broker import SortedSetBroker, connect

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PICTURES: Final = Path(__file__).parent.parent.parent / "var" / "pictures"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"), any_database]


class SignedIn:
    """Lends every request a session, and has the browser report what the policy refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cookie = f"{COOKIE}={Door(TOKEN).open_session()}".encode()
        self.reports: list[str] = []
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def passed_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = f"{headers['Content-Security-Policy']}; report-uri /report"
            await send(message)

        if scope["path"] == "/report":
            self.reports.append((await Request(scope, receive).body()).decode())
            await Response(status_code=204)(scope, receive, send)
            return
        self.asked.append(scope["path"])
        scope["headers"] = [*scope["headers"], (b"cookie", self.cookie)]
        await self.app(scope, receive, passed_on)


async def browse(profile: Path, address: str, *how: str) -> str:
    """Has Chromium show a page; what it says."""
    assert CHROMIUM
    chromium = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
        *how,
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    said, _ = await asyncio.wait_for(chromium.communicate(), 90)
    assert chromium.returncode == 0
    return said.decode()


async def test_the_page_shows_under_its_policy(
    room: OrderRoom, database: Database, clock: FrozenClock, redis: Redis, tmp_path: Path
) -> None:
    await fill(database, clock)
    await add_rows(
        database, (create_row(close_at=NOW + timedelta(seconds=37 * number % 1190)) for number in range(1, 60))
    )
    client = connect(redis.url)
    broker = SortedSetBroker(client=client, middleware=[])
    bury(broker, message("HSO20260520120000XW0MNS9K"))
    travel = rpc.Server("pb.travel", lambda _: None, host="127.0.0.1", port=0)
    await travel.start()
    async with bootstrap.open_channel(travel.address) as channel, bootstrap.open_channel("127.0.0.1:1") as gone:
        app = SignedIn(app_of(room, broker=broker, upstreams={"travel": channel, "payment": gone}))
        server = HttpServer(app, host="127.0.0.1", port=0)
        await server.start()
        address = f"http://127.0.0.1:{server.port}/ops?refresh=off"
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name, scheme in (("light", 1), ("dark", 0)):
            picture = PICTURES / f"ops-{name}.png"
            picture.unlink(missing_ok=True)
            await browse(
                tmp_path / name,
                address,
                "--window-size=1280,2000",
                f"--blink-settings=preferredColorScheme={scheme}",
                f"--screenshot={picture}",
            )
            assert picture.stat().st_size > 20_000
        shown = await browse(tmp_path / "dom", address, "--dump-dom")
        await server.stop()
    await travel.stop(0)
    client.close()
    redis.wipe()
    assert app.reports == []
    assert "/ops/ops.css" in app.asked
    assert "HSO20260520120000XW0MNS9K" in shown
