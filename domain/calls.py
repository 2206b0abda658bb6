"""What a gRPC call leaves for those who watch, on either side."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from grpc import aio

from domain import tracing
from domain.errors import UpstreamUnavailable
from domain.figures import UPSTREAM
from domain.tracing import Kind, Span

# Asked every few seconds by those who only want to know that somebody answers.
_HEALTH: Final = "/grpc.health."


def name_of(method: object) -> str:
    """A stub's method as the wire has it, e.g. `/pb.travel/homestayDetail`; gRPC gives it no public name."""
    while not isinstance(method, bytes):
        method = getattr(method, "_method", b"")
    return method.decode()


@contextmanager
def asking(method: str) -> Iterator[None]:
    """Around a call of another service.

    Args:
        method: as the wire has it.
    """
    outcome = "given_up"
    with UPSTREAM.time() as timer:
        try:
            with _span(method, Kind.CLIENT, None):
                yield
            outcome = "ok"
        except aio.AioRpcError as error:
            outcome = error.code().name.lower()
            raise
        finally:
            timer.labels(*_parts(method), outcome)


@contextmanager
def entering(method: str) -> Iterator[None]:
    """Around the wait for a turn to ask: one that does not come is counted, too.

    Args:
        method: as the wire has it.
    """
    try:
        yield
    except UpstreamUnavailable:
        UPSTREAM.labels(*_parts(method), "not_asked").observe(0)
        raise


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
