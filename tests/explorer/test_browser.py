import html
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.asgi import GraphQL

from bff.explorer import BUILD, Tab, routes

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

needs_build = pytest.mark.skipif(not (BUILD / "index.html").exists(), reason="the page is not built (make explorer)")

TABS = (Tab("Greet somebody", "query Greet { hello }"), Tab("Part", "query Part { bye }", {"unused": True}))


@strawberry.type
class Query:
    hello: str = "hello"
    bye: str = "bye"


class Server:
    """The page on a port of its own, its policy asking the browser to report what it refuses."""

    def __init__(self, build: Path) -> None:
        self.reports: list[str] = []
        self.asked: list[str] = []
        self.replace = ("", "")  # a part of the policy, and what stands there in its place
        app = Starlette(
            routes=[
                *routes(endpoint="/graphql", tabs=lambda: TABS, token=lambda: "a.dev.token", build=build),
                Route("/graphql", GraphQL(strawberry.Schema(Query))),
                Route("/report", self.report, methods=["POST"]),
            ]
        )
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.uvicorn = uvicorn.Server(uvicorn.Config(self.watched(app), log_level="warning", lifespan="off", ws="none"))
        self.thread = threading.Thread(target=self.uvicorn.run, args=([self.socket],))

    async def report(self, request: Request) -> Response:
        self.reports.append((await request.body()).decode())
        return Response(status_code=204)

    def watched(self, app: ASGIApp) -> ASGIApp:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            async def passed_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = MutableHeaders(scope=message)
                    if policy := headers.get("Content-Security-Policy"):
                        headers["Content-Security-Policy"] = f"{policy.replace(*self.replace)}; report-uri /report"
                await send(message)

            self.asked.append(f"{scope['method']} {scope['path']}")
            await app(scope, receive, passed_on)

        return application

    def look(self, profile: Path) -> str:
        """Load the page and return its document as it has become."""
        assert CHROMIUM
        seen = subprocess.run(  # noqa: S603 the browser of this machine, at an address of ours
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={profile}",
                "--virtual-time-budget=20000",
                "--dump-dom",
                f"http://127.0.0.1:{self.socket.getsockname()[1]}/graphiql",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=90,
        )
        return html.unescape(seen.stdout).replace("\N{NO-BREAK SPACE}", " ")

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.uvicorn.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.uvicorn.should_exit = True
        self.thread.join()
        self.socket.close()


def words(page: str) -> str:
    return re.sub(r"<[^>]*>", "", page)


@pytest.fixture
def built() -> Iterator[Server]:
    with Server(BUILD) as server:
        yield server


@needs_build
def test_graphiql_starts_within_its_policy(built: Server, tmp_path: Path) -> None:
    page = built.look(tmp_path)
    assert built.reports == []
    assert 'class="graphiql-container"' in page
    assert 'aria-label="Show Documentation Explorer"' in page
    assert 'aria-label="Show GraphiQL Explorer"' in page
    assert 'id="graphiql-session-tab-1"' in page
    text = words(page)
    assert "query Greet { hello }" in text
    assert '"Authorization": "Bearer a.dev.token"' in text
    assert "POST /graphql" in built.asked
    assert any(re.match(r"GET /graphiql/assets/graphql\.worker-.*\.js", each) for each in built.asked)


@needs_build
@pytest.mark.parametrize(
    "replace", [("style-src-attr 'unsafe-inline'", "style-src-attr 'none'"), ("'nonce-", "'nonce-not-")]
)
def test_graphiql_needs_what_its_policy_grants(built: Server, tmp_path: Path, replace: tuple[str, str]) -> None:
    built.replace = replace
    built.look(tmp_path)
    assert any('"style-src' in each for each in built.reports)


def test_the_plain_page_starts_within_its_policy(tmp_path: Path) -> None:
    with Server(tmp_path / "nothing") as server:
        page = server.look(tmp_path / "profile")
    assert server.reports == []
    text = words(page)
    assert "make explorer" in text
    assert page.count("aria-pressed=") == 2
    assert "Greet somebody" in text
    assert "The examples could not be loaded" not in text
