"""How long `homestay run` takes to be ready: what a developer waits for. `python -m benchmarks.start`."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from bff.cli.progress import shown
from tests.system.installation import Installation

ROUNDS: Final = 5


def main() -> None:
    """Starts it a few times, the first time only to compile what was just installed."""
    with tempfile.TemporaryDirectory(prefix="homestay-start-") as directory, shown(steady=False) as tell:
        installation = Installation(Path(directory))
        tell("compiling", 0, ROUNDS)
        installation.start("run").terminate()
        took = []
        for turn in range(ROUNDS):
            tell("starting", turn, ROUNDS)
            began = time.perf_counter()
            process = installation.start("run")
            took.append(time.perf_counter() - began)
            process.terminate()
    print(f"ready after {statistics.median(took):.2f} s (median of {ROUNDS}, at most {max(took):.2f} s)")  # noqa: T201 -- it is a command


if __name__ == "__main__":
    main()
