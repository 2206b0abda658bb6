"""A server that is told to stop while it is busy finishes what it holds, whoever else is stuck."""

import asyncio
import os
import random
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.servers import Process
from tests.system.installation import Installation

# `STOP_ROUNDS=20` for the long form.
ROUNDS: Final = int(os.environ.get("STOP_ROUNDS", "3"))
CLIENTS: Final = 12
EXIT_WITHIN: Final = 15.0
QUERY: Final = (
    "{ userHomestayOrderList { nodes { sn homestay { title } payment { status } } } homestay(id: 1) { title } }"
)


class Load:
    """Guests who ask again and again, and count how that ended."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self.ends: Counter[str] = Counter()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as guests:
            for _ in range(CLIENTS):
                guests.create_task(self._guest())

    async def _guest(self) -> None:
        async with httpx.AsyncClient(headers=self._headers, timeout=20) as http:
            while not self.stop.is_set():
                try:
                    answer = await http.post(self._url, json={"query": QUERY})
                except httpx.ConnectError:
                    # It takes no new connection; another one of them would. Nothing was sent.
                    self.ends["not connected"] += 1
                    return
                except httpx.HTTPError as error:
                    self.ends[f"broken off: {error!r}"] += 1
                    continue
                body: dict[str, Any] = answer.json()
                # Now and then a connection is idle when it is to be closed, with the next request on its way.
                await asyncio.sleep(random.uniform(0, 0.03))  # noqa: S311 -- no secret
                self.ends["answered" if "errors" not in body else f"{answer.status_code}: {body}"] += 1


def stuck(port: int) -> list[socket.socket]:
    """Clients that will never end what they began: no request, half a head, half a body, an answer that is not read."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
    head = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    for each, sent in zip(
        sockets, (b"", head[:20], head + b"{", b"GET /graphiql HTTP/1.1\r\nHost: x\r\n\r\n"), strict=True
    ):
        each.sendall(sent)
    return sockets


async def stop_under_load(
    installation: Installation, program: Process, token: str, *, others_stuck: bool
) -> tuple[Counter[str], float]:
    load = Load(f"http://127.0.0.1:{installation.port}/graphql", token)
    running = asyncio.create_task(load.run())
    while load.ends["answered"] < 3 * CLIENTS:  # noqa: ASYNC110 -- it counts, and sets no event
        await asyncio.sleep(0.01)
    sockets = stuck(installation.port) if others_stuck else []
    started = time.monotonic()
    code = await asyncio.to_thread(program.terminate, EXIT_WITHIN + 5)
    took = time.monotonic() - started
    load.stop.set()
    await running
    for each in sockets:
        each.close()
    assert code == 0, program.output()
    assert "Traceback" not in program.output()
    return load.ends, took


@pytest.mark.timeout(60 + 45 * ROUNDS)
async def test_no_request_under_way_fails_and_the_end_comes_in_time(tmp_path: Path, figures: list[str]) -> None:
    slowest, answered = 0.0, 0
    with Installation(tmp_path, HOMESTAY_CREATES_PER_MINUTE="0") as installation:
        token = installation.token()
        for number in range(ROUNDS):
            program = installation.start("run")
            if number == 0:
                installation.place(token)
            # A server waits for those who are stuck as long as it may, so not every round has them.
            ends, took = await stop_under_load(installation, program, token, others_stuck=number % 5 == 0)
            assert set(ends) <= {"answered", "not connected"}, ends
            slowest, answered = max(slowest, took), answered + ends["answered"]
    figures.append(
        f"SIGTERM under load, {ROUNDS} rounds: {answered} answered, 0 broken off, ended within {slowest:.1f} s"
    )
    assert slowest < EXIT_WITHIN
