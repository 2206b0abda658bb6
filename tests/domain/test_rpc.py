"""How refusals and failures travel, and what a caller makes of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import grpc
import pytest
from grpc import aio
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from domain import rpc
from domain.deadline import budget
from domain.errors import (
    AnnouncementRefused,
    DatesUnavailable,
    ErrorCode,
    HomestayError,
    HomestayNotFound,
    HomestayOffShelf,
    InvalidInput,
    InvalidTransition,
    KeyInProgress,
    KeyReused,
    OrderNotFound,
    PaymentNotFound,
    RateLimited,
    RefundUnsupported,
    StayTooLong,
    TooManyGuests,
    UpstreamUnavailable,
)
from domain.guard import ENOUGH, Guard
from domain.order import payment_client, travel_client
from domain.order.pricing import PriceChanged
from domain.order.states import TradeState
from proto import payment_pb2, payment_pb2_grpc, travel_pb2, travel_pb2_grpc

BAD, GONE = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
NOT_NOW, AWAY = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE
DEADLINE: Final = 5.0

TOLD: Final[list[tuple[HomestayError, grpc.StatusCode]]] = [
    (InvalidInput("No."), BAD),
    (TooManyGuests("No."), BAD),
    (StayTooLong("No."), BAD),
    (HomestayNotFound("No."), GONE),
    (OrderNotFound("No."), GONE),
    (PaymentNotFound("No."), GONE),
    (RefundUnsupported("No."), NOT_NOW),
    (AnnouncementRefused("No."), NOT_NOW),
    (HomestayOffShelf("No."), NOT_NOW),
    (DatesUnavailable("No.", nights=[]), NOT_NOW),
    (PriceChanged("No.", offer=cast("Any", None)), NOT_NOW),
    (KeyReused("No."), BAD),
    (KeyInProgress("No."), grpc.StatusCode.ABORTED),
    (RateLimited("No.", retry_after=1), grpc.StatusCode.RESOURCE_EXHAUSTED),
    (InvalidTransition("No.", current=TradeState.USED, wanted=TradeState.WAIT_PAY), NOT_NOW),
    (UpstreamUnavailable("travel", "its host 10.1.2.3 is down"), AWAY),
]


class Raising:
    """A travel service that raises what it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def homestayDetail(self, *_: object) -> travel_pb2.HomestayDetailResp:  # noqa: N802 -- the wire's name
        raise self.error


@asynccontextmanager
async def serving(servicer: object, reads: Sequence[str] = ()) -> AsyncIterator[aio.Channel]:
    def register(server: aio.Server) -> None:
        if not hasattr(servicer, "homestayDetails"):
            cast("Any", servicer).homestayDetails = None  # nobody asks for it here
        travel_pb2_grpc.add_travelServicer_to_server(cast("Any", servicer), server)

    server = rpc.Server("pb.travel", register, host="127.0.0.1", port=0)
    await server.start()
    try:
        async with rpc.channel(server.address, reads=reads) as channel:
            yield channel
    finally:
        await server.stop(grace=0)


async def ask(channel: aio.Channel, *, deadline: float = DEADLINE) -> travel_pb2.HomestayDetailResp | None:
    method = travel_pb2_grpc.travelStub(channel).homestayDetail
    return await rpc.ask(Guard("travel"), method, travel_pb2.HomestayDetailReq(id=1), deadline=deadline)


async def failure(error: Exception) -> aio.AioRpcError:
    async with serving(Raising(error)) as channel:
        method = travel_pb2_grpc.travelStub(channel).homestayDetail
        with pytest.raises(aio.AioRpcError) as failed:
            await method(travel_pb2.HomestayDetailReq(id=1), timeout=DEADLINE)
    return failed.value


@pytest.mark.parametrize(("error", "status"), TOLD, ids=lambda told: getattr(told, "code", ""))
async def test_what_is_known_travels_with_its_status_and_its_reason(
    error: HomestayError, status: grpc.StatusCode
) -> None:
    failed = await failure(error)
    assert (failed.code(), failed.details()) == (status, error.message)
    (reason,) = rpc.reasons(failed)
    assert (reason.reason, reason.domain, dict(reason.metadata)) == (error.code.value, "homestay", {})
    assert "10.1.2.3" not in repr(failed)


