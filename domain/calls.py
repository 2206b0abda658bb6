"""What a gRPC call leaves for those who watch, on either side."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Final

from prometheus_client import Histogram

from domain import tracing
from domain.figures import UPSTREAM
from domain.tracing import Kind, Span

# Asked every few seconds by those who only want to know that somebody answers.
_HEALTH: Final = "/grpc.health."


class Method:
    """A method of another service, as those who watch know it.

    Args:
        name: as the wire has it, e.g. `/pb.travel/homestayDetail`.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._series: dict[str, Histogram] = {}

    def count(self, outcome: str, seconds: float = 0.0) -> None:
        """Counts a call that was made, or one that had no turn.

        Args:
            outcome: what came of it.
            seconds: that it took.
        """
        series = self._series.get(outcome)
        if series is None:
            series = self._series[outcome] = UPSTREAM.labels(*_parts(self._name), outcome)
        series.observe(seconds)

    def asking(self) -> AbstractContextManager[Span]:
        """Around a call, which is a step of whoever makes it."""
        return _span(self._name, Kind.CLIENT, None)


@cache
def method_of(wire_name: bytes) -> Method:
    """The method of this name: there are as many as services have."""
    return Method(wire_name.decode())


def named(method: object) -> Method:
    """A stub's method; gRPC gives its name no public place."""
    while not isinstance(method, bytes):
        method = getattr(method, "_method", b"")
    return method_of(method)


def answering(method: str, context: Any) -> AbstractContextManager[Span]:  # noqa: ANN401 -- gRPC's own
    """Around the answer to a call: a step of whoever calls, where they say so.

    Args:
        method: as the wire has it.
        context: gRPC's.
    """
    if not tracing.is_on() or method.startswith(_HEALTH):
        return tracing.NOTHING
    sent = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    return _span(method, Kind.SERVER, sent)


def _span(method: str, kind: Kind, parent: tracing.Carrier | None) -> AbstractContextManager[Span]:
    if not tracing.is_on():
        return tracing.NOTHING
    service, name = _parts(method)
    about = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    return tracing.span(f"{service}/{name}", kind, about, parent=parent)


def _parts(method: str) -> tuple[str, str]:
    service, _, name = method.removeprefix("/").partition("/")
    return service, name
