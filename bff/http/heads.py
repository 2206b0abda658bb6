"""Heads of requests that came before: who asks again mostly sends the same bytes, which need not be parsed again.

What is the same byte for byte means the same. It is not asked who sent it: a head says all that is known of a request.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

# Heads that are remembered, and bytes that one may have: together 10 MB at most.
MAX_HEADS: Final = 4096
MAX_SIZE: Final = 2048


class Head(NamedTuple):
    """What the head of a usual request says, see `bff.http.straight.is_usual`.

    Attributes:
        headers: by their names in small letters.
        keep_alive: whether another request may follow.
        body_size: bytes of the body.
    """

    headers: Mapping[bytes, bytes]
    keep_alive: bool
    body_size: int


class Heads(dict[bytes, Head]):
    """Heads by their bytes, up to the empty line."""

    def add(self, data: bytes, head: Head) -> None:
        """Remembers one."""
        if len(data) > MAX_SIZE:
            return
        if len(self) >= MAX_HEADS:
            self.clear()
        self[data] = head