def test_every_code_has_its_status() -> None:
    assert {error.code for error, _ in TOLD} == set(ErrorCode)


async def test_a_refusal_says_which_field_is_to_blame() -> None:
    (reason,) = rpc.reasons(await failure(InvalidInput("No.", "input", "liveEndDate")))
    assert dict(reason.metadata) == {"field": "input.liveEndDate"}


@pytest.mark.parametrize("bug", [LookupError("password=hunter2"), AssertionError(), aio.UsageError("hunter2")])
async def test_a_bug_travels_as_one_and_nothing_of_it_gets_out(bug: Exception) -> None:
    with capture_logs() as logs:
        failed = await failure(bug)
    assert (failed.code(), failed.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    (reason,) = rpc.reasons(failed)
    assert (reason.reason, reason.domain) == ("INTERNAL", "homestay")
    assert "hunter2" not in f"{failed!r} {failed.trailing_metadata()}"
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [("error", "rpc failed")]


async def test_a_caller_takes_not_found_for_none_and_any_other_status_for_unavailable() -> None:
    for error, status in TOLD:
        async with serving(Raising(error)) as channel:
            if status is GONE:
                assert await ask(channel) is None
            else:
                with pytest.raises(UpstreamUnavailable) as unavailable:
                    await ask(channel)
                assert unavailable.value.reason.startswith(status.name)


async def test_a_caller_waits_no_longer_than_it_said() -> None:
    class Silent:
        async def homestayDetail(self, *_: object) -> None:  # noqa: N802 -- the wire's name
            await asyncio.Event().wait()

    async with serving(Silent()) as channel, asyncio.timeout(10):
        with pytest.raises(UpstreamUnavailable) as unavailable:
            await ask(channel, deadline=0.1)
    assert unavailable.value.reason.startswith("DEADLINE_EXCEEDED")


@pytest.mark.parametrize("code", [BAD, GONE, NOT_NOW, AWAY, grpc.StatusCode.INTERNAL], ids=lambda code: code.name)
async def test_whatever_a_service_answers_it_is_asked_again(code: grpc.StatusCode) -> None:
    guard = Guard("travel")
    error = next((told for told, status in TOLD if status is code), LookupError("a bug"))
    reasons = set[str]()
    async with serving(Raising(error)) as channel:
        method = travel_pb2_grpc.travelStub(channel).homestayDetail
        for _ in range(2 * ENOUGH):
            try:
                await rpc.ask(guard, method, travel_pb2.HomestayDetailReq(id=1), deadline=DEADLINE)
            except UpstreamUnavailable as unavailable:
                reasons.add(unavailable.reason.partition(":")[0])
    assert reasons == (set() if code is GONE else {code.name})


async def test_a_peer_without_the_method_is_told_from_one_that_fails() -> None:
    async with serving(Raising(LookupError())) as channel:
        method = payment_pb2_grpc.paymentStub(channel).RefundPayment
        with pytest.raises(rpc.Unimplemented):
            await rpc.ask(Guard("payment"), method, payment_pb2.RefundPaymentReq(), deadline=DEADLINE)


async def test_calls_are_counted_by_what_came_of_them() -> None:
    def made(outcome: str) -> float:
        labels = {"service": "pb.travel", "method": "homestayDetail", "outcome": outcome}
        return REGISTRY.get_sample_value("homestay_upstream_seconds_count", labels) or 0.0

    outcomes = ("ok", "not_found", "unavailable", "given_up")
    before = [made(outcome) for outcome in outcomes]
    async with serving(Raising(HomestayNotFound("No."))) as channel:
        await ask(channel)
    async with serving(Raising(UpstreamUnavailable("other", "down"))) as channel:
        with pytest.raises(UpstreamUnavailable):
            await ask(channel)

    class Well:
        async def homestayDetail(self, *_: object) -> travel_pb2.HomestayDetailResp:  # noqa: N802 -- the wire's name
            await asyncio.sleep(0.2)
            return travel_pb2.HomestayDetailResp()

    async with serving(Well()) as channel:
        await ask(channel)
        impatient = asyncio.create_task(ask(channel))
        await asyncio.sleep(0.05)
        impatient.cancel()
        await asyncio.wait({impatient})
    assert [made(outcome) for outcome in outcomes] == [count + 1 for count in before]


async def test_a_call_that_is_not_made_is_counted_too() -> None:
    labels = {"service": "pb.travel", "method": "homestayDetail", "outcome": "not_asked"}
    before = REGISTRY.get_sample_value("homestay_upstream_seconds_count", labels) or 0.0
    async with serving(Flaky(0)) as channel:
        with budget(0), pytest.raises(UpstreamUnavailable):
            await ask(channel)
    assert REGISTRY.get_sample_value("homestay_upstream_seconds_count", labels) == before + 1


async def test_a_port_that_is_taken_is_refused() -> None:
    first = rpc.Server("pb.travel", lambda _: None, host="127.0.0.1", port=0)
    await first.start()
    second = rpc.Server("pb.payment", lambda _: None, host="127.0.0.1", port=first.port)
    try:
        with pytest.raises(OSError, match=f"pb.payment can't listen on 127.0.0.1:{first.port}"):
            await second.start()
    finally:
        await first.stop(grace=0)


async def test_a_message_of_more_than_a_mebibyte_is_refused() -> None:
    class Verbose:
        async def homestayDetail(self, *_: object) -> travel_pb2.HomestayDetailResp:  # noqa: N802 -- the wire's name
            return travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(id=1, info="x" * 2**20))

    async with serving(Verbose()) as channel:
        with pytest.raises(UpstreamUnavailable):
            await ask(channel)


