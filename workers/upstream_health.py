"""Whether another service answers, for people who look: asked now, beside the calls that guests wait for."""

import time
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

# Seconds; a service that takes longer is not well.
WITHIN: Final = 1.0
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True, slots=True)
class Health:
    """How a service is.

    Attributes:
        well: whether it answers, and does not say that it is unwell.
        said: what it says, or why it says nothing.
        seconds: that its answer took; None where none came.
    """

    well: bool
    said: str
    seconds: float | None = None


async def ask(channel: aio.Channel) -> Health:
    """Asks a service by gRPC's health protocol. One that does not know it answers all the same, and that is enough."""
    # Its types know nothing of its methods.
    stub: Any = health_pb2_grpc.HealthStub(channel)
    started = time.perf_counter()
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN)
    except aio.AioRpcError as error:
        if error.code() in {grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND}:
            return Health(well=True, said="answers, and tells nothing of its health", seconds=_since(started))
        return Health(well=False, said=error.code().name)
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return Health(well=answer.status == _SERVING, said=status, seconds=_since(started))


def _since(started: float) -> float:
    return time.perf_counter() - started
