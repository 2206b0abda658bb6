"""Whatever is sent is answered in the form of all answers, with no bug behind it, and the connection stays good."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bff.http.server import HttpServer
from tests.bff.bad_inputs import BadInput, corpus, known
from tests.bff.client import CODES, any_database

CORPUS: Final = corpus()
SANE: Final = b'{"query": "{ homestay(id: 1) { title } }"}'
ANSWER: Final = {"data": {"homestay": {"title": "Courtyard House"}}}
# A bug, or something that is down: nothing that is sent may lead to either.
OURS: Final = {"INTERNAL_SERVER_ERROR", "UPSTREAM_UNAVAILABLE"}


@pytest.fixture
async def port(app: Starlette) -> AsyncIterator[int]:
    """Where the product listens, as it is served."""
    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.start()
    yield server.port
    await server.stop()


def codes(response: httpx.Response) -> list[str]:
    """The codes of an answer's errors, once it is seen to be an answer."""
    request_id = response.headers["X-Request-Id"]
    assert request_id
    assert response.status_code < 500
    if response.request.method == "HEAD":
        return [str(response.status_code)]
    assert "Traceback" not in response.text
    answer = response.json()
    assert set(answer) <= {"data", "errors"}
    assert answer
    for error in answer.get("errors", ()):
        assert error["message"]
        assert error["extensions"]["requestId"] == request_id
    found = [error["extensions"]["code"] for error in answer.get("errors", ())]
    assert set(found) <= CODES - OURS
    payloads = [field for field in (answer.get("data") or {}).values() if isinstance(field, dict)]
    return found + [refusal.get("code", "refused") for payload in payloads for refusal in payload.get("userErrors", ())]


async def send(http: httpx.AsyncClient, bad: BadInput) -> httpx.Response:
    return await http.request(bad.method, bad.path, content=bad.body, headers=bad.headers)


def local_port(response: httpx.Response) -> int:
    """The client's end of a connection."""
    return int(response.extensions["network_stream"].get_extra_info("client_addr")[1])


def test_there_is_enough_of_it() -> None:
    made = [one.key for inputs in CORPUS.values() for one in inputs]
    assert len(set(made)) == len(made) >= 2500


@any_database
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", CORPUS)
async def test_bad_input_is_refused_in_the_form_of_all_answers(
    port: int, caplog: pytest.LogCaptureFixture, figures: list[str], kind: str
) -> None:
    inputs = CORPUS[kind]
    refused: Counter[str] = Counter()
    connections = set()
    began = time.process_time()
    with capture_logs() as logs:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", limits=httpx.Limits(max_connections=1), timeout=10
        ) as http:
            for number, bad in enumerate(inputs):
                response = await send(http, bad)
                try:
                    found = codes(response)
                except (AssertionError, ValueError, KeyError) as error:
                    error.add_note(f"{bad}\n{response} {response.text}")
                    raise
                refused.update(found or ["none"])
                connections.add(local_port(response))
                if number % 5 == 0 or number == len(inputs) - 1:
                    after = await http.post("/graphql", content=SANE, headers=known())
                    assert after.json() == ANSWER, bad
                    connections.add(local_port(after))
    assert len(connections) == 1
    assert [line for line in logs if line["log_level"] == "error" or "exc_info" in line] == []
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
    took = f"{len(inputs)} in {time.process_time() - began:.1f} s of CPU"
    figures.append(f"bad {kind}: {took}, {len(connections)} connection, answered {dict(refused)}")
    # Where a spoiled request is one that works after all, it answers.
    assert refused["none"] < len(inputs)


HALF: Final = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

NO_HTTP: Final = {
    "half a body": HALF,
    "half a head": HALF[:40],
    "a body in pieces that has no end": HALF.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")
    + b"\r\n5\r\nab",
    "a piece of no size": HALF.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"\r\nxyz\r\n",
    "a body of no length": HALF.replace(b"100", b"-1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(99),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "rubbish": bytes(range(256)),
    "a header that is none": HALF.replace(b"Host: x", b"Host x"),
}


@any_database
@pytest.mark.parametrize("how", NO_HTTP)
async def test_who_goes_away_in_the_middle_leaves_no_trace(
    port: int, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    with capture_logs() as logs:
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(NO_HTTP[how])
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write_eof()
            async with asyncio.timeout(30):
                told = await reader.read()
            assert told == b"" or told.startswith(b"HTTP/1.1 400 "), told
            writer.close()
            await writer.wait_closed()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert (await http.post("/graphql", content=SANE, headers=known())).json() == ANSWER
    assert logs == []
    assert [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR] == []
