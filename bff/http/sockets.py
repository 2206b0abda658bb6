"""How many WebSockets there are of whom. A connection is a place that a guest holds, or nobody in particular."""

from collections import Counter
from typing import Final

from bff.context import RequestContext

# Sockets of one guest in one process: as many as the orders that one may follow, were each followed by its own.
MOST_OF_A_GUEST: Final = 20
# Sockets of those who said no name, in one process, and the seconds after which each is ended. They may ask for the
# schema and nothing else, which is done by then.
MOST_OF_NOBODY: Final = 50
NOBODY_FOR: Final = 60.0


class Crowded(Exception):
    """There are as many sockets of this one as there may be; the message says so to the client."""


class Sockets:
    """Counts them, from when it is known whose they are."""

    def __init__(self) -> None:
        # By the identity of its context, which is a socket's own, whose each is; None for nobody in particular.
        self._whose: dict[int, int | None] = {}
        self._many: Counter[int | None] = Counter()

    def enter(self, context: RequestContext) -> None:
        """Counts the socket of this context.

        Raises:
            Crowded: it is one too many.
        """
        whose = None if context.caller is None else context.caller.user_id
        most = MOST_OF_NOBODY if whose is None else MOST_OF_A_GUEST
        if self._many[whose] >= most:
            who = "without a token" if whose is None else "of one guest"
            raise Crowded(f"At most {most} WebSockets {who} may be open at once.")
        self._many[whose] += 1
        self._whose[id(context)] = whose

    def leave(self, context: RequestContext) -> None:
        """Forgets it, if it was counted."""
        if id(context) not in self._whose:
            return
        whose = self._whose.pop(id(context))
        self._many[whose] -= 1
        if not self._many[whose]:
            del self._many[whose]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._whose)
