"""gRPC both ways: refusals become statuses that carry their stable code, and every call has a deadline."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar, cast

import grpc
import structlog
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from domain.errors import ErrorCode, Failure, HomestayError, Refusal, UpstreamUnavailable

log = structlog.get_logger(__name__)

Request = TypeVar("Request")
Response = TypeVar("Response")

# A homestay's texts are a few KiB; what is larger is a mistake or an attack.
_MAX_MESSAGE: Final = 1024 * 1024
_LIMITS: Final = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
]
_CHANNEL_OPTIONS: Final = [
    *_LIMITS,
    # The defaults wait 1 s, then ever longer; a service that came back is to be used again at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
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
# Who says a reason, as google.rpc.ErrorInfo wants it.
ERROR_DOMAIN: Final = "homestay"


class Unimplemented(UpstreamUnavailable):
    """The peer is the existing service, or an older one of ours, and lacks this method."""


async def ask(
    upstream: str,
    method: "aio.UnaryUnaryMultiCallable[Request, Response]",
    request: Request,
    *,
    deadline: float,
) -> Response | None:
    """Asks another service, once.

    Args:
        upstream: the service's name, for people.
        method: the stub's method.
        request: its request.
        deadline: seconds until the call is given up; gRPC itself has no limit.

    Returns:
        Its answer, or None where it says NOT_FOUND.

    Raises:
        UpstreamUnavailable: it could not be asked in time, or refused.
        Unimplemented: it does not know the method.
    """
    try:
        answer: Response | None = await method(request, timeout=deadline)
    except aio.AioRpcError as error:
        match error.code():
            case grpc.StatusCode.NOT_FOUND:
                return None
            case grpc.StatusCode.UNIMPLEMENTED:
                raise Unimplemented(upstream, f"it lacks a method: {error.details()}") from error
            case code:
                raise UpstreamUnavailable(upstream, f"{code.name}: {error.details()}") from error
    if answer is None:
        # gRPC's way of saying that the bytes were no such message.
        raise UpstreamUnavailable(upstream, "its answer can't be read")
    return answer


def channel(address: str) -> aio.Channel:
    """Returns a channel to `address` (host:port). Must be called inside the loop that uses it."""
    return aio.insecure_channel(address, options=_CHANNEL_OPTIONS)


class Server:
    """One gRPC service on one port, with health and reflection.

    Args:
        service: its full name, e.g. `pb.travel`.
        register: adds its methods to a server.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
    """

    def __init__(self, service: str, register: Callable[[aio.Server], None], *, host: str, port: int) -> None:
        self.name = service
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
        for name in ("", self.name):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self, grace: float = 10) -> None:
        """Takes no new call and gives those under way `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)


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
