"""One command, several processes: what each guest and each operator sees of them."""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import MariaDB, Process, Redis
from tests.system.installation import Installation
from tests.system.test_stop_under_load import CLIENTS, EXIT_WITHIN, QUERY, ROUNDS, stop_under_load

OPS_TOKEN: Final = "the-token-of-an-operator"
# Connections among which each process surely has some.
MANY: Final = 24
_ESTABLISHED: Final = "01"


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB, redis: Redis) -> Iterator[Installation]:
    """Everything but the edge."""
    environment = {
        "HOMESTAY_DATABASE_URL": mariadb.create_database("several"),
        "HOMESTAY_BROKER_URL": redis.url,
        "HOMESTAY_PROCESSES": "2",
        "HOMESTAY_OPS_TOKEN": OPS_TOKEN,
        "HOMESTAY_CREATES_PER_MINUTE": "0",
    }
    with Installation(tmp_path_factory.mktemp("several"), **environment) as surroundings:
        assert surroundings.command("migrate").returncode == 0
        surroundings.start("travel-rpc")
        surroundings.start("payment-rpc")
        yield surroundings
    redis.wipe()


@pytest.fixture
def installation(surroundings: Installation) -> Iterator[Installation]:
    others = len(surroundings.running)
    yield surroundings
    for edge in surroundings.running[others:]:
        edge.kill()
    del surroundings.running[others:]


def children(parent: Process) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()]


def connections(pid: int, port: int) -> int:
    """Connections of clients that a process has taken."""
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    inodes = {line[9] for line in lines if line[1].endswith(f":{port:04X}") and line[3] == _ESTABLISHED}
    held = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)]", str(descriptor.readlink()))
        except OSError:
            continue
        held += found is not None and found[1] in inodes
    return held


def figures(installation: Installation, name: str) -> Counter[str]:
    """The sum of one figure, by process."""
    text = httpx.get(f"http://127.0.0.1:{installation.port}/metrics", timeout=10).text
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                found[sample.labels.get("process", "")] += int(sample.value)
    return found


async def ask_by_many(installation: Installation, token: str, *, times: int) -> None:
    """Sends one request on each of many connections, that stay open until each has answered."""
    async with asyncio.TaskGroup() as group:
        for _ in range(MANY):
            group.create_task(ask(installation, token, times))


async def ask(installation: Installation, token: str, times: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=20) as http:
        for _ in range(times):
            answer = await http.post(f"http://127.0.0.1:{installation.port}/graphql", json={"query": QUERY})
            assert answer.json()["data"], answer.text


async def test_both_serve_and_whichever_is_asked_tells_of_both(installation: Installation) -> None:
    program = installation.start("bff")
    assert "by 2 processes" in program.output()
    token = installation.token()
    await ask_by_many(installation, token, times=4)

    answered = figures(installation, "homestay_http_responses_total")
    assert set(answered) == {"1", "2"}
    assert min(answered.values()) > 0
    # The same from everybody: nothing is counted twice, and nothing is missing.
    assert [sum(figures(installation, "homestay_http_responses_total").values()) for _ in range(8)] == [4 * MANY] * 8
    assert figures(installation, "homestay_process_up") == {"1": 1, "2": 1}
    # What the tables hold is no process's.
    assert set(figures(installation, "homestay_database_up")) == {""}
    assert set(figures(installation, "homestay_orders_overdue")) == {""}
    assert set(figures(installation, "homestay_database_connections_limit")) == {"1", "2"}


def test_the_operators_page_says_whose_figures_it_shows(installation: Installation) -> None:
    installation.start("bff")
    with httpx.Client(base_url=f"http://127.0.0.1:{installation.port}", timeout=10) as http:
        http.post("/ops/session", data={"token": OPS_TOKEN})
        # On a connection each, as browsers that come back after a while: a session is good at any process.
        pages = [httpx.get(f"{http.base_url}/ops", cookies=http.cookies, timeout=10) for _ in range(MANY)]
    assert {page.status_code for page in pages} == {200}
    assert all(re.search(r"connections in use by process [12] of 2", page.text) for page in pages)


