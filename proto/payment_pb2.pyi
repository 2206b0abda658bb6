from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePaymentReq(_message.Message):
    __slots__ = ("userId", "payModel", "payTotal", "orderSn", "serviceType", "expireTime")
    USERID_FIELD_NUMBER: _ClassVar[int]
    PAYMODEL_FIELD_NUMBER: _ClassVar[int]
    PAYTOTAL_FIELD_NUMBER: _ClassVar[int]
    ORDERSN_FIELD_NUMBER: _ClassVar[int]
    SERVICETYPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRETIME_FIELD_NUMBER: _ClassVar[int]
    userId: int
    payModel: str
    payTotal: int
    orderSn: str
    serviceType: str
    expireTime: int
    def __init__(self, userId: _Optional[int] = ..., payModel: _Optional[str] = ..., payTotal: _Optional[int] = ..., orderSn: _Optional[str] = ..., serviceType: _Optional[str] = ..., expireTime: _Optional[int] = ...) -> None: ...

class CreatePaymentResp(_message.Message):
    __slots__ = ("sn",)
    SN_FIELD_NUMBER: _ClassVar[int]
    sn: str
    def __init__(self, sn: _Optional[str] = ...) -> None: ...

class PaymentDetail(_message.Message):
    __slots__ = ("id", "sn", "userId", "payMode", "tradeType", "tradeState", "payTotal", "transactionId", "tradeStateDesc", "orderSn", "serviceType", "createTime", "updateTime", "payStatus", "payTime")
    ID_FIELD_NUMBER: _ClassVar[int]
    SN_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    PAYMODE_FIELD_NUMBER: _ClassVar[int]
    TRADETYPE_FIELD_NUMBER: _ClassVar[int]
    TRADESTATE_FIELD_NUMBER: _ClassVar[int]
    PAYTOTAL_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONID_FIELD_NUMBER: _ClassVar[int]
    TRADESTATEDESC_FIELD_NUMBER: _ClassVar[int]
    ORDERSN_FIELD_NUMBER: _ClassVar[int]
    SERVICETYPE_FIELD_NUMBER: _ClassVar[int]
    CREATETIME_FIELD_NUMBER: _ClassVar[int]
    UPDATETIME_FIELD_NUMBER: _ClassVar[int]
    PAYSTATUS_FIELD_NUMBER: _ClassVar[int]
    PAYTIME_FIELD_NUMBER: _ClassVar[int]
    id: int
    sn: str
    userId: int
    payMode: str
    tradeType: str
    tradeState: int
    payTotal: int
    transactionId: str
    tradeStateDesc: str
    orderSn: str
    serviceType: str
    createTime: int
    updateTime: int
    payStatus: int
    payTime: int
    def __init__(self, id: _Optional[int] = ..., sn: _Optional[str] = ..., userId: _Optional[int] = ..., payMode: _Optional[str] = ..., tradeType: _Optional[str] = ..., tradeState: _Optional[int] = ..., payTotal: _Optional[int] = ..., transactionId: _Optional[str] = ..., tradeStateDesc: _Optional[str] = ..., orderSn: _Optional[str] = ..., serviceType: _Optional[str] = ..., createTime: _Optional[int] = ..., updateTime: _Optional[int] = ..., payStatus: _Optional[int] = ..., payTime: _Optional[int] = ...) -> None: ...

class GetPaymentBySnReq(_message.Message):
    __slots__ = ("sn",)
    SN_FIELD_NUMBER: _ClassVar[int]
    sn: str
    def __init__(self, sn: _Optional[str] = ...) -> None: ...

class GetPaymentBySnResp(_message.Message):
    __slots__ = ("paymentDetail",)
    PAYMENTDETAIL_FIELD_NUMBER: _ClassVar[int]
    paymentDetail: PaymentDetail
    def __init__(self, paymentDetail: _Optional[_Union[PaymentDetail, _Mapping]] = ...) -> None: ...

