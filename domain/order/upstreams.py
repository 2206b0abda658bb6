"""What the clients of other services have in common: their patience, and no use for an answer that makes no sense."""

from typing import Final

from google.protobuf.message import Message

from domain.errors import UpstreamNonsense

# Seconds. A read that takes longer is worth less than an answer without it; a guest who pays waits a little longer.
READ_DEADLINE: Final = 1.0
WRITE_DEADLINE: Final = 2.0


def nonsense(upstream: str, answer: Message) -> UpstreamNonsense:
    """The error to raise where a service answers what can't be: as good as no answer."""
    return UpstreamNonsense(upstream, f"its {answer.DESCRIPTOR.name} makes no sense")
