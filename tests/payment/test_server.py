"""The payment service over the wire: finding payments, and what every service of ours can be asked."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from sqlalchemy import update

from domain import rpc
from domain.database import Database
from domain.payment.states import PayStatus
from tests.payment.calls import DEADLINE, ORDER, PAYMENTS, Caller, refused

FAILED, WAIT, SUCCESS, REFUNDED = PayStatus.FAILED, PayStatus.WAIT, PayStatus.SUCCESS, PayStatus.REFUNDED


def not_found(field: str) -> tuple[grpc.StatusCode, str, str]:
    return grpc.StatusCode.NOT_FOUND, "PAYMENT_NOT_FOUND", field


@pytest.mark.parametrize("status", PayStatus)
async def test_a_payment_is_found_by_its_number_and_by_its_order(caller: Caller, status: PayStatus) -> None:
    sn = await caller.create_in(status)
    detail = await caller.by_sn(sn)
    assert (detail.sn, detail.orderSn, detail.payStatus) == (sn, ORDER, status)
    assert await caller.of_order() == detail
    if status in {SUCCESS, REFUNDED}:
        assert await caller.settled() == detail
    else:
        assert await refused(caller.settled()) == not_found("orderSn")


@pytest.mark.parametrize("nobody", ["PMT20260301120506ABCDEFGH", "", "x" * 400, "'; --\0"])
async def test_what_is_unknown_is_not_found(caller: Caller, nobody: str) -> None:
    await caller.create()
    assert await refused(caller.by_sn(nobody)) == not_found("sn")
    assert await refused(caller.of_order(nobody)) == not_found("orderSn")
    assert await refused(caller.settled(nobody)) == not_found("orderSn")
    assert await refused(caller.refund(nobody)) == not_found("orderSn")


async def test_a_deleted_payment_is_not_found(caller: Caller, database: Database) -> None:
    sn = await caller.create_in(SUCCESS)
    delete = update(PAYMENTS).values(del_state=1)
    await database.write(lambda connection: connection.execute(delete))
    assert await refused(caller.by_sn(sn)) == not_found("sn")
    assert await refused(caller.of_order()) == not_found("orderSn")
    assert await refused(caller.settled()) == not_found("orderSn")
    assert await refused(caller.refund()) == not_found("orderSn")
    assert await refused(caller.notify(sn, 2)) == not_found("sn")


async def test_of_failed_payments_the_last_is_the_orders(caller: Caller) -> None:
    await caller.create_in(FAILED)
    last = await caller.create_in(FAILED)
    assert (await caller.of_order()).sn == last


async def test_an_open_payment_comes_before_failed_ones(caller: Caller) -> None:
    await caller.create_in(FAILED)
    live = await caller.create()
    assert (await caller.of_order()).sn == live


async def test_money_that_went_back_comes_before_an_open_payment(caller: Caller) -> None:
    late = await caller.create_in(FAILED)
    await caller.create()
    await caller.notify(late, SUCCESS)
    await caller.notify(late, REFUNDED)
    assert (await caller.of_order()).sn == (await caller.settled()).sn == late


@pytest.mark.parametrize("service", ["", "pb.payment"])
async def test_it_says_that_it_is_healthy(channel: aio.Channel, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)  # its types know no methods
    answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_it_describes_itself(server: rpc.Server) -> None:
    def describe() -> tuple[list[str], list[str]]:
        with grpc.insecure_channel(server.address) as channel:
            reflection = ProtoReflectionDescriptorDatabase(channel)
            file = reflection.FindFileContainingSymbol("pb.payment")
            methods = [method.name for service in file.service for method in service.method]
            return list(reflection.get_services()), methods

    services, methods = await asyncio.to_thread(describe)
    assert "pb.payment" in services
    assert set(methods) == {
        "CreatePayment",
        "GetPaymentBySn",
        "UpdateTradeState",
        "GetPaymentSuccessRefundByOrderSn",
        "GetPaymentByOrderSn",
        "RefundPayment",
        "GetPaymentsByOrderSns",
        "ListPayments",
    }
