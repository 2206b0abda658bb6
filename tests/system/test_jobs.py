"""The periodic jobs of running workers, seen in the table that they share."""

import sqlite3
import time
from pathlib import Path
from typing import Final

from tests.system.installation import Installation

JOBS: Final = {"payment.reconcile", "order.end_stays", "order.settle_months", "order.adopt", "purge"}


def done(file: Path) -> set[str]:
    """The jobs that were done and given back."""
    with sqlite3.connect(file) as database:
        found = database.execute("select name from homestay_job where holder = ''").fetchall()
    database.close()
    return {name for (name,) in found}


def test_a_worker_does_each_job_when_it_starts_and_stops_cleanly(tmp_path: Path) -> None:
    with Installation(tmp_path) as installation:
        running = installation.start("run")
        deadline = time.monotonic() + 20
        while done(tmp_path / "homestay.sqlite3") != JOBS:
            assert time.monotonic() < deadline, running.output()
            time.sleep(0.1)
        assert running.terminate(15) == 0, running.output()
        assert "job failed" not in running.output()
        assert "Traceback" not in running.output()
