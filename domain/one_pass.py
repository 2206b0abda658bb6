"""aiomysql's answers, decoded in one pass.

The driver reads an answer packet by packet, and makes an object of each: for a row of 31 columns it reads 35. What
is usual of an answer is looked at here where it comes, in the buffer of the driver's stream, and taken out in one go;
the rest stays there, and is the driver's own work. So nothing is known here of errors, of packets of 16 MB, of files to
be sent, and of what a column's type means: that is asked of the driver when a statement's columns come for the first
time.

The buffer of a stream, and the way to wait for more in it, are not public in asyncio; a test runs every sort of answer
through both, in pieces.

`OnePassConnection.one_pass = False` turns it off.
"""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

import aiomysql
from aiomysql.connection import MySQLResult
from pymysql import converters
from pymysql.constants.SERVER_STATUS import SERVER_MORE_RESULTS_EXISTS

# Bytes of an answer up to which it is taken for usual.
MOST: Final = 1024 * 1024
# Sets of columns that a connection remembers: of the statements that are asked for all the time there are a dozen.
MAX_HEADS: Final = 64

_HEADER: Final = 4
# A packet that ends columns or rows: its mark, warnings, and what the server says of itself.
_END: Final = 0xFE
_END_SIZE: Final = 5
# The first byte of a value's length where it takes one byte, two bytes, or there is no value.
_NULL: Final = 251
_TWO_BYTES: Final = 252
# The first byte of an answer that is neither success nor a set of rows: an error, or a file that is asked for.
_NO_ROWS: Final = frozenset({0xFB, 0xFF})
_OK: Final = 0x00
# Of a success: the server's status and its warnings, and what is taken for usual, most of which is what it says.
_STATUS_SIZE: Final = 4
_LONGEST_OK: Final = 1024
# How many bytes a number takes that is more than the first of them can say.
_NUMBER_SIZES: Final = {252: 2, 253: 3, 254: 8}
_DATE_SIZE: Final = 10

Convert = Callable[[bytes], Any]
Decode = Callable[[bytes, int, int, list[tuple[Any, ...]]], tuple[int, int, bool]]


class _Head:
    """What comes before the rows: which columns there are. The bytes are the same each time."""

    def __init__(self, raw: bytes, result: MySQLResult) -> None:
        self.raw = raw
        self.fields = result.fields
        self.converters = result.converters
        self.description = result.description
        self.decode = _decoder(tuple(_convert(*each) for each in result.converters))
        self.count = len(result.converters)
        # Of the packet that ends the columns; the first of these bytes says what number the first packet has.
        self.number = raw[3] + self.count + 1