class Guests:
    """Guests who ask again and again, each on one connection, and count how often it broke."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self.answered = 0
        self.broken: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._guest(number))

    async def _guest(self, number: int) -> None:
        async with httpx.AsyncClient(headers=self._headers, timeout=20) as http:
            while not self.stop.is_set():
                try:
                    answer = await http.post(self._url, json={"query": QUERY})
                except httpx.HTTPError:
                    self.broken[number] += 1
                    continue
                if "errors" in answer.json():
                    self.wrong.append(answer.text)
                self.answered += 1


async def test_one_that_is_killed_comes_back_and_takes_no_request_of_the_other_along(
    installation: Installation,
) -> None:
    program = installation.start("bff")
    guests = Guests(f"http://127.0.0.1:{installation.port}/graphql", installation.token())
    running = asyncio.create_task(guests.run())
    while guests.answered < 5 * CLIENTS:  # noqa: ASYNC110 -- it counts, and sets no event
        await asyncio.sleep(0.01)
    before = children(program)
    victim = max(before, key=lambda pid: connections(pid, installation.port))
    held = connections(victim, installation.port)
    os.kill(victim, signal.SIGKILL)
    async with asyncio.timeout(30):
        while len(now := children(program)) < 2 or victim in now or not both_tell(installation):  # noqa: ASYNC110 -- it asks
            await asyncio.sleep(0.1)
    guests.stop.set()
    await running

    assert not guests.wrong
    assert max(guests.broken.values(), default=0) <= 1
    assert sum(guests.broken.values()) <= held < 2 * CLIENTS
    assert len(set(now) & set(before)) == 1
    assert "process ended" in program.output()


def both_tell(installation: Installation) -> bool:
    return figures(installation, "homestay_process_up") == {"1": 1, "2": 1}


@pytest.mark.timeout(60 + 45 * ROUNDS)
async def test_no_request_under_way_fails_when_all_are_told_to_stop(installation: Installation) -> None:
    token = installation.token()
    for number in range(ROUNDS):
        program = installation.start("bff")
        ends, took = await stop_under_load(installation, program, token, others_stuck=number == 0)
        assert set(ends) <= {"answered", "not connected"}, ends
        assert took < EXIT_WITHIN


async def test_who_follows_an_order_hears_of_it_in_every_process(installation: Installation) -> None:
    program = installation.start("bff")
    token = installation.token()
    sn = installation.place(token)["sn"]
    async with asyncio.TaskGroup() as group:
        told = [group.create_task(follow(installation, sn, token)) for _ in range(MANY)]
        async with asyncio.timeout(20):
            while (held := [connections(pid, installation.port) for pid in children(program)]) and sum(held) < MANY:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert min(held) > 0, held
        # Until each has had its first answer.
        await asyncio.sleep(1)
        cancel = f'mutation {{ cancelHomestayOrder(sn: "{sn}") {{ order {{ tradeState }} }} }}'
        changed = time.monotonic()
        await asyncio.to_thread(installation.ask, cancel, token=token)
    assert [task.result()[0] for task in told] == [["WAIT_PAY", "CANCELLED"]] * MANY
    # By the news of it, and not by a look at the tables now and then.
    assert max(task.result()[1] for task in told) - changed < 3


async def follow(installation: Installation, sn: str, token: str) -> tuple[list[str], float]:
    """The states that somebody who follows an order is told, and when the last of them came."""
    subscription = f'subscription {{ homestayOrderChanged(sn: "{sn}") {{ tradeState }} }}'
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    url, states = f"http://127.0.0.1:{installation.port}/graphql", []
    async with (
        httpx.AsyncClient(headers=headers, timeout=30) as http,
        http.stream("POST", url, json={"query": subscription}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                states.append(json.loads(line.removeprefix("data: "))["data"]["homestayOrderChanged"]["tradeState"])
                last = time.monotonic()
    return states, last


def test_they_end_with_their_parent(installation: Installation) -> None:
    program = installation.start("bff")
    pids = children(program)
    os.kill(program.pid, signal.SIGKILL)
    deadline = time.monotonic() + EXIT_WITHIN
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_ends_where_none_can_be_started_and_says_why_once(
    installation: Installation, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"mysql+aiomysql://nobody:none@127.0.0.1:{mariadb.port}/none"
    monkeypatch.setitem(installation.environment, "HOMESTAY_DATABASE_URL", nowhere)
    ended = installation.command("bff")
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert sum("the database can't be used" in line for line in lines) == 1
    assert "process 1 of 2 ended with exit code 2 before it served" in lines[-1]
