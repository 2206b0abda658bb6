"""The domain's enums as GraphQL shows them: same members, told to people."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain.errors import ErrorCode
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState


def _publish(enum: type[Enum], description: str, members: Mapping[Any, str], name: str | None = None) -> None:
    """Makes a domain enum a GraphQL enum of the members named, each with its description."""
    strawberry.enum(enum, name=name, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined] # set just now
    definition.values = [value for value in definition.values if enum[value.name] in members]
    for value in definition.values:
        value.description = members[enum[value.name]] or None


# What only other services and the worker come to hear.
NOT_FOR_GUESTS: Final = {ErrorCode.PAYMENT_NOT_FOUND, ErrorCode.REFUND_UNSUPPORTED, ErrorCode.ANNOUNCEMENT_REFUSED}

_publish(
    TradeState,
    "An order's place in its life. Wire ints of the seed's proto in brackets.",
    {
        TradeState.CANCELLED: "[-1] closed: by its guest, or by the 20-minute timer",
        TradeState.WAIT_PAY: "[0] waiting for payment until `payBefore`",
        TradeState.WAIT_USE: "[1] paid, stay not started",
        TradeState.USED: "[2] stayed",
        TradeState.REFUNDED: "[3] money returned",
        TradeState.EXPIRED: "[4] paid, not used in time",
    },
)
_publish(CloseReason, "Who or what closed an order.", dict.fromkeys(CloseReason, ""))
_publish(SaleUnit, "How a homestay is sold: the seed's rowType 0 and 1.", dict.fromkeys(SaleUnit, ""))
_publish(PaymentStatus, "The payment service's state.", dict.fromkeys(PaymentStatus, ""))
_publish(
    ErrorCode,
    "Machine-readable cause of a refused mutation. New values may be added.",
    dict.fromkeys(set(ErrorCode) - NOT_FOR_GUESTS, ""),
    name="OrderErrorCode",
)
