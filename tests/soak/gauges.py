"""What is measured of each process, and whether it grows."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import httpx

# Of what was measured after the warm-up, the part at each end that is compared: single moments say little.
_END: Final = 5
# Growth that is none. Of memory, from the figures that we promise. Files and tasks come and go with guests, and a pool
# has ten connections, each opened when it is first wanted.
MEMORY: Final = 0.05
_FEW: Final = 16
_TASKS: Final = re.compile(r"^homestay_tasks (\S+)$", re.MULTILINE)
_PAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Reading:
    """A process and its children at one moment; bytes, and counts."""

    memory: int
    files: int
    threads: int


@dataclass(slots=True)
class Series:
    """What one process was found to be, from the warm-up on."""

    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    tasks: list[float] = field(default_factory=list)

    def add(self, reading: Reading, tasks: int | None) -> None:
        """Takes down what was found at one more moment."""
        self.memory.append(reading.memory)
        self.files.append(reading.files)
        self.threads.append(reading.threads)
        if tasks is not None:
            self.tasks.append(tasks)

    def grown(self) -> list[str]:
        """What has grown, in words; nothing is what we want."""
        begin, end = ends(self.memory)
        found = [f"memory by {end / begin - 1:.1%}"] if end > begin * (1 + MEMORY) else []
        for name, values in (("files", self.files), ("threads", self.threads), ("tasks", self.tasks)):
            begin, end = ends(values)
            if end > begin + _FEW:
                found.append(f"{name} from {begin:.0f} to {end:.0f}")
        return found


def ends(values: Sequence[float]) -> tuple[float, float]:
    """What values were in the middle at the beginning, and in the end."""
    if not values:
        return 0.0, 0.0
    part = max(1, len(values) // _END)
    return median(values[:part]), median(values[-part:])


def read(pid: int) -> Reading | None:
    """A process and its children, which have their group of it; None where it has ended."""
    memory = files = threads = 0
    for process in _group(pid):
        # It may end while we look.
        with suppress(OSError):
            memory += int((process / "statm").read_text().split()[1]) * _PAGE
            files += sum(1 for _ in (process / "fd").iterdir())
            threads += sum(1 for _ in (process / "task").iterdir())
    return Reading(memory, files, threads) if memory else None


def _group(leader: int) -> Iterator[Path]:
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        with suppress(OSError):
            # The name in parentheses may hold anything: after it come state, parent and group.
            if int((process / "stat").read_text().rpartition(")")[2].split()[2]) == leader:
                yield process


async def tasks(http: httpx.AsyncClient, port: int) -> int | None:
    """The tasks of a process's loop, as it tells them; None where it does not answer."""
    try:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
    except httpx.TransportError:
        return None
    found = _TASKS.search(answer.text)
    return int(float(found[1])) if found else None
