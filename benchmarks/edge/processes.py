"""What programs use of the machine, as Linux counts it."""

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.servers import Process

# The contenders have a core of their own; everything that serves or drives them has the other.
CONTENDERS_CORE: Final = 0
OTHERS_CORE: Final = 1


def cpu_seconds(processes: Iterable[Process]) -> float:
    """What programs and all their children have used so far."""
    groups = {process.pid for process in processes}
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) in groups:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def stay_off_the_contenders_core() -> None:
    """Moves this program, and all that it starts from now on, to the other core.

    Raises:
        SystemExit: there is none.
    """
    if not {CONTENDERS_CORE, OTHERS_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("two cores are needed: one for the contender, one for all that it asks")
    os.sched_setaffinity(0, {OTHERS_CORE})


def machine() -> str:
    """This machine, for whoever reads the figures."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal: *(\d+) kB", Path("/proc/meminfo").read_text())
    gigabytes = int(memory[1]) / 1e6 if memory else 0
    processor = model[1].strip() if model else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {gigabytes:.0f} GB, {platform.system()} {platform.release()}"


def allow_everywhere(pid: int) -> None:
    """Lets a program that was kept to one core, and what it starts from now on, use all."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {CONTENDERS_CORE, OTHERS_CORE})


def load_average() -> str:
    """How busy the machine was with everything in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"
