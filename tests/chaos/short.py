"""What the short forms of the chaos run have in common."""

from collections.abc import Sequence
from typing import Final

import pytest

from tests.chaos.campaign import Campaign, Choice
from tests.chaos.findings import TRACEBACK, Finding

ROUNDS: Final = 5
# A failure is repeated by the same choices; the long run draws others each time.
SEED: Final = 20261125
# Rounds wait for orders to fall due, and programs to start, on a machine that may do other things.
LONG: Final = pytest.mark.timeout(400)


def broken(found: Sequence[Finding]) -> list[str]:
    """What is broken, but for the traces, which have a test of their own."""
    return [str(finding) for finding in found if finding.kind != TRACEBACK]


async def rounds(campaign: Campaign, choose: Choice) -> list[Finding]:
    return [finding for _ in range(ROUNDS) for finding in await campaign.round(choose)]
