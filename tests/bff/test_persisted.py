"""Documents that are named instead of sent."""

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as RedisClient
from structlog.testing import capture_logs

from bff.app import create_app
from bff.http import persisted
from bff.http.persisted import PersistedDocuments, RedisStore, TrustedDocuments, read_manifest
from bff.http.request_body import Refused, Said
from domain.database import Database
from domain.order.room import OrderRoom
from tests.bff.client import Client, any_database
from tests.bff.edges import edge_of
from tests.bff.streams import socket_to, token
from tests.servers import Redis, free_port
from workers.changes import open_redis

LIST = "{ userHomestayOrderList { totalCount } }"
COUNT = {"data": {"userHomestayOrderList": {"totalCount": 0}}}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def named(text: str, version: Any = 1, **more: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": version, "sha256Hash": digest(text)}}, **more}


def said(text: str | None, name: str) -> Said:
    return Said(text, None, None, None, {"persistedQuery": {"version": 1, "sha256Hash": name}})


@any_database
async def test_a_document_is_asked_for_once_and_then_known(client: Client) -> None:
    unknown = await client.post(named(LIST))
    assert unknown.status_code == 200
    (error,) = unknown.json()["errors"]
    assert error["message"] == "PersistedQueryNotFound"
    assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert (await client.post(named(LIST, query=LIST))).json() == COUNT
    assert (await client.post(named(LIST))).json() == COUNT
    # By GET, as caches like it.
    parameters = {"extensions": json.dumps(named(LIST)["extensions"])}
    headers = {"Authorization": token(), "Apollo-Require-Preflight": "1"}
    assert (await client.http.get("/graphql", params=parameters, headers=headers)).json() == COUNT


@any_database
@pytest.mark.parametrize(
    "body",
    [
        named("{ another }", query=LIST),
        named(LIST, version=2, query=LIST),
        named(LIST, version="1"),
        {"query": LIST, "extensions": {"persistedQuery": "x"}},
        {"query": LIST, "extensions": {"persistedQuery": {"version": 1}}},
        {"query": LIST, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "x"}}},
        {},
    ],
)
async def test_what_is_no_name_is_refused(client: Client, body: dict[str, Any]) -> None:
    response = await client.post(body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@any_database
@pytest.mark.parametrize("document", ["{", "{ colour }", "{ " + "a: __typename " * 16 + "}"])
async def test_only_what_is_valid_is_kept(client: Client, document: str) -> None:
    await client.post(named(document, query=document))
    assert (await client.post(named(document))).json()["errors"][0]["message"] == "PersistedQueryNotFound"


@any_database
async def test_only_for_guests_who_are_known(client: Client) -> None:
    await client.post(named(LIST, query=LIST), user=None)
    assert (await client.post(named(LIST))).json()["errors"][0]["message"] == "PersistedQueryNotFound"


@any_database
async def test_over_a_socket_too(served: int) -> None:
    async with socket_to(served) as socket:
        await socket.init(token())
        await socket.send(type="subscribe", id="1", payload=named(LIST))
        assert (await socket.error())["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        await socket.send(type="subscribe", id="1", payload=named(LIST, query=LIST))
        assert await socket.data() == {"totalCount": 0}
        assert (await socket.receive())["type"] == "complete"
        await socket.send(type="subscribe", id="1", payload=named(LIST))
        assert await socket.data() == {"totalCount": 0}


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persisted, "MAX_DOCUMENTS", 10)
    monkeypatch.setattr(persisted, "MAX_BYTES", 100)
    documents = PersistedDocuments()
    for number in range(20):
        await documents.passed(said(f"{{ f{number} }}", digest(f"{{ f{number} }}")))
    assert len(documents) == 10
    # The one that was used last stays.
    assert await documents.text(said(None, digest("{ f10 }"))) == "{ f10 }"
    await documents.passed(said("{ new }", digest("{ new }")))
    assert await documents.text(said(None, digest("{ f10 }"))) == "{ f10 }"
    with pytest.raises(Refused):
        await documents.text(said(None, digest("{ f11 }")))
    await documents.passed(said("x" * 95, digest("x" * 95)))
    assert len(documents) == 1


async def test_processes_share_what_they_know_by_redis(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persisted, "MAX_DOCUMENTS", 3)
    async with open_redis(redis.url) as client:
        one, other = PersistedDocuments(RedisStore(client)), PersistedDocuments(RedisStore(client))
        await one.passed(said(LIST, digest(LIST)))
        assert await other.text(said(None, digest(LIST))) == LIST
        assert 0 < await client.ttl(RedisStore.KEY) <= RedisStore.TTL
        for number in range(20):
            await one.passed(said(f"{{ f{number} }}", digest(f"{{ f{number} }}")))
        assert await client.hlen(RedisStore.KEY) <= 3
        await client.delete(RedisStore.KEY)


async def test_without_redis_each_knows_its_own() -> None:
    gone = RedisStore(RedisClient(port=free_port(), socket_connect_timeout=0.5))
    documents = PersistedDocuments(gone)
    await documents.passed(said(LIST, digest(LIST)))
    assert await documents.text(said(None, digest(LIST))) == LIST
    with pytest.raises(Refused):
        await documents.text(said(None, digest("{ other }")))


async def test_a_redis_that_hangs_costs_one_request_a_moment_and_then_nothing_for_a_while(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisted, "PAUSE", 1.0)
    async with open_redis(redis.url) as client:
        one, other = PersistedDocuments(RedisStore(client)), PersistedDocuments(RedisStore(client))
        await other.passed(said(LIST, digest(LIST)))
        with capture_logs() as logs:
            redis.pause()
            try:
                started = time.monotonic()
                for number in range(20):
                    with pytest.raises(Refused):
                        await one.text(said(None, digest(f"{{ f{number} }}")))
                    await one.passed(said(f"{{ g{number} }}", digest(f"{{ g{number} }}")))
                assert time.monotonic() - started < 0.5
            finally:
                redis.resume()
            assert [each["log_level"] for each in logs] == ["warning"]
            # Nobody asks before the pause is over.
            with pytest.raises(Refused):
                await one.text(said(None, digest(LIST)))
            await asyncio.sleep(1.5)
            assert await one.text(said(None, digest(LIST))) == LIST
            assert [each["log_level"] for each in logs] == ["warning", "info"]
        await client.delete(RedisStore.KEY)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    file = tmp_path / "manifest.json"
    operation = {"id": digest(LIST), "name": "List", "type": "query", "body": LIST}
    file.write_text(
        json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}),
        encoding="utf-8",
    )
    return file


