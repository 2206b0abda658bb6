"""Messages that failed for good, and what an operator does about them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest

from bff.cli import dead_messages
from tests.servers import Redis, free_port
from tests.system.installation import Installation
from workers.dead_messages import DeadMessages
from workers.sorted_set_broker import SortedSetBroker, connect

QUEUE = "order.closing"


@pytest.fixture
def installation(tmp_path: Path, redis: Redis) -> Iterator[Installation]:
    with Installation(tmp_path, HOMESTAY_BROKER_URL=redis.url) as installation:
        yield installation
    redis.wipe()


def bury(url: str, sn: str) -> None:
    """A message that somebody took and could not run."""
    broker = SortedSetBroker(client=connect(url), middleware=[])
    message: dramatiq.Message[None] = dramatiq.Message(
        queue_name=QUEUE, actor_name="order.close_unpaid", args=(sn,), kwargs={}, options={}
    )
    broker.enqueue(message)
    taken = next(broker.consume(QUEUE, timeout=1000))
    assert taken is not None
    taken.stuff_exception(RuntimeError("the test says so"))
    broker.consume(QUEUE).nack(taken)
    broker.client.close()


def ask(installation: Installation, *words: str) -> "subprocess.CompletedProcess[str]":
    """What the command says; again, where a busy machine let no answer of Redis come in time."""
    for _ in range(3):
        said = installation.command("dead-letters", "messages", *words)
        if "the broker can't be used" not in said.stderr:
            break
    return said


def test_they_are_listed_sent_again_and_dropped(installation: Installation, redis: Redis) -> None:
    for sn in ("HSO1", "HSO2", "HSO3"):
        bury(redis.url, sn)
    shown = ask(installation, "list")
    assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "3 dead messages")
    assert "the test says so" in shown.stdout
    listed = json.loads(ask(installation, "list", "--json").stdout)
    ids = {each["arguments"][0]: each["id"] for each in listed}

    again = ask(installation, "retry", ids["HSO1"], "nobody")
    assert (again.returncode, again.stdout) == (1, "1 dead message sent again\n")
    assert "nobody" in again.stderr
    assert ask(installation, "drop", ids["HSO2"]).returncode == 0
    assert ask(installation, "drop", "--all").stdout == "1 dead message dropped\n"
    assert ask(installation, "list").stdout == "no dead messages\n"
    assert ask(installation, "drop").returncode == 2


def test_all_are_more_than_are_listed_at_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        bury(redis.url, f"HSO{number}")
    dead = DeadMessages(SortedSetBroker(client=connect(redis.url), middleware=[]))
    monkeypatch.setattr(dead_messages, "MOST", 2)
    dead_messages._each(None, dead, dead.revive, "sent again", as_json=False)
    assert capsys.readouterr().out == "5 dead messages sent again\n"
    assert dead.of(QUEUE) == []
    redis.wipe()


def test_a_broker_that_keeps_none_or_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    for url in ("", f"redis://127.0.0.1:{free_port()}/0"):
        with Installation(tmp_path, HOMESTAY_BROKER_URL=url) as installation:
            refused = installation.command("dead-letters", "messages", "list")
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1
