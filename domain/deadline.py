"""How much time there is left for what somebody waits for, known to all that is done for it.

Whoever takes a request on says once how long it may take; each call to another service then waits no longer than that,
however many calls came before it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Final

# On the monotonic clock, which is the loop's; tasks that are started on the way inherit it.
_ENDS: Final[ContextVar[float | None]] = ContextVar("deadline", default=None)


class budget:  # noqa: N801 -- it reads as a function
    """Gives what is done inside so many seconds, and never more than is left of an outer budget.

    Nothing is cancelled when they are over: `remaining` tells, and calls to other services are not made any more.
    """

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        ends, outer = monotonic() + self._seconds, _ENDS.get()
        self._token = _ENDS.set(ends if outer is None else min(ends, outer))

    def __exit__(self, *_: object) -> None:
        _ENDS.reset(self._token)


@contextmanager
def lifted() -> Iterator[None]:
    """Takes away whatever limit there is, for what is begun inside and outlives who waits for it."""
    token = _ENDS.set(None)
    try:
        yield
    finally:
        _ENDS.reset(token)


def remaining() -> float | None:
    """The seconds that are left, negative where they are over; None where nobody set a limit."""
    ends = _ENDS.get()
    return None if ends is None else ends - monotonic()


def within(limit: float) -> float:
    """The seconds that something may take by itself and by what is left."""
    left = remaining()
    return limit if left is None else min(limit, left)


def end_of(limit: float) -> float:
    """When something must be over that may take so many seconds by itself, on the loop's clock."""
    end, outer = monotonic() + limit, _ENDS.get()
    return end if outer is None else min(end, outer)


def set_end(end: float) -> None:
    """Gives what a task does until then, whatever is left to whoever began it: for one that works for several.

    Args:
        end: on the loop's clock.
    """
    _ENDS.set(end)
