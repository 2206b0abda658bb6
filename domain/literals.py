"""Values as they stand in a statement's text: what the driver writes, for most values in a fraction of its time.

The driver looks for a value's writer in a table, by way of three calls, and writes dates piece by piece. Here each type
has its writer; whatever has none is the driver's to write.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from types import NoneType
from typing import Any, Final

from pymysql.converters import escape_string

# What may not stand in a text as it is.
_FIND_SPECIAL: Final = re.compile("[\0\n\r\x1a\"'\\\\]").search


def _text(value: str) -> str:
    # The driver goes through a text letter by letter. That is fast in C where all letters are ASCII, and slow where one
    # is not: there it is looked first whether there is anything to be done.
    if value.isascii() or _FIND_SPECIAL(value) is not None:
        return f"'{escape_string(value)}'"
    return f"'{value}'"


def _instant(value: datetime) -> str:
    # Databases have no offset, and the driver leaves it out.
    return f"'{value.isoformat(' ')}'" if value.tzinfo is None else f"'{value.replace(tzinfo=None).isoformat(' ')}'"


# By the exact type of a value. A text is written for a server that takes a backslash for the beginning of something
# special, which it may have been told not to do.
WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    str: _text,
    int: str,
    bool: lambda value: "1" if value else "0",
    NoneType: lambda _: "NULL",
    date: lambda value: f"'{value.isoformat()}'",
    datetime: _instant,
}
