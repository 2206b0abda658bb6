"""One directory for all files of this run's servers; it goes when the run ends."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


def scratch_directory(name: str) -> Path:
    """Make a new directory whose name begins so."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_root()))


@cache
def _root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="homestay-tests-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root
