from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HomestayOrder(_message.Message):
    __slots__ = ("id", "sn", "userId", "homestayId", "title", "subTitle", "cover", "info", "peopleNum", "rowType", "foodInfo", "foodPrice", "homestayPrice", "marketHomestayPrice", "homestayBusinessId", "homestayUserId", "liveStartDate", "liveEndDate", "livePeopleNum", "tradeState", "tradeCode", "remark", "orderTotalPrice", "foodTotalPrice", "homestayTotalPrice", "createTime", "needFood")
    ID_FIELD_NUMBER: _ClassVar[int]
    SN_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SUBTITLE_FIELD_NUMBER: _ClassVar[int]
    COVER_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    PEOPLENUM_FIELD_NUMBER: _ClassVar[int]
    ROWTYPE_FIELD_NUMBER: _ClassVar[int]
    FOODINFO_FIELD_NUMBER: _ClassVar[int]
    FOODPRICE_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYPRICE_FIELD_NUMBER: _ClassVar[int]
    MARKETHOMESTAYPRICE_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYBUSINESSID_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYUSERID_FIELD_NUMBER: _ClassVar[int]
    LIVESTARTDATE_FIELD_NUMBER: _ClassVar[int]
    LIVEENDDATE_FIELD_NUMBER: _ClassVar[int]
    LIVEPEOPLENUM_FIELD_NUMBER: _ClassVar[int]
    TRADESTATE_FIELD_NUMBER: _ClassVar[int]
    TRADECODE_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    ORDERTOTALPRICE_FIELD_NUMBER: _ClassVar[int]
    FOODTOTALPRICE_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYTOTALPRICE_FIELD_NUMBER: _ClassVar[int]
    CREATETIME_FIELD_NUMBER: _ClassVar[int]
    NEEDFOOD_FIELD_NUMBER: _ClassVar[int]
    id: int
    sn: str
    userId: int
    homestayId: int
    title: str
    subTitle: str
    cover: str
    info: str
    peopleNum: int
    rowType: int
    foodInfo: str
    foodPrice: int
    homestayPrice: int
    marketHomestayPrice: int
    homestayBusinessId: int
    homestayUserId: int
    liveStartDate: int
    liveEndDate: int
    livePeopleNum: int
    tradeState: int
    tradeCode: str
    remark: str
    orderTotalPrice: int
    foodTotalPrice: int
    homestayTotalPrice: int
    createTime: int
    needFood: int
    def __init__(self, id: _Optional[int] = ..., sn: _Optional[str] = ..., userId: _Optional[int] = ..., homestayId: _Optional[int] = ..., title: _Optional[str] = ..., subTitle: _Optional[str] = ..., cover: _Optional[str] = ..., info: _Optional[str] = ..., peopleNum: _Optional[int] = ..., rowType: _Optional[int] = ..., foodInfo: _Optional[str] = ..., foodPrice: _Optional[int] = ..., homestayPrice: _Optional[int] = ..., marketHomestayPrice: _Optional[int] = ..., homestayBusinessId: _Optional[int] = ..., homestayUserId: _Optional[int] = ..., liveStartDate: _Optional[int] = ..., liveEndDate: _Optional[int] = ..., livePeopleNum: _Optional[int] = ..., tradeState: _Optional[int] = ..., tradeCode: _Optional[str] = ..., remark: _Optional[str] = ..., orderTotalPrice: _Optional[int] = ..., foodTotalPrice: _Optional[int] = ..., homestayTotalPrice: _Optional[int] = ..., createTime: _Optional[int] = ..., needFood: _Optional[int] = ...) -> None: ...

class CreateHomestayOrderReq(_message.Message):
    __slots__ = ("homestayId", "isFood", "liveStartTime", "liveEndTime", "userId", "livePeopleNum", "remark")
    HOMESTAYID_FIELD_NUMBER: _ClassVar[int]
    ISFOOD_FIELD_NUMBER: _ClassVar[int]
    LIVESTARTTIME_FIELD_NUMBER: _ClassVar[int]
    LIVEENDTIME_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    LIVEPEOPLENUM_FIELD_NUMBER: _ClassVar[int]
    REMARK_FIELD_NUMBER: _ClassVar[int]
    homestayId: int
    isFood: bool
    liveStartTime: int
    liveEndTime: int
    userId: int
    livePeopleNum: int
    remark: str
    def __init__(self, homestayId: _Optional[int] = ..., isFood: _Optional[bool] = ..., liveStartTime: _Optional[int] = ..., liveEndTime: _Optional[int] = ..., userId: _Optional[int] = ..., livePeopleNum: _Optional[int] = ..., remark: _Optional[str] = ...) -> None: ...

