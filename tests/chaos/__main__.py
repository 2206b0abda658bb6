"""The long run: `python -m tests.chaos --rounds 100`. It ends with a table, and with exit code 1 if a promise broke."""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos import faults, report
from tests.chaos.campaign import Campaign
from tests.chaos.findings import Finding
from tests.chaos.sites import Embedded, Separate, Site
from tests.servers import ProcessFailed, ServerMissing

_SITES: Final[dict[str, list[type[Site]]]] = {
    "mariadb": [Separate],
    "sqlite": [Embedded],
    "both": [Separate, Embedded],
}
# Findings of a round that are shown with their evidence, and how wide.
_SHOWN: Final = 3
_WIDTH: Final = 400


def main() -> int:
    """Runs what the command line asks for, and returns the exit code."""
    asked = _arguments()
    # A run that is told to stop still ends its programs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _say(f"seed {asked.seed}")
    columns: list[tuple[str, Campaign]] = []
    broken = False
    for site in _SITES[asked.database]:
        try:
            broken |= asyncio.run(_campaign(site, asked, columns))
        except (ProcessFailed, ServerMissing, KeyboardInterrupt) as error:
            _say(f"{site.name}: {error or 'interrupted'}")
            broken = True
            break
    if columns:
        _publish(columns, asked)
    return int(broken)


async def _campaign(kind: type[Site], asked: argparse.Namespace, columns: list[tuple[str, Campaign]]) -> bool:
    with tempfile.TemporaryDirectory(prefix="homestay-chaos-") as home, kind(Path(home)) as site:
        site.start()
        campaign = Campaign(site, seed=asked.seed, report=lambda line: _say(f"{site.name}: {line}"))
        columns.append((site.name, campaign))
        for _ in range(asked.rounds):
            _show(campaign, await campaign.round(lambda random: faults.draw(site, random)))
        _show(campaign, await campaign.settle())
    return bool(campaign.totals.findings)


def _show(campaign: Campaign, found: Sequence[Finding]) -> None:
    for finding in found[:_SHOWN]:
        _say(f"  {str(finding)[:_WIDTH]}")
        for line in campaign.evidence(finding):
            _say(f"    {line[:_WIDTH]}")
    if len(found) > _SHOWN:
        _say(f"  and {len(found) - _SHOWN} more")


def _publish(columns: Sequence[tuple[str, Campaign]], asked: argparse.Namespace) -> None:
    text = f"Seed {asked.seed}, {datetime.now(UTC):%Y-%m-%d}.\n\n{report.table(columns)}"
    sys.stdout.write(text)
    if asked.write is not None:
        report.write(asked.write, text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="rounds on each database (100)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="repeats a run's choices")
    parser.add_argument("--database", choices=_SITES, default="both", help="which installations are attacked (both)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="keep the table in this page, e.g. docs/chaos.md")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
