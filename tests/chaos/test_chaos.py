"""The short form of the chaos run: few rounds, each of the kinds of kill in every one of them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.faults import Blow, kill
from tests.chaos.findings import LEFT_OPEN, TRACEBACK
from tests.chaos.short import LONG, ROUNDS, SEED, broken, rounds
from tests.chaos.sites import BOUND, How, Separate
from tests.servers import require


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Separate]:
    with require(Separate(tmp_path_factory.mktemp("separate")).start) as site:
        yield site


@pytest.fixture(scope="module")
def campaign(separate: Separate) -> Campaign:
    return Campaign(separate, seed=SEED, report=print)


def kill_the_database(random: Random) -> Sequence[Blow]:
    return [kill("mariadb", pause=random.uniform(0, 1.5))]


def kill_every_program(random: Random) -> Sequence[Blow]:
    """The API, a worker, the payment service, and Redis twice: once it keeps its data, and once it loses them."""
    worker = (random.choice(("worker-1", "worker-2")), How.KILL)
    redis = [("redis", How.KILL), ("redis", How.WIPE)]
    random.shuffle(redis)
    blows = [
        kill("bff", pause=random.uniform(0, 0.5)),
        Blow((worker, redis[0]), pause=random.uniform(0, 0.5)),
        Blow((("payment-rpc", How.KILL), redis[1]), pause=random.uniform(0, 0.5)),
    ]
    random.shuffle(blows)
    return blows


def wipe_redis_again_and_again(_: Random) -> Sequence[Blow]:
    # More often than an order's time is long: no message lives until its order is due.
    return [Blow((("redis", How.WIPE),))] * 6


@LONG
async def test_no_order_is_lost_when_the_database_is_killed(campaign: Campaign) -> None:
    before = len(campaign.totals.recoveries)
    assert broken(await rounds(campaign, kill_the_database)) == []
    recoveries = campaign.totals.recoveries[before:]
    assert len(recoveries) == ROUNDS
    assert max(recoveries) < timedelta(seconds=1)


@LONG
async def test_every_promise_is_kept_when_any_program_is_killed(campaign: Campaign) -> None:
    assert broken(await rounds(campaign, kill_every_program) + await campaign.settle()) == []
    assert campaign.totals.verdict.refunds_made > 0


@LONG
async def test_without_the_sweep_a_wiped_redis_leaves_orders_open(separate: Separate, campaign: Campaign) -> None:
    # The control: the same judge must see the promise broken when what keeps it is taken away.
    with sweepless_worker(separate):
        found = await campaign.round(wipe_redis_again_and_again, bound=timedelta(seconds=2))
    left_open = [finding for finding in found if finding.kind == LEFT_OPEN]
    assert left_open, found
    # And it heals, by what a worker does when it starts.
    async with asyncio.timeout(BOUND.total_seconds()):
        while await asyncio.to_thread(separate.reader.open_orders):  # noqa: ASYNC110 -- the tables tell nobody
            await asyncio.sleep(0.2)


@LONG
async def test_a_killed_database_leaves_no_trace_in_the_logs(campaign: Campaign) -> None:
    found = await campaign.round(kill_the_database)
    assert [str(finding) for finding in found if finding.kind == TRACEBACK] == []


@contextmanager
def sweepless_worker(site: Separate) -> Iterator[None]:
    """One worker that only runs messages, in the place of the two that sweep."""
    workers = ("worker-1", "worker-2")
    for name in workers:
        site.take_down(name, How.STOP)
    worker = site.installation.start("worker", HOMESTAY_SWEEP_INTERVAL="3600")
    try:
        yield
    finally:
        worker.kill()
        for name in workers:
            site.bring_back(name)
