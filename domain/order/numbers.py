"""Order numbers and check-in codes: the existing system's form, but not to be guessed."""

import secrets
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

# Digits and capitals that nobody misreads aloud or on paper: no I, L, O, U (Crockford's base 32). Each stands
# for as many of the 256 values of a byte, so that none is likelier than another.
_LETTERS: Final = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ" * 8
# Between the digits of an ISO time.
_SIGNS: Final = {ord(sign): None for sign in "-T:"}


def order_sn(now: datetime, zone: ZoneInfo) -> str:
    """Returns `HSO`, 14 digits of local time and 8 random characters (40 bits): 25 in all."""
    local = now.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")
    return f"HSO{local.translate(_SIGNS)}{_random(8)}"


def trade_code() -> str:
    """Returns a check-in code of 8 random characters (40 bits)."""
    return _random(8)


def _random(length: int) -> str:
    return secrets.token_bytes(length).translate(_LETTERS).decode()
