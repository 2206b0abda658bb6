"""The operators' page in a browser: what people do there works, under its policy. Pictures of it are left in var/."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.http.server import HttpServer
from domain import rpc
from domain.database import Database
from domain.order.room import OrderRoom
from domain.outbox import Outbox
from tests.bff.chromium import CHROMIUM, Page, open_page
from tests.bff.client import any_database
from tests.bff.operators import TOKEN, app_of, bury, fill, message
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.order.rows import add_rows, create_row
from tests.servers import Redis
from workers import bootstrap
from workers.sorted_set_broker import SortedSetBroker, connect

PICTURES: Final = Path(__file__).parent.parent.parent / "var" / "pictures"
SN: Final = "HSO20260520120000XW0MNS9K"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"), any_database]


class Reporting:
    """Has the browser report what the policy refuses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.reports: list[str] = []

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
        await self.app(scope, receive, passed_on)


@pytest.fixture
async def shown(
    room: OrderRoom, database: Database, clock: FrozenClock, redis: Redis
) -> AsyncIterator[tuple[str, Reporting]]:
    """The address of the page of an installation with a little of everything, and what browsers report of it."""
    await fill(database, clock)
    times = [timedelta(seconds=37 * number % 1190) for number in range(1, 60)]
    await add_rows(database, (create_row(close_at=NOW + each) for each in times))
    client = connect(redis.url)
    broker = SortedSetBroker(client=client, middleware=[])
    bury(broker, message(SN))
    travel = rpc.Server("pb.travel", lambda _: None, host="127.0.0.1", port=0)
    await travel.start()
    async with bootstrap.open_channel(travel.address) as channel, bootstrap.open_channel("127.0.0.1:1") as gone:
        app = Reporting(app_of(room, broker=broker, upstreams={"travel": channel, "payment": gone}))
        server = HttpServer(app, host="127.0.0.1", port=0)
        await server.start()
        yield f"http://127.0.0.1:{server.port}/ops", app
        await server.stop()
    await travel.stop(0)
    client.close()
    redis.wipe()


async def test_an_operator_signs_in_looks_and_looks_after_what_is_dead(
    shown: tuple[str, Reporting], database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    address, app = shown
    PICTURES.mkdir(parents=True, exist_ok=True)
    post = Outbox(database, clock)
    async with open_page(tmp_path) as page:
        await page.go(address)
        assert await page.picture(PICTURES / "ops-sign-in.png", width=900, scheme="light") == 0
        await page.evaluate(f"document.querySelector('#token').value = '{TOKEN}'")
        await page.press("form button")
        await page.until("document.querySelector('.tiles') !== null")
        assert await page.evaluate("document.cookie") == ""
        await page.go(f"{address}?refresh=off")
        assert await page.evaluate("document.styleSheets.length") == 1
        assert SN in await page.evaluate("document.body.textContent")
        for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 420, "light")):
            assert await page.picture(PICTURES / f"ops-{name}.png", width=width, scheme=scheme) == 0
        first, second = [letter.id for letter in await post.dead()]
        await page.press(f"[aria-label='Retry letter {first}']")
        await page.until("document.querySelector('.notice')?.textContent.includes('tried again')")
        assert [letter.id for letter in await post.dead()] == [second]
        await _drop(page, f"letter {second}")
        assert await post.dead() == []
        await page.press("header button")
        await page.until("document.querySelector('.notice')?.textContent.includes('signed out')")
        await page.go(address)
        assert await page.evaluate("document.querySelector('#token') !== null")
    assert app.reports == []


async def _drop(page: Page, what: str) -> None:
    """Takes two clicks: before the first one, there is nothing to click on by mistake."""
    button = f"[aria-label='Drop {what} for good']"
    assert not await page.evaluate(f'document.querySelector("{button}").checkVisibility()')
    await page.press(f"[aria-label='Drop {what}']")
    await page.press(button)
    await page.until("document.querySelector('.notice')?.textContent.includes('dropped')")