class Flaky(Raising):
    """A travel service that is not there the first times that it is asked."""

    def __init__(self, times: int) -> None:
        super().__init__(UpstreamUnavailable("database", "the test says so"))
        self.times = times
        self.asked = 0

    async def homestayDetail(self, *_: object) -> travel_pb2.HomestayDetailResp:  # noqa: N802 -- the wire's name
        self.asked += 1
        if self.asked <= self.times:
            raise self.error
        return travel_pb2.HomestayDetailResp(homestay=travel_pb2.Homestay(id=1))


@pytest.mark.parametrize(
    ("reads", "times", "asked"),
    [(travel_client.READS, 2, 3), (travel_client.READS, 3, 3), (payment_client.READS, 1, 1), ((), 1, 1)],
    ids=["twice away", "away too often", "no such read", "no read"],
)
async def test_a_read_is_tried_again_where_the_service_was_not_there_and_nothing_else_is(
    reads: tuple[str, ...], times: int, asked: int
) -> None:
    servicer = Flaky(times)
    async with serving(servicer, reads) as channel:
        if asked > times:
            assert await ask(channel) is not None
        else:
            with pytest.raises(UpstreamUnavailable):
                await ask(channel)
    assert servicer.asked == asked


async def test_a_service_that_fails_most_calls_is_not_asked_three_times_as_much() -> None:
    servicer = Flaky(1000)
    async with serving(servicer, travel_client.READS) as channel:
        for _ in range(30):
            with pytest.raises(UpstreamUnavailable):
                await ask(channel)
    assert servicer.asked < 30 + 15


def test_only_methods_that_exist_and_change_nothing_are_tried_again() -> None:
    services = [travel_pb2.DESCRIPTOR.services_by_name["travel"], payment_pb2.DESCRIPTOR.services_by_name["payment"]]
    methods = {f"{service.full_name}/{method.name}" for service in services for method in service.methods}
    changing = {f"pb.payment/{name}" for name in ("CreatePayment", "UpdateTradeState", "RefundPayment")}
    assert {*travel_client.READS, *payment_client.READS} == methods - changing


async def test_a_request_whose_time_is_over_asks_nobody() -> None:
    servicer = Flaky(0)
    async with serving(servicer) as channel:
        with budget(0), pytest.raises(UpstreamUnavailable):
            await ask(channel)
        with budget(DEADLINE):
            assert await ask(channel) is not None
    assert servicer.asked == 1


async def test_a_budget_ends_a_call_that_had_more_time_for_itself() -> None:
    class Silent:
        async def homestayDetail(self, *_: object) -> None:  # noqa: N802 -- the wire's name
            await asyncio.Event().wait()

    async with serving(Silent()) as channel, asyncio.timeout(3):
        with budget(0.1), pytest.raises(UpstreamUnavailable) as unavailable:
            await ask(channel)
    assert unavailable.value.reason.startswith("DEADLINE_EXCEEDED")