@any_database
async def test_a_manifest_says_what_is_run_and_nothing_else_is(
    room: OrderRoom, database: Database, manifest: Path
) -> None:
    client = Client(create_app(edge=edge_of(room, documents=read_manifest(manifest)), database=database))
    async with client.http:
        for body in (
            named(LIST),
            {"query": LIST},
            {"documentId": digest(LIST)},
            {"documentId": f"sha256:{digest(LIST)}"},
        ):
            assert (await client.post(body)).json() == COUNT
        for body in ({"query": "{ __schema { queryType { name } } }"}, {"query": LIST + " "}):
            response = await client.post(body)
            assert response.status_code == 403
            assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        for body in (named("{ other }"), {"documentId": "other"}):
            error = (await client.post(body)).json()["errors"][0]
            assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        # Nothing is learnt.
        assert (await client.post(named("{ other }", query="{ other }"))).status_code == 200
        assert (await client.post({})).status_code == 400


def test_a_manifest_may_be_a_plain_object(tmp_path: Path) -> None:
    file = tmp_path / "persisted.json"
    file.write_text(json.dumps({"a": "{ x }", "b": "{ y }"}), encoding="utf-8")
    assert len(read_manifest(file)) == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "can't be read"),
        ("{", "is not JSON"),
        ("[]", "is no manifest"),
        ('{"a": 5}', "is no manifest"),
        ('{"format": "apollo-persisted-query-manifest"}', "needs an `id` and a `body`"),
        ('{"format": "apollo-persisted-query-manifest", "operations": [{"id": "x"}]}', "needs an `id` and a `body`"),
    ],
)
def test_what_is_no_manifest_is_said(tmp_path: Path, text: str | None, complaint: str) -> None:
    file = tmp_path / "manifest.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        read_manifest(file)


def test_trusted_documents_are_counted() -> None:
    assert len(TrustedDocuments({"a": "{ x }"})) == 1
