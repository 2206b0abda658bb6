"""Another guest's order must answer exactly as one that is not there."""

from collections.abc import Sequence
from random import Random
from typing import Final

from tests.chaos import client
from tests.chaos.findings import FOREIGN, Finding
from tests.chaos.ledger import Attempt, Ledger
from tests.chaos.sites import Site

_SAMPLE: Final = 3
_MISSING: Final = "HSO20200101000000XXXXXXXX"
_STRANGER: Final = 999


async def spy(site: Site, ledger: Ledger, attempts: Sequence[Attempt], random: Random) -> list[Finding]:
    """Asks for a few orders with the token of a guest who has none."""
    found: list[Finding] = []
    token = site.token(_STRANGER)
    async with client.device() as http:
        for attempt in random.sample(attempts, min(_SAMPLE, len(attempts))):
            for query in (client.DETAIL, client.PAY, client.CANCEL):
                foreign, missing = [
                    await client.ask(http, site.graphql_url, query, {"sn": sn}, token=token, ledger=ledger)
                    for sn in (attempt.sn, _MISSING)
                ]
                if foreign != missing:
                    found.append(Finding(FOREIGN, attempt.sn, f"answers a stranger {foreign}, not {missing}"))
    return found
