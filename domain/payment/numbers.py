"""Payment numbers: the existing system's form, but not to be guessed."""

import secrets
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

# Digits and capitals that nobody misreads aloud or on paper: no I, L, O, U (Crockford's base 32).
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def payment_sn(now: datetime, zone: ZoneInfo) -> str:
    """Returns `PMT`, 14 digits of local time and 8 random characters (40 bits): 25 in all."""
    drawn = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"PMT{now.astimezone(zone):%Y%m%d%H%M%S}{drawn}"
