"""The short form of the chaos run on `homestay run`; apart, so that it waits while the other one waits."""

from collections.abc import Sequence
from random import Random

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.faults import Blow, kill
from tests.chaos.short import LONG, SEED, broken, rounds
from tests.chaos.sites import Embedded


def kill_the_only_program(random: Random) -> Sequence[Blow]:
    return [kill("run", pause=random.uniform(0, 1))]


@LONG
async def test_everything_in_one_process_on_sqlite_keeps_every_promise_when_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Embedded(tmp_path_factory.mktemp("embedded")).start() as site:
        campaign = Campaign(site, seed=SEED, report=print)
        assert broken(await rounds(campaign, kill_the_only_program) + await campaign.settle()) == []
