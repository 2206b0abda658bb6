"""Free ports of 127.0.0.1."""

import os
import secrets
import socket
from contextlib import closing
from typing import Final

# Below the ports that Linux and macOS give to outgoing connections. From among those, a client that keeps trying to
# reach a stopped server would now and then be given the server's own port, connect to itself, and bar its restart.
_ALL: Final = range(20_000, 32_000)
# Each process of a run in parallel (pytest-xdist calls them gw0, gw1, …) has ports of its own.
_PARTS: Final = 16
_PART: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
_PORTS: Final = _ALL[_PART::_PARTS]

_given: set[int] = set()


def free_port() -> int:
    """Give a port that nobody listens on, and none twice in one run: a stopped server keeps its own."""
    while len(_given) < len(_PORTS):
        # At random, so that two runs on one machine seldom want the same.
        port = secrets.choice(_PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError("this run has used up its ports")


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
