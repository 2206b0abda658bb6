"""Every operation in the documentation runs, in the order in which a reader meets them, and answers what is shown."""

import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from graphql import GraphQLEnumType, build_schema

from bff import errors_page
from bff.app import create_app
from bff.errors import EdgeCode
from bff.graph.sdl import print_sdl
from bff.http.server import HttpServer
from bff.identity.tokens import Tokens
from domain.database import Database
from domain.errors import ErrorCode
from domain.order.payment_client import PaymentClient
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.travel_client import TravelClient
from domain.payment import server as payment_server
from domain.travel import catalogue
from domain.travel import server as travel_server
from tests.bff.edges import edge_of
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakeTimer
from workers import bootstrap
from workers.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
KEY: Final = "a-key-for-the-documentation-and-nothing-else"
# Drawn anew each time, so only their kind can be compared.
DRAWN: Final = {"sn", "payBefore", "at", "endCursor", "requestId"}
_BLOCK: Final = re.compile(r"```(graphql|json)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Example:
    page: str
    operation: str
    answer: dict[str, Any]


def examples(page: Path) -> list[Example]:
    """The operations of a page, each with the answer that follows it."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [
        Example(page.name, operation, json.loads(answer))
        for (kind, operation), (_, answer) in itertools.pairwise(blocks)
        if kind == "graphql"
    ]


@pytest.fixture
async def client(database: Database, clock: FrozenClock) -> AsyncIterator[httpx.AsyncClient]:
    """The product over the reference services, as `homestay run` has them."""
    await catalogue.seed(database)
    travel = travel_server.server(database, host="127.0.0.1", port=0)
    payment = payment_server.server(database, lambda: None, clock, zone=SHANGHAI, host="127.0.0.1", port=0)
    await travel.start()
    await payment.start()
    async with (
        bootstrap.open_channel(travel.address) as to_travel,
        bootstrap.open_channel(payment.address) as to_payment,
    ):
        room = assemble(
            database,
            clock,
            Rules(zone=SHANGHAI, pay_window=PAY_WINDOW),
            travel=TravelClient(to_travel),
            payments=PaymentClient(to_payment),
            timer=FakeTimer(),
        )
        tokens = Tokens(KEY)
        app = create_app(edge=edge_of(room, tokens=tokens), database=database)
        server = HttpServer(app, host="127.0.0.1", port=0)
        await server.start()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}",
            headers={"Authorization": f"Bearer {tokens.sign(7, PAY_WINDOW)}"},
        ) as client:
            yield client
        await server.stop()
    await travel.stop(0)
    await payment.stop(0)


def alike(shown: Any, given: Any, name: str = "") -> Any:
    """The answer that was given, with what is drawn anew put as it is shown."""
    if isinstance(shown, dict) and isinstance(given, dict):
        return {key: alike(shown.get(key), value, key) for key, value in given.items()}
    if isinstance(shown, list) and isinstance(given, list) and len(shown) == len(given):
        return [alike(one, other, name) for one, other in zip(shown, given, strict=True)]
    return shown if name in DRAWN and type(shown) is type(given) else given


async def answer_to(client: httpx.AsyncClient, sent: dict[str, Any]) -> Any:
    """The answer to an operation; of a subscription, the first."""
    if not sent["query"].startswith("subscription"):
        return (await client.post("/graphql", json=sent)).json()
    accept = {"Accept": "text/event-stream"}
    async with client.stream("POST", "/graphql", json=sent, headers=accept) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                return json.loads(line.removeprefix("data: "))
    raise AssertionError("there was no answer")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_every_operation_answers_as_the_page_shows(client: httpx.AsyncClient, page: Path) -> None:
    placed = ""
    for example in examples(page):
        variables = {"sn": placed} if "$sn" in example.operation else None
        sent = {"query": example.operation, "variables": variables}
        answer = await answer_to(client, sent)
        assert alike(example.answer, answer) == example.answer, f"{example.page}: {example.operation}"
        created = (answer.get("data") or {}).get("createHomestayOrder") or {}
        placed = (created.get("order") or {}).get("sn", placed)


def test_there_are_operations_to_run() -> None:
    assert len([example for page in PAGES for example in examples(page)]) >= 9


def test_the_page_of_error_codes_explains_each_code() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    # `make docs` writes it.
    assert errors_page.filled(page) == page
    explained = Counter(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert explained == Counter(map(str, ErrorCode)) + Counter(map(str, EdgeCode))


def test_the_page_of_error_codes_has_those_of_the_schema_among_the_refusals() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    told = build_schema(print_sdl()).type_map["OrderErrorCode"]
    assert isinstance(told, GraphQLEnumType)
    refusals = page.partition("<!-- codes: refusals -->")[2].partition("<!-- end -->")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", refusals, re.MULTILINE)) == set(told.values)


def test_the_readme_explains_each_variable() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{PREFIX}{name.upper()}`" not in page] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, *(ROOT / "docs" / "decisions").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} -> {target}"
