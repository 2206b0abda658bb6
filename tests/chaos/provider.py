"""The payment provider: it confirms a payment, and says so until somebody says that it was heard."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

import grpc
from grpc import aio

from domain.order.states import PaymentStatus
from proto import payment_pb2, payment_pb2_grpc
from tests.chaos.ledger import Ledger

_WORDS: Final = {PaymentStatus.SUCCESS: "SUCCESS", PaymentStatus.FAILED: "PAYERROR"}
# Seconds. A real provider repeats itself for a day; nothing here is down that long.
_PERSISTENCE: Final = 15.0
_DEADLINE: Final = 2.0
_PAUSE: Final = 0.2
# Answers that say no, and will say it again.
_REFUSALS: Final = frozenset(
    {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
)


class Provider:
    """Tells the payment service how payments stand."""

    def __init__(self, channel: aio.Channel, ledger: Ledger) -> None:
        self._payment = payment_pb2_grpc.paymentStub(channel)
        self._ledger = ledger

    async def tell(self, payment_sn: str, status: PaymentStatus) -> bool:
        """Says it until it is acknowledged or refused, and returns whether it was acknowledged."""
        request = payment_pb2.UpdateTradeStateReq(
            sn=payment_sn,
            tradeState=_WORDS[status],
            transactionId=f"4200{payment_sn[3:]}",
            tradeType="JSAPI",
            payStatus=status,
            payTime=int(time.time()) if status is PaymentStatus.SUCCESS else 0,
        )
        give_up = time.monotonic() + _PERSISTENCE
        while time.monotonic() < give_up:
            try:
                await self._payment.UpdateTradeState(request, timeout=_DEADLINE)
            except aio.AioRpcError as error:
                if error.code() in _REFUSALS:
                    self._ledger.refusals[f"provider: {error.code().name}"] += 1
                    return False
                await asyncio.sleep(_PAUSE)
            else:
                self._ledger.told.setdefault(payment_sn, {}).setdefault(status, datetime.now(UTC))
                return True
        return False