class OnePassConnection(aiomysql.Connection):  # type: ignore[misc] # the driver declares no types
    """A connection that decodes most answers in one pass.

    Attributes:
        one_pass: whether it does.
    """

    one_pass = True
    _next_seq_id: int

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- the driver's own
        super().__init__(*args, **named)
        self._heads: dict[bytes, _Head] = {}

    async def _read_query_result(self, unbuffered: bool = False) -> None:  # noqa: FBT001, FBT002 -- the driver's signature
        self._result = None
        if not unbuffered and self.one_pass and (ahead := self._came) is not None:
            found = await self._read_usual(ahead)
            if isinstance(found, MySQLResult):
                self._result, self._affected_rows = found, found.affected_rows
                return
            self._waits()
            await super()._read_query_result()
            if found is not None:
                self._remember(found)
            return
        self._waits()
        await super()._read_query_result(unbuffered)

    def _waits(self) -> None:
        """Called before an answer, or the rest of one, is waited for."""

    @property
    def _came(self) -> bytearray | None:
        """What came and was not read yet; None where nothing more can come."""
        reader = self._reader
        return None if reader is None or reader._eof or reader.exception() is not None else reader._buffer  # noqa: SLF001

    async def _read_more(self) -> bool:
        """Waits for what comes next; returns whether anything did, and there may be more of it."""
        if (ahead := self._came) is None or len(ahead) > MOST:
            return False
        self._waits()
        try:
            await self._reader._wait_for_data("read_more")  # noqa: SLF001
        except asyncio.CancelledError:
            self._close_on_cancel()
            raise
        except OSError:
            return False  # the driver comes upon it, too, and tells of it
        return self._came is not None

    async def _read_usual(self, ahead: bytearray) -> "MySQLResult | bytes | None":
        """What was answered where that is usual; the bytes of columns that are not known; None where all is unusual."""
        while len(ahead) <= _HEADER:
            if not await self._read_more():
                return None
        if ahead[_HEADER] == _OK:
            return await self._read_ok(ahead)
        head = None if ahead[_HEADER] in _NO_ROWS else await self._read_head(ahead)
        return await self._read_rows(head, ahead) if isinstance(head, _Head) else head

    async def _read_ok(self, ahead: bytearray) -> MySQLResult | None:
        """Takes a success without rows; None where there is something unusual in it."""
        end = _HEADER + (ahead[0] | ahead[1] << 8 | ahead[2] << 16)
        if ahead[3] != self._next_seq_id or end > _LONGEST_OK:
            return None
        while len(ahead) < end:
            if not await self._read_more():
                return None
        try:
            affected, place = _number(ahead, _HEADER + 1)
            insert_id, place = _number(ahead, place)
        except (IndexError, KeyError):
            return None
        if end - place < _STATUS_SIZE:
            return None
        result = MySQLResult(self)
        result.connection = None
        result.affected_rows, result.insert_id = affected, insert_id
        self.server_status = result.server_status = ahead[place] | ahead[place + 1] << 8
        result.warning_count = ahead[place + 2] | ahead[place + 3] << 8
        result.message = bytes(ahead[place + _STATUS_SIZE : end])
        result.has_next = result.server_status & SERVER_MORE_RESULTS_EXISTS
        self._next_seq_id = (self._next_seq_id + 1) & 0xFF
        del ahead[:end]
        return result

    async def _read_head(self, ahead: bytearray) -> "_Head | bytes | None":
        """The columns where they are known, their bytes where they are not; None where there is something unusual."""
        if ahead[3] != self._next_seq_id:
            return None
        while True:
            for head in self._heads.values():
                if ahead.startswith(head.raw):
                    return head
            end = _end_of_columns(ahead)
            if end is not None:
                return bytes(ahead[:end])
            if not await self._read_more():
                return None

    def _remember(self, raw: bytes) -> None:
        result = self._result
        if result is not None and result.description is not None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[raw] = _Head(raw, result)

    async def _read_rows(self, head: _Head, ahead: bytearray) -> MySQLResult | None:
        """Takes a whole answer out of what came; None where there is something unusual in it."""
        rows = list[tuple[Any, ...]]()
        place, number = len(head.raw), head.number
        while len(ahead) < place + _HEADER + _END_SIZE:
            if not await self._read_more():
                return None
        if ahead[place : place + _HEADER + 1] != bytes((_END_SIZE, 0, 0, number & 0xFF, _END)):
            return None
        place, number = place + _HEADER + _END_SIZE, number + 1
        while True:
            data = bytes(ahead)
            try:
                place, number, is_end = head.decode(data, place, number, rows)
            except (IndexError, ValueError):
                return None
            if is_end:
                break
            if not await self._read_more():
                return None
        result = MySQLResult(self)
        result.connection = None
        result.field_count = head.count
        result.fields, result.converters, result.description = head.fields, head.converters, head.description
        result.rows = tuple(rows)
        result.affected_rows = len(rows)
        result.warning_count = int.from_bytes(data[place + 5 : place + 7], "little")
        result.has_next = bool(data[place + 7] & SERVER_MORE_RESULTS_EXISTS)
        self._next_seq_id = (number + 1) & 0xFF
        del ahead[: place + _HEADER + _END_SIZE]
        return result


def _number(data: bytearray, place: int) -> tuple[int, int]:
    """A number as it stands in a packet, and where it ends."""
    first = data[place]
    if first < _NULL:
        return first, place + 1
    end = place + 1 + _NUMBER_SIZES[first]
    return int.from_bytes(data[place + 1 : end], "little"), end


