"""Directories for all files of this run's servers; they go when the run ends."""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

# Names the directory that the processes of a run in parallel share; they inherit it.
_SHARED: Final = "TESTS_SHARED_DIRECTORY"


def scratch_directory(name: str) -> Path:
    """Make a new directory whose name begins so."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_root()))


def shared_directory() -> Path:
    """Give the directory that is this process's and that of all that it starts from now on."""
    if _SHARED not in os.environ:
        # Whoever makes it removes it: those that it started have ended by then.
        os.environ[_SHARED] = str(_root())
    return Path(os.environ[_SHARED])


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Have a directory made by one of the processes that share it, while the others wait, and give it to all.

    Args:
        name: its own.
        make: makes it, at the path that it is given; one that failed is made anew for the next who asks.
    """
    made, under_way = (shared_directory() / each for each in (name, f"{name}.new"))
    with (shared_directory() / f"{name}.lock").open("w") as lock:
        # Let go when the file is closed, also by the end of its process.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(under_way, ignore_errors=True)
            make(under_way)
            under_way.rename(made)
    return made


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="homestay-tests-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root
