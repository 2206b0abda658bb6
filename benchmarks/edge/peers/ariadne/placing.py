"""What an order is when it is placed: priced as ours, one row."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.edge.peers.ariadne.orders import WAIT_PAY, dates

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAY_WINDOW: Final = timedelta(seconds=1200)
_SHANGHAI: Final = timedelta(hours=8)
_MAX_NIGHTS: Final = 90
_PERSON: Final = 1


def refusal(wanted: dict[str, Any], homestay: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- a message of protobuf
    """Why an order can't be had; None where it can."""
    start, end = dates(wanted["liveStartDate"], wanted["liveEndDate"])
    if not 1 <= (end - start).days <= _MAX_NIGHTS:
        return _refused("INVALID_INPUT", "A stay has 1 to 90 nights.", "liveEndDate")
    if wanted["livePeopleNum"] < 1:
        return _refused("INVALID_INPUT", "At least one guest stays.", "livePeopleNum")
    if homestay is None:
        return _refused("HOMESTAY_NOT_FOUND", "There is no such homestay.", "homestayId")
    if homestay.rowState != 1:
        return _refused("HOMESTAY_OFF_SHELF", "This homestay is not on sale.", "homestayId")
    if wanted["livePeopleNum"] > homestay.peopleNum:
        return _refused("TOO_MANY_GUESTS", f"This homestay holds {homestay.peopleNum} guests.", "livePeopleNum")
    return None


def row(user_id: int, wanted: dict[str, Any], homestay: Any) -> dict[str, Any]:  # noqa: ANN401
    """The row of an order."""
    start, end = dates(wanted["liveStartDate"], wanted["liveEndDate"])
    nights, guests = (end - start).days, wanted["livePeopleNum"]
    homestay_total = homestay.homestayPrice * nights * (guests if homestay.rowType == _PERSON else 1)
    food_total = homestay.foodPrice * nights * guests if wanted["needFood"] else 0
    now = datetime.now(UTC).replace(tzinfo=None)
    created = now.replace(microsecond=0)
    return {
        "sn": f"HSO{now + _SHANGHAI:%Y%m%d%H%M%S}{_random()}",
        "user_id": user_id,
        "homestay_id": homestay.id,
        "homestay_business_id": homestay.homestayBusinessId,
        "homestay_user_id": homestay.userId,
        "title": homestay.title[:32],
        "sub_title": homestay.subTitle[:128],
        "cover": homestay.banner.partition(",")[0],
        "info": homestay.info,
        "people_num": homestay.peopleNum,
        "row_type": homestay.rowType,
        "need_food": wanted["needFood"],
        "food_info": homestay.foodInfo,
        "food_price": homestay.foodPrice,
        "homestay_price": homestay.homestayPrice,
        "market_homestay_price": homestay.marketHomestayPrice,
        "live_start_date": start,
        "live_end_date": end,
        "live_people_num": guests,
        "trade_state": WAIT_PAY,
        "trade_code": _random(),
        "remark": wanted["remark"],
        "order_total_price": homestay_total + food_total,
        "food_total_price": food_total,
        "homestay_total_price": homestay_total,
        "create_time": created,
        "update_time": created,
        "close_at": (now + _PAY_WINDOW).replace(microsecond=now.microsecond // 1000 * 1000),
        "close_reason": None,
    }


def _refused(code: str, message: str, field: str) -> dict[str, Any]:
    return {
        "order": None,
        "replayed": False,
        "userErrors": [{"code": code, "message": message, "field": ["input", field]}],
    }


def _random() -> str:
    return "".join(_ALPHABET[byte & 31] for byte in secrets.token_bytes(8))
