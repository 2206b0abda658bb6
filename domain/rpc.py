"""gRPC both ways: refusals become statuses that carry their stable code, and every call has a deadline."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, Final, TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from domain import calls, tracing
from domain.errors import ErrorCode, Failure, HomestayError, Refusal, UpstreamUnavailable
from domain.guard import SLOW, Guard
from domain.renewable import RenewableChannel

log = structlog.get_logger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")
# Asks what a service can't work without, and raises where that can't be used.
Ping: TypeAlias = Callable[[], Awaitable[None]]

# A homestay's texts are a few KiB; what is larger is a mistake or an attack.
_MAX_MESSAGE: Final = 1024 * 1024
_LIMITS: Final = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
]
_CHANNEL_OPTIONS: Final = [
    *_LIMITS,
    # Channels to one address would share a connection, also one that is to be left.
    ("grpc.use_local_subchannel_pool", 1),
    # The defaults wait 1 s, then ever longer; a service that came back is to be used again within a second. An attempt
    # may take as long as the pause that would follow it, and pauses vary by a fifth.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 600),
]
_RETRIES: Final = {
    "maxAttempts": 3,
    "initialBackoff": "0.05s",
    "maxBackoff": "0.5s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# A service that fails most calls is not asked three times as much: after ten failures nothing is tried again, and it
# takes ten successes to make up for one of them.
_THROTTLING: Final = {"retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1}}
_SERVER_OPTIONS: Final = [
    *_LIMITS,
    # Two services on one port would share its calls in silence; the second is to be told instead.
    ("grpc.so_reuseport", 0),
]
_STATUS: Final = {
    ErrorCode.INVALID_INPUT: code_pb2.INVALID_ARGUMENT,
    ErrorCode.TOO_MANY_GUESTS: code_pb2.INVALID_ARGUMENT,
    ErrorCode.STAY_TOO_LONG: code_pb2.INVALID_ARGUMENT,
    ErrorCode.HOMESTAY_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorCode.ORDER_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorCode.PAYMENT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorCode.DATES_UNAVAILABLE: code_pb2.FAILED_PRECONDITION,
    ErrorCode.PRICE_CHANGED: code_pb2.FAILED_PRECONDITION,
    ErrorCode.IDEMPOTENCY_KEY_REUSED: code_pb2.INVALID_ARGUMENT,
    ErrorCode.IDEMPOTENCY_IN_PROGRESS: code_pb2.ABORTED,
    ErrorCode.RATE_LIMITED: code_pb2.RESOURCE_EXHAUSTED,
    ErrorCode.HOMESTAY_OFF_SHELF: code_pb2.FAILED_PRECONDITION,
    ErrorCode.REFUND_UNSUPPORTED: code_pb2.FAILED_PRECONDITION,
    ErrorCode.ANNOUNCEMENT_REFUSED: code_pb2.FAILED_PRECONDITION,
    ErrorCode.INVALID_TRANSITION: code_pb2.FAILED_PRECONDITION,
    ErrorCode.UPSTREAM_UNAVAILABLE: code_pb2.UNAVAILABLE,
}
# Seconds between looks at what a service can't work without, and until such a look has failed.
PING_EVERY: Final = 1.0
PING_DEADLINE: Final = 2.0
# Who says a reason, as google.rpc.ErrorInfo wants it.
ERROR_DOMAIN: Final = "homestay"


class Unimplemented(UpstreamUnavailable):
    """The peer is the existing service, or an older one of ours, and lacks this method."""


class Refused(UpstreamUnavailable):
    """The service did not take the question as it was put, or its answer is longer than we take.

    Of several things that are asked for at once, one may be to blame.
    """


async def ask(
    guard: Guard,
    method: "aio.UnaryUnaryMultiCallable[Request, Response]",
    request: Request,
    *,
    deadline: float,
) -> Response | None:
    """Asks another service.

    Args:
        guard: stands before the service.
        method: the stub's method.
        request: its request.
        deadline: seconds until the call is given up, where the request's own budget does not end before; gRPC itself
            has no limit.

    Returns:
        Its answer, or None where it says NOT_FOUND.

    Raises:
        UpstreamUnavailable: it could not be asked in time, or refused.
        Unimplemented: it does not know the method.
        Refused: it does not take this request, or its answer is too long.
    """
    asked = calls.named(method)
    try:
        left = await guard.enter(deadline)
    except UpstreamUnavailable:
        asked.count("not_asked")
        raise
    slow: bool | None = None
    outcome, begun = "given_up", perf_counter()
    try:
        with asked.asking():
            answer: Response | None = await method(request, timeout=left, metadata=[*tracing.carrier().items()])
        slow, outcome = False, "ok"
    except aio.AioRpcError as error:
        slow, outcome = _is_slow(error, left), error.code().name.lower()
        match error.code():
            case grpc.StatusCode.NOT_FOUND:
                return None
            case grpc.StatusCode.UNIMPLEMENTED:
                raise Unimplemented(guard.upstream, f"it lacks a method: {error.details()}") from error
            case grpc.StatusCode.INVALID_ARGUMENT | grpc.StatusCode.RESOURCE_EXHAUSTED as code:
                raise Refused(guard.upstream, f"{code.name}: {error.details()}") from error
            case code:
                raise UpstreamUnavailable(guard.upstream, f"{code.name}: {error.details()}") from error
    finally:
        asked.count(outcome, perf_counter() - begun)
        guard.leave(slow=slow)
    if answer is None:
        # gRPC's way of saying that the bytes were no such message.
        raise UpstreamUnavailable(guard.upstream, "its answer can't be read")
    return answer


def _is_slow(error: aio.AioRpcError, given: float) -> bool | None:
    if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
        return False
    # Who had no time to wait can't tell a slow service from a quick one.
    return True if given >= SLOW else None


def channel(address: str, *, reads: Sequence[str] = ()) -> RenewableChannel:
    """Returns a channel to a service. Must be called inside the loop that uses it.

    Args:
        address: host:port.
        reads: methods that change nothing, each `package.service/method`: those that the service was not there for are
            tried again within the call's deadline.
    """
    options = [*_CHANNEL_OPTIONS, ("grpc.service_config", _service_config(reads))]
    return RenewableChannel(lambda: aio.insecure_channel(address, options=options))


def guard(upstream: str, channel: aio.Channel) -> Guard:
    """Returns what stands before a service; one that does not answer is tried again on a new connection.

    Args:
        upstream: the service's name, for people.
        channel: the channel to it.
    """
    return Guard(upstream, renew=channel.renew if isinstance(channel, RenewableChannel) else None)


def _service_config(reads: Sequence[str]) -> str:
    names = [dict(zip(("service", "method"), read.split("/"), strict=True)) for read in reads]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": _RETRIES}], **_THROTTLING} if names else {})


class Server:
    """One gRPC service on one port, with health and reflection.

    Args:
        service: its full name, e.g. `pb.travel`.
        register: adds its methods to a server.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        ping: asks what the service can't work without, e.g. its database, and raises where that can't be used: callers
            that look at our health then go to another of us. None where there is nothing of the kind.
    """

    def __init__(
        self,
        service: str,
        register: Callable[[aio.Server], None],
        *,
        host: str,
        port: int,
        ping: Ping | None = None,
    ) -> None:
        self.name = service
        self._ping = ping
        self._watching: asyncio.Task[None] | None = None
        self._register = register
        self._host = host
        self._wanted = port
        self.port = 0

    @property
    def address(self) -> str:
        """Where it listens, host:port."""
        return f"{self._host}:{self.port}"

    async def start(self) -> None:
        """Binds the port and answers calls from now on.

        Raises:
            OSError: the port is taken.
        """
        self._server = aio.server(interceptors=[_Refusals()], options=_SERVER_OPTIONS)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._register(self._server)
        names = (
            self.name,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        )
        reflection.enable_server_reflection(names, self._server)
        try:
            self.port = self._server.add_insecure_port(f"{self._host}:{self._wanted}")
        except RuntimeError as error:
            raise OSError(f"{self.name} can't listen on {self._host}:{self._wanted}") from error
        await self._tell(well=await self._is_well())
        await self._server.start()
        if self._ping is not None:
            self._watching = asyncio.create_task(self._watch(), name=f"{self.name} health")

    async def stop(self, grace: float = 10) -> None:
        """Takes no new call and gives those under way `grace` seconds."""
        if self._watching is not None:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            await self._tell(well=await self._is_well())

    async def _is_well(self) -> bool:
        if self._ping is None:
            return True
        try:
            async with asyncio.timeout(PING_DEADLINE):
                await self._ping()
        except (Failure, TimeoutError):
            return False
        except Exception:
            log.exception("health can't be told", service=self.name)
            return False
        return True

    async def _tell(self, *, well: bool) -> None:
        status = health_pb2.HealthCheckResponse
        for name in ("", self.name):
            await self._health.set(name, status.SERVING if well else status.NOT_SERVING)


class _Refusals(aio.ServerInterceptor):
    """Turns what a use case raises into a status: refusals by their code, anything else masked and logged."""

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Request, Response] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Request, Response] | None":
        handler = await continuation(handler_call_details)
        inner = None if handler is None else handler.unary_unary
        if handler is None or inner is None:
            return handler

        async def answer(request: Any, context: Any) -> Any:  # noqa: ANN401 -- whatever the method takes and gives
            try:
                with calls.answering(handler_call_details.method, context):
                    return await cast("Any", inner)(request, context)
            except HomestayError as error:
                if isinstance(error, Failure):
                    log.warning("can't be answered now", method=handler_call_details.method, reason=error.reason)
                await _abort(context, _STATUS[error.code], error.message, error.code, _about(error))
            except aio.AbortError:
                raise
            except Exception:
                log.exception("rpc failed", method=handler_call_details.method)
                await _abort(context, code_pb2.INTERNAL, "internal error", "INTERNAL", {})

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def _about(error: HomestayError) -> dict[str, str]:
    return {"field": ".".join(error.field)} if isinstance(error, Refusal) and error.field else {}


async def _abort(context: Any, code: int, message: str, reason: str, about: dict[str, str]) -> None:  # noqa: ANN401
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=about))
    status = rpc_status.to_status(status_pb2.Status(code=code, message=message, details=[info]))
    await context.abort(status.code, status.details, status.trailing_metadata)


def reasons(error: aio.AioRpcError) -> Iterable[error_details_pb2.ErrorInfo]:
    """The `ErrorInfo` details of a failed call: `reason` is our stable code."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode()).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    yield info