class CreateHomestayOrderResp(_message.Message):
    __slots__ = ("sn",)
    SN_FIELD_NUMBER: _ClassVar[int]
    sn: str
    def __init__(self, sn: _Optional[str] = ...) -> None: ...

class HomestayOrderDetailReq(_message.Message):
    __slots__ = ("sn",)
    SN_FIELD_NUMBER: _ClassVar[int]
    sn: str
    def __init__(self, sn: _Optional[str] = ...) -> None: ...

class HomestayOrderDetailResp(_message.Message):
    __slots__ = ("homestayOrder",)
    HOMESTAYORDER_FIELD_NUMBER: _ClassVar[int]
    homestayOrder: HomestayOrder
    def __init__(self, homestayOrder: _Optional[_Union[HomestayOrder, _Mapping]] = ...) -> None: ...

class UpdateHomestayOrderTradeStateReq(_message.Message):
    __slots__ = ("sn", "tradeState")
    SN_FIELD_NUMBER: _ClassVar[int]
    TRADESTATE_FIELD_NUMBER: _ClassVar[int]
    sn: str
    tradeState: int
    def __init__(self, sn: _Optional[str] = ..., tradeState: _Optional[int] = ...) -> None: ...

class UpdateHomestayOrderTradeStateResp(_message.Message):
    __slots__ = ("id", "userId", "sn", "tradeCode", "liveStartDate", "liveEndDate", "orderTotalPrice", "title")
    ID_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    SN_FIELD_NUMBER: _ClassVar[int]
    TRADECODE_FIELD_NUMBER: _ClassVar[int]
    LIVESTARTDATE_FIELD_NUMBER: _ClassVar[int]
    LIVEENDDATE_FIELD_NUMBER: _ClassVar[int]
    ORDERTOTALPRICE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    id: int
    userId: int
    sn: str
    tradeCode: str
    liveStartDate: int
    liveEndDate: int
    orderTotalPrice: int
    title: str
    def __init__(self, id: _Optional[int] = ..., userId: _Optional[int] = ..., sn: _Optional[str] = ..., tradeCode: _Optional[str] = ..., liveStartDate: _Optional[int] = ..., liveEndDate: _Optional[int] = ..., orderTotalPrice: _Optional[int] = ..., title: _Optional[str] = ...) -> None: ...

class UserHomestayOrderListReq(_message.Message):
    __slots__ = ("lastId", "pageSize", "userId", "traderState")
    LASTID_FIELD_NUMBER: _ClassVar[int]
    PAGESIZE_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    TRADERSTATE_FIELD_NUMBER: _ClassVar[int]
    lastId: int
    pageSize: int
    userId: int
    traderState: int
    def __init__(self, lastId: _Optional[int] = ..., pageSize: _Optional[int] = ..., userId: _Optional[int] = ..., traderState: _Optional[int] = ...) -> None: ...

class UserHomestayOrderListResp(_message.Message):
    __slots__ = ("list",)
    LIST_FIELD_NUMBER: _ClassVar[int]
    list: _containers.RepeatedCompositeFieldContainer[HomestayOrder]
    def __init__(self, list: _Optional[_Iterable[_Union[HomestayOrder, _Mapping]]] = ...) -> None: ...

class CheckInHomestayOrderReq(_message.Message):
    __slots__ = ("sn", "tradeCode")
    SN_FIELD_NUMBER: _ClassVar[int]
    TRADECODE_FIELD_NUMBER: _ClassVar[int]
    sn: str
    tradeCode: str
    def __init__(self, sn: _Optional[str] = ..., tradeCode: _Optional[str] = ...) -> None: ...

class CheckInHomestayOrderResp(_message.Message):
    __slots__ = ("checkedInAt",)
    CHECKEDINAT_FIELD_NUMBER: _ClassVar[int]
    checkedInAt: int
    def __init__(self, checkedInAt: _Optional[int] = ...) -> None: ...
