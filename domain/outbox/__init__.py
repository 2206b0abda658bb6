"""The outbox: facts that somebody else must be told of, written in the transaction that makes them true.

A letter waits in the table until it is delivered, so a crash between the commit and the telling loses nothing. It may
be delivered more than once, and in any order: who receives it looks how things stand now.
"""

from domain.outbox.models import MOST_COUNTED, DeadLetter, Letter, LetterState, Overview, Waiting
from domain.outbox.repository import add
from domain.outbox.service import LEASE, Outbox

__all__ = ["LEASE", "MOST_COUNTED", "DeadLetter", "Letter", "LetterState", "Outbox", "Overview", "Waiting", "add"]