def _end_of_columns(data: bytearray) -> int | None:
    """Where the packet is that ends the columns; None where it is not there yet, or there is something unusual."""
    size, place = len(data), 0
    for _ in range(1 + data[_HEADER]):
        if place + _HEADER > size:
            return None
        place += _HEADER + (data[place] | data[place + 1] << 8 | data[place + 2] << 16)
    return place if place + _HEADER < size and data[place + _HEADER] == _END else None


def _decoder(convert: tuple[Convert, ...]) -> Decode:
    """Makes what decodes the rows of these columns, a function written as those of `dataclasses` are.

    A loop over the columns would take twice as long. Nothing gets into the text of it but numbers.
    """
    lines = []
    for number, one in enumerate(convert):
        value = _INLINE.get(one, f"convert[{number}](data[start:at])")
        lines += [
            "        width = data[at]",
            f"        if width < {_NULL}: start = at + 1; at = start + width; v{number} = {value}",
            f"        elif width == {_NULL}: at += 1; v{number} = None",
            f"        elif width == {_TWO_BYTES}:",
            f"            start = at + 3; at = start + (data[at + 1] | data[at + 2] << 8); v{number} = {value}",
            "        else: raise ValueError('a value is long, or none')",
        ]
    text = _ROWS.format("\n".join(lines), ", ".join(f"v{number}" for number in range(len(convert))))
    known: dict[str, Any] = {"convert": convert}
    exec(compile(text, "<rows>", "exec"), known)  # noqa: S102 -- written above
    decode: Decode = known["decode"]
    return decode


# Decodes the rows that are there as a whole.
#
# data: what was read of an answer; place: where the first row begins that is not decoded yet; number: that this packet
# has to have; rows: where they go. Returns where the next packet begins, its number, and whether it is the end of the
# rows. Raises ValueError or IndexError where there is something unusual.
_ROWS: Final = f"""\
def decode(data, place, number, rows):
    size = len(data)
    while place + {_HEADER} < size:
        length = data[place] | data[place + 1] << 8 | data[place + 2] << 16
        at = place + {_HEADER}
        end = at + length
        if end > size: break
        if data[place + 3] != number & 255: raise ValueError('a packet is missing')
        if data[at] == {_END} and length == {_END_SIZE}: return place, number, True
{{}}
        if at != end: raise ValueError('a row has another length than its packet')
        rows.append(({{}},))
        place = end
        number += 1
    return place, number, False
"""


def _convert(encoding: str | None, converter: Callable[[Any], Any] | None) -> Convert:
    """From a value's bytes to what the driver makes of them."""
    if encoding is None:
        return bytes if converter is None else converter
    if converter is int:
        return int
    if converter is None:
        return _utf8 if encoding in {"utf8", "utf-8"} else lambda value: value.decode(encoding)
    if converter is converters.convert_date:
        return _date
    if converter is converters.convert_datetime:
        return _datetime
    return lambda value: converter(value.decode(encoding))


_utf8: Final = bytes.decode


def _date(value: bytes) -> Any:  # noqa: ANN401 -- a text where the database keeps no date
    text = value.decode("ascii")
    try:
        return date.fromisoformat(text) if len(text) == _DATE_SIZE else converters.convert_date(text)
    except ValueError:
        return converters.convert_date(text)


def _datetime(value: bytes) -> Any:  # noqa: ANN401 -- a text where the database keeps no instant
    text = value.decode("ascii")
    try:
        return datetime.fromisoformat(text) if text[_DATE_SIZE : _DATE_SIZE + 1] == " " else _stock_datetime(text)
    except ValueError:
        return _stock_datetime(text)


_stock_datetime: Final = converters.convert_datetime
# What a call would cost more than it does.
_INLINE: Final[dict[Convert, str]] = {
    int: "int(data[start:at])",
    bytes: "data[start:at]",
    _utf8: "data[start:at].decode()",
}
