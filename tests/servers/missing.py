"""What becomes of a test whose server this machine lacks."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

# Servers are installed where an ordinary user's PATH does not look.
_SERVER_DIRECTORIES: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/libexec")


class ServerMissing(Exception):
    """A program that a server needs is not installed. The message says in one line what to install."""


def find_program(*names: str, package: str) -> Path:
    """Give the first of the named programs that is installed; Debian's package serves as advice."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SERVER_DIRECTORIES])
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise ServerMissing(f"{' or '.join(names)} is not installed: install {package}, or run `make servers` as root")


def require(start: Callable[[], T], *, optional: bool = False) -> T:
    """Start a server, or else skip the test; with CI=true, fail it, unless few installations have such a server."""
    try:
        return start()
    except ServerMissing as missing:
        reason = str(missing)
    if os.environ.get("CI") == "true" and not optional:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
