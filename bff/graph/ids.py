"""Global ids and cursors: opaque to clients, and to be read back only in the form in which they were given."""

import base64
import binascii
from typing import Final

from domain.errors import InvalidInput

HOMESTAY: Final = "Homestay"
ORDER: Final = "HomestayOrder"
_CURSOR: Final = "order"
_MAX_INT64: Final = 2**63 - 1
# Longer than anything that we give out.
_MAX_LENGTH: Final = 128


def global_id(kind: str, key: str | int) -> str:
    """The id of an object, unique over all types."""
    return _pack(kind, str(key))


def parse_global_id(value: str) -> tuple[str, str] | None:
    """The type and key of a global id, or None where it is none of ours."""
    kind, separator, key = _unpack(value).partition(":")
    return (kind, key) if separator else None


def cursor(order_id: int) -> str:
    """An order's place in a list: its key, so that new orders shift no page."""
    return _pack(_CURSOR, str(order_id))


def parse_cursor(value: str, argument: str) -> int:
    """The place that a cursor names.

    Raises:
        InvalidInput: it is none of ours.
    """
    kind, _, key = _unpack(value).partition(":")
    number = _integer(key) if kind == _CURSOR else None
    if number is None:
        raise InvalidInput("This cursor was not given out here; use a `cursor` or `endCursor` of this list.", argument)
    return number


def parse_homestay_id(value: str) -> int | None:
    """The travel service's number of a homestay, from that number or from a global id; None where it is neither."""
    parsed = parse_global_id(value)
    return _integer(parsed[1] if parsed and parsed[0] == HOMESTAY else value)


def homestay_number(value: str, argument: str = "homestayId") -> int:
    """The travel service's number of a homestay that a client names.

    Raises:
        InvalidInput: it can be no homestay's.
    """
    number = parse_homestay_id(value)
    if number is None:
        raise InvalidInput("A homestay's id is its number or its global id.", argument)
    return number


def _integer(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal()) or text.startswith("0"):
        return None
    number = int(text) if len(text) <= len(str(_MAX_INT64)) else 0
    return number if 0 < number <= _MAX_INT64 else None


def _pack(kind: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode()


def _unpack(value: str) -> str:
    if len(value) > _MAX_LENGTH:
        return ""
    try:
        decoded = base64.b64decode(value, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    # Base 64 has several spellings of the same bytes; we give out one.
    exact = decoded.isascii() and base64.urlsafe_b64encode(decoded).decode() == value
    return decoded.decode("ascii") if exact else ""
