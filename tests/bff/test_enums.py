"""The enums of the schema are the domain's: no member more, none less, none by another name."""

from enum import Enum

import pytest
from graphql import GraphQLEnumType

from bff.graph import schema
from domain.errors import ErrorCode
from domain.order.states import CloseReason, PaymentStatus, SaleUnit, TradeState

# What other services and the worker refuse: it never comes to a guest.
UNTOLD = {ErrorCode.PAYMENT_NOT_FOUND, ErrorCode.REFUND_UNSUPPORTED, ErrorCode.ANNOUNCEMENT_REFUSED}


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("TradeState", set(TradeState)),
        ("CloseReason", set(CloseReason)),
        ("SaleUnit", set(SaleUnit)),
        ("PaymentStatus", set(PaymentStatus)),
        ("OrderErrorCode", set(ErrorCode) - UNTOLD),
    ],
)
def test_an_enum_has_the_domains_members(name: str, members: set[Enum]) -> None:
    enum = schema.build(introspection=True)._schema.get_type(name)
    assert isinstance(enum, GraphQLEnumType)
    assert set(enum.values) == {member.name for member in members}
    for member in members:
        assert enum.serialize(member) == member.name
        assert enum.parse_value(member.name) == member


def test_codes_are_called_as_they_read() -> None:
    assert all(code.name == code.value for code in ErrorCode)
