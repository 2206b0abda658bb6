"""Order numbers and check-in codes: the existing system's form, but not to be guessed."""

import secrets
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

# Digits and capitals that nobody misreads aloud or on paper: no I, L, O, U (Crockford's base 32).
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def order_sn(now: datetime, zone: ZoneInfo) -> str:
    """Returns `HSO`, 14 digits of local time and 8 random characters (40 bits): 25 in all."""
    return f"HSO{now.astimezone(zone):%Y%m%d%H%M%S}{_random(8)}"


def trade_code() -> str:
    """Returns a check-in code of 8 random characters (40 bits)."""
    return _random(8)


def _random(length: int) -> str:
    # Each letter has as many of the 256 values of a byte, so that none is likelier than another.
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length))
