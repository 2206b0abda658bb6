from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HomestayDetailReq(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class HomestayDetailResp(_message.Message):
    __slots__ = ("homestay",)
    HOMESTAY_FIELD_NUMBER: _ClassVar[int]
    homestay: Homestay
    def __init__(self, homestay: _Optional[_Union[Homestay, _Mapping]] = ...) -> None: ...

class HomestayDetailsReq(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class HomestayDetailsResp(_message.Message):
    __slots__ = ("homestays",)
    HOMESTAYS_FIELD_NUMBER: _ClassVar[int]
    homestays: _containers.RepeatedCompositeFieldContainer[Homestay]
    def __init__(self, homestays: _Optional[_Iterable[_Union[Homestay, _Mapping]]] = ...) -> None: ...

class Homestay(_message.Message):
    __slots__ = ("id", "title", "subTitle", "banner", "info", "peopleNum", "homestayBusinessId", "userId", "rowState", "rowType", "foodInfo", "foodPrice", "homestayPrice", "marketHomestayPrice")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    SUBTITLE_FIELD_NUMBER: _ClassVar[int]
    BANNER_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    PEOPLENUM_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYBUSINESSID_FIELD_NUMBER: _ClassVar[int]
    USERID_FIELD_NUMBER: _ClassVar[int]
    ROWSTATE_FIELD_NUMBER: _ClassVar[int]
    ROWTYPE_FIELD_NUMBER: _ClassVar[int]
    FOODINFO_FIELD_NUMBER: _ClassVar[int]
    FOODPRICE_FIELD_NUMBER: _ClassVar[int]
    HOMESTAYPRICE_FIELD_NUMBER: _ClassVar[int]
    MARKETHOMESTAYPRICE_FIELD_NUMBER: _ClassVar[int]
    id: int
    title: str
    subTitle: str
    banner: str
    info: str
    peopleNum: int
    homestayBusinessId: int
    userId: int
    rowState: int
    rowType: int
    foodInfo: str
    foodPrice: int
    homestayPrice: int
    marketHomestayPrice: int
    def __init__(self, id: _Optional[int] = ..., title: _Optional[str] = ..., subTitle: _Optional[str] = ..., banner: _Optional[str] = ..., info: _Optional[str] = ..., peopleNum: _Optional[int] = ..., homestayBusinessId: _Optional[int] = ..., userId: _Optional[int] = ..., rowState: _Optional[int] = ..., rowType: _Optional[int] = ..., foodInfo: _Optional[str] = ..., foodPrice: _Optional[int] = ..., homestayPrice: _Optional[int] = ..., marketHomestayPrice: _Optional[int] = ...) -> None: ...
