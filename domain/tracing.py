"""Spans: which step of what took how long, and what it led to later, in this process or another.

Off until a process installs a tracer; off, a span is one call, and nothing of OpenTelemetry is loaded. What spans tell
is for whoever runs the product: numbers of orders, never a guest's words, a token or a parameter of a statement.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Final, Protocol, Self

# The headers of W3C Trace Context. They say to another process, or to a later time, whose step something is.
Carrier = Mapping[str, str]
Attributes = Mapping[str, str | int]

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
# version, trace, span, flags: 55 characters
_PARTS: Final = 4


class Kind(Enum):
    """Which side of what a step is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A step under way."""

    def rename(self, name: str) -> None:
        """Gives it the name that was not known when it began."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Says more about it."""
        ...

    def fail(self, kind: str) -> None:
        """Says that it failed, and by what kind of error."""
        ...


class Tracer(Protocol):
    """Whoever keeps spans."""

    def span(
        self, name: str, kind: Kind, attributes: Attributes, *, parent: Carrier | None, links: Sequence[Carrier]
    ) -> AbstractContextManager[Span]:
        """Makes what happens within it a step: see `span`."""
        ...

    def carrier(self) -> dict[str, str]:
        """The present step, for others to go on from; empty outside all steps."""
        ...

    def finish(self) -> None:
        """Sends what is still to be sent, if that goes quickly."""
        ...


class _Nothing:
    """The span of whom nobody watches."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def note(self, attributes: Attributes) -> None:
        pass

    def fail(self, kind: str) -> None:
        pass


NOTHING: Final = _Nothing()
_NONE: Final[Attributes] = {}
_installed: list[Tracer] = []


def install(tracer: Tracer | None) -> None:
    """Has a tracer keep this process's spans from now on; None ends that."""
    _installed[:] = [] if tracer is None else [tracer]


def finish() -> None:
    """Sends what is still to be sent, if that goes quickly; no spans are kept any more."""
    for tracer in _installed:
        tracer.finish()
    install(None)


def is_on() -> bool:
    """Whether anybody keeps spans: to save the work of saying what nobody hears."""
    return bool(_installed)


def span(
    name: str,
    kind: Kind = Kind.INTERNAL,
    attributes: Attributes = _NONE,
    *,
    parent: Carrier | None = None,
    links: Sequence[Carrier] = (),
) -> AbstractContextManager[Span]:
    """Makes what happens within it a step. An error that leaves it is told by its kind, never by its words.

    Args:
        name: the same for all steps of a sort.
        kind: which side of what it is.
        attributes: what it is about.
        parent: whose part it is; None for the present step's. An empty one, or one that makes no sense, begins a trace
            of its own.
        links: steps of other traces that led to this one; those that make no sense are left out.
    """
    if not _installed:
        return NOTHING
    return _installed[0].span(name, kind, attributes, parent=parent, links=links)


def step(name: str, kind: Kind = Kind.INTERNAL, attributes: Attributes = _NONE) -> AbstractContextManager[Span]:
    """The same, within another step only: what is done every second to find nothing begins no trace."""
    return span(name, kind, attributes) if traceparent() else NOTHING


def carrier() -> dict[str, str]:
    """The present step, for a service that is asked now; empty outside all steps."""
    return _installed[0].carrier() if _installed else {}


def traceparent() -> str:
    """The present step, for what is kept until later; empty outside all steps.

    Of the two headers only this one is kept: it has 55 characters, the other one as many as the client likes.
    """
    return carrier().get(TRACEPARENT, "")


def kept(value: object) -> list[Carrier]:
    """The links that something has which was kept with `traceparent()`: one, or none."""
    return [{TRACEPARENT: value}] if isinstance(value, str) and value else []


def trace_id() -> str:
    """The present trace, in hex; empty outside all steps."""
    parts = traceparent().split("-")
    return parts[1] if len(parts) == _PARTS else ""
