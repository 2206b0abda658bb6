"""The gRPC interface of the existing services, number by number: no field of ours may ever have another one.

The tables say what these services speak, and are not made from our .proto files; a client of theirs knows nothing else.
"""

from types import ModuleType
from typing import Final

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from proto import order_pb2, payment_pb2, travel_pb2

METHODS: Final = {
    "travel": {
        "homestayDetail": ("HomestayDetailReq", "HomestayDetailResp"),
    },
    "payment": {
        "CreatePayment": ("CreatePaymentReq", "CreatePaymentResp"),
        "GetPaymentBySn": ("GetPaymentBySnReq", "GetPaymentBySnResp"),
        "UpdateTradeState": ("UpdateTradeStateReq", "UpdateTradeStateResp"),
        "GetPaymentSuccessRefundByOrderSn": (
            "GetPaymentSuccessRefundByOrderSnReq",
            "GetPaymentSuccessRefundByOrderSnResp",
        ),
    },
    "order": {
        "createHomestayOrder": ("CreateHomestayOrderReq", "CreateHomestayOrderResp"),
        "homestayOrderDetail": ("HomestayOrderDetailReq", "HomestayOrderDetailResp"),
        "updateHomestayOrderTradeState": ("UpdateHomestayOrderTradeStateReq", "UpdateHomestayOrderTradeStateResp"),
        "userHomestayOrderList": ("UserHomestayOrderListReq", "UserHomestayOrderListResp"),
    },
}
# Of each message its fields: name, type, number.
FIELDS: Final = {
    "HomestayDetailReq": "id int64 1",
    "HomestayDetailResp": "homestay Homestay 1",
    "Homestay": (
        "id int64 1, title string 2, subTitle string 3, banner string 4, info string 5, peopleNum int64 6, "
        "homestayBusinessId int64 7, userId int64 8, rowState int64 9, rowType int64 10, foodInfo string 11, "
        "foodPrice int64 12, homestayPrice int64 13, marketHomestayPrice int64 14"
    ),
    "CreatePaymentReq": ("userId int64 1, payModel string 2, payTotal int64 3, orderSn string 4, serviceType string 5"),
    "CreatePaymentResp": "sn string 1",
    "PaymentDetail": (
        "id int64 1, sn string 2, userId int64 3, payMode string 4, tradeType string 5, tradeState int64 6, "
        "payTotal int64 7, transactionId string 8, tradeStateDesc string 9, orderSn string 10, serviceType "
        "string 11, createTime int64 12, updateTime int64 13, payStatus int64 14, payTime int64 15"
    ),
    "GetPaymentBySnReq": "sn string 1",
    "GetPaymentBySnResp": "paymentDetail PaymentDetail 1",
    "GetPaymentSuccessRefundByOrderSnReq": "orderSn string 1",
    "GetPaymentSuccessRefundByOrderSnResp": "paymentDetail PaymentDetail 1",
    "UpdateTradeStateReq": (
        "sn string 1, tradeState string 2, transactionId string 3, tradeType string 4, tradeStateDesc string "
        "5, payStatus int64 6, payTime int64 7"
    ),
    "UpdateTradeStateResp": "",
    "HomestayOrder": (
        "id int64 1, sn string 2, userId int64 3, homestayId int64 4, title string 5, subTitle string 6, "
        "cover string 7, info string 8, peopleNum int64 9, rowType int64 10, foodInfo string 11, foodPrice "
        "int64 12, homestayPrice int64 13, marketHomestayPrice int64 14, homestayBusinessId int64 15, "
        "homestayUserId int64 16, liveStartDate int64 17, liveEndDate int64 18, livePeopleNum int64 19, "
        "tradeState int64 20, tradeCode string 21, remark string 22, orderTotalPrice int64 23, foodTotalPrice "
        "int64 24, homestayTotalPrice int64 25, createTime int64 26, needFood int64 27"
    ),
    "CreateHomestayOrderReq": (
        "homestayId int64 1, isFood bool 2, liveStartTime int64 3, liveEndTime int64 4, userId int64 5, "
        "livePeopleNum int64 6, remark string 7"
    ),
    "CreateHomestayOrderResp": "sn string 1",
    "HomestayOrderDetailReq": "sn string 1",
    "HomestayOrderDetailResp": "homestayOrder HomestayOrder 1",
    "UpdateHomestayOrderTradeStateReq": "sn string 1, tradeState int64 2",
    "UpdateHomestayOrderTradeStateResp": (
        "id int64 1, userId int64 2, sn string 3, tradeCode string 4, liveStartDate int64 5, liveEndDate "
        "int64 6, orderTotalPrice int64 7, title string 8"
    ),
    "UserHomestayOrderListReq": "lastId int64 1, pageSize int64 2, userId int64 3, traderState int64 4",
    "UserHomestayOrderListResp": "list repeated HomestayOrder 1",
}

FILES: Final = {"order": order_pb2, "payment": payment_pb2, "travel": travel_pb2}
_TYPES: Final = {
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
}


def descriptor(message: str) -> Descriptor:
    found: list[Descriptor] = [
        file.DESCRIPTOR.message_types_by_name[message]
        for file in FILES.values()
        if message in file.DESCRIPTOR.message_types_by_name
    ]
    return found[0]


def fields(message: Descriptor) -> dict[int, str]:
    """By its number, each field with its name and type."""
    return {
        field.number: f"{field.name} {'repeated ' if field.is_repeated else ''}"
        f"{field.message_type.name if field.message_type else _TYPES[field.type]} {field.number}"
        for field in message.fields
    }


@pytest.mark.parametrize("message", FIELDS)
def test_every_field_has_the_number_and_the_type_that_others_know(message: str) -> None:
    theirs = {int(each.rpartition(" ")[2]): each for each in FIELDS[message].split(", ") if each}
    ours = fields(descriptor(message))
    assert {number: ours.get(number) for number in theirs} == theirs
    # What is ours alone has a number that they have not given out; on the wire it says nothing to them.
    assert all(number > max(theirs, default=0) for number in ours.keys() - theirs.keys())


@pytest.mark.parametrize("service", METHODS)
def test_every_method_is_called_and_answered_as_others_know(service: str) -> None:
    file: ModuleType = FILES[service]
    found = file.DESCRIPTOR.services_by_name[service]
    assert found.full_name == f"pb.{service}"
    methods = {method.name: (method.input_type.name, method.output_type.name) for method in found.methods}
    assert methods | METHODS[service] == methods
    assert not any(method.client_streaming or method.server_streaming for method in found.methods)


def test_all_that_they_have_is_here() -> None:
    spoken = {message for methods in METHODS.values() for pair in methods.values() for message in pair}
    assert spoken | {"Homestay", "PaymentDetail", "HomestayOrder"} == set(FIELDS)
    assert [len(methods) for methods in METHODS.values()] == [1, 4, 4]