class UpdateTradeStateReq(_message.Message):
    __slots__ = ("sn", "tradeState", "transactionId", "tradeType", "tradeStateDesc", "payStatus", "payTime")
    SN_FIELD_NUMBER: _ClassVar[int]
    TRADESTATE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONID_FIELD_NUMBER: _ClassVar[int]
    TRADETYPE_FIELD_NUMBER: _ClassVar[int]
    TRADESTATEDESC_FIELD_NUMBER: _ClassVar[int]
    PAYSTATUS_FIELD_NUMBER: _ClassVar[int]
    PAYTIME_FIELD_NUMBER: _ClassVar[int]
    sn: str
    tradeState: str
    transactionId: str
    tradeType: str
    tradeStateDesc: str
    payStatus: int
    payTime: int
    def __init__(self, sn: _Optional[str] = ..., tradeState: _Optional[str] = ..., transactionId: _Optional[str] = ..., tradeType: _Optional[str] = ..., tradeStateDesc: _Optional[str] = ..., payStatus: _Optional[int] = ..., payTime: _Optional[int] = ...) -> None: ...

class UpdateTradeStateResp(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPaymentSuccessRefundByOrderSnReq(_message.Message):
    __slots__ = ("orderSn",)
    ORDERSN_FIELD_NUMBER: _ClassVar[int]
    orderSn: str
    def __init__(self, orderSn: _Optional[str] = ...) -> None: ...

class GetPaymentSuccessRefundByOrderSnResp(_message.Message):
    __slots__ = ("paymentDetail",)
    PAYMENTDETAIL_FIELD_NUMBER: _ClassVar[int]
    paymentDetail: PaymentDetail
    def __init__(self, paymentDetail: _Optional[_Union[PaymentDetail, _Mapping]] = ...) -> None: ...

class GetPaymentByOrderSnReq(_message.Message):
    __slots__ = ("orderSn",)
    ORDERSN_FIELD_NUMBER: _ClassVar[int]
    orderSn: str
    def __init__(self, orderSn: _Optional[str] = ...) -> None: ...

class GetPaymentByOrderSnResp(_message.Message):
    __slots__ = ("paymentDetail",)
    PAYMENTDETAIL_FIELD_NUMBER: _ClassVar[int]
    paymentDetail: PaymentDetail
    def __init__(self, paymentDetail: _Optional[_Union[PaymentDetail, _Mapping]] = ...) -> None: ...

class RefundPaymentReq(_message.Message):
    __slots__ = ("orderSn", "sn")
    ORDERSN_FIELD_NUMBER: _ClassVar[int]
    SN_FIELD_NUMBER: _ClassVar[int]
    orderSn: str
    sn: str
    def __init__(self, orderSn: _Optional[str] = ..., sn: _Optional[str] = ...) -> None: ...

class RefundPaymentResp(_message.Message):
    __slots__ = ("paymentDetail",)
    PAYMENTDETAIL_FIELD_NUMBER: _ClassVar[int]
    paymentDetail: PaymentDetail
    def __init__(self, paymentDetail: _Optional[_Union[PaymentDetail, _Mapping]] = ...) -> None: ...

class GetPaymentsByOrderSnsReq(_message.Message):
    __slots__ = ("orderSns",)
    ORDERSNS_FIELD_NUMBER: _ClassVar[int]
    orderSns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, orderSns: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPaymentsByOrderSnsResp(_message.Message):
    __slots__ = ("paymentDetails",)
    PAYMENTDETAILS_FIELD_NUMBER: _ClassVar[int]
    paymentDetails: _containers.RepeatedCompositeFieldContainer[PaymentDetail]
    def __init__(self, paymentDetails: _Optional[_Iterable[_Union[PaymentDetail, _Mapping]]] = ...) -> None: ...

class ListPaymentsReq(_message.Message):
    __slots__ = ("updatedFrom", "afterId", "limit")
    UPDATEDFROM_FIELD_NUMBER: _ClassVar[int]
    AFTERID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    updatedFrom: int
    afterId: int
    limit: int
    def __init__(self, updatedFrom: _Optional[int] = ..., afterId: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListPaymentsResp(_message.Message):
    __slots__ = ("paymentDetails",)
    PAYMENTDETAILS_FIELD_NUMBER: _ClassVar[int]
    paymentDetails: _containers.RepeatedCompositeFieldContainer[PaymentDetail]
    def __init__(self, paymentDetails: _Optional[_Iterable[_Union[PaymentDetail, _Mapping]]] = ...) -> None: ...
