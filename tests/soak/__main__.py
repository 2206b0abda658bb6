"""`python -m tests.soak --minutes 60`. It ends with a table, and with exit code 1 if something grew or broke."""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from pathlib import Path

from tests.servers import ProcessFailed, ServerMissing
from tests.soak.report import table
from tests.soak.run import Soaked, soak
from tests.soak.site import Whole


def main() -> int:
    """Runs what the command line asks for, and returns the exit code."""
    asked = _arguments()
    # A run that is told to stop still ends its programs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _say(f"seed {asked.seed}")
    try:
        found = _soaked(asked)
    except (ProcessFailed, ServerMissing, KeyboardInterrupt) as error:
        _say(str(error) or "interrupted")
        return 1
    sys.stdout.write(f"Seed {asked.seed}, {asked.minutes:g} min.\n\n{table(found)}")
    for name, grown in found.grown.items():
        _say(f"{name} grew: {'; '.join(grown)}")
    for finding in found.findings:
        _say(str(finding))
    return int(not found.well)


def _soaked(asked: argparse.Namespace) -> Soaked:
    with tempfile.TemporaryDirectory(prefix="homestay-soak-") as home, Whole(Path(home)) as site:
        site.start()
        return asyncio.run(soak(site, seconds=asked.minutes * 60, seed=asked.seed, pace=asked.pace, say=_say))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="for how long (60)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="repeats a run's choices")
    parser.add_argument("--pace", type=float, help="things a second; by itself, half of what the machine bears")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
