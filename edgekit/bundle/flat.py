"""Reading flatbuffers that may be damaged: every access is checked, every amount is bounded.

The `flatbuffers` package trusts its input: an offset beyond the end raises `struct.error`, a negative one
wraps around to the end of the file, a false length makes a loop of four billion rounds. A `Flat` checks each
position before touching it and counts what it hands out, so that garbage ends as `FlatError` within a bounded
time and without large allocations.

The layout it reads is FlatBuffers' own: little-endian; a table starts with a signed 32-bit distance back to
its vtable; the vtable holds its own size, the table's size and one 16-bit distance per field (0: absent);
strings, vectors and tables are reached by unsigned 32-bit distances from where they are stored; vectors start
with a 32-bit count. Source: FlatBuffers, "Internals".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TABLES = 400_000
"""Tables handed out before a buffer counts as damaged. The largest graphs met have some 20,000; shared
references could otherwise turn a small file into endless work.
"""

MAX_TEXT_BYTES = 64 * 1024 * 1024
"""Bytes of text decoded before a buffer counts as damaged (strings may be shared as well)."""

_U8 = struct.Struct("<B")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")


class FlatError(Exception):
    """The bytes are no valid flatbuffer; the message says what is wrong. Callers turn it into an error that
    names the file.
    """


class Flat:
    """A flatbuffer that is not trusted."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.size = len(data)
        self._tables_left = MAX_TABLES
        self._text_left = MAX_TEXT_BYTES

    def root(self) -> Table:
        """Return the root table. Raises FlatError when it lies outside."""
        return self.table_at(self.offset_at(0, "the root table"), "the root table")

    def number(self, form: struct.Struct, position: int, what: str) -> int | float | bool:
        """Unpack one number at a position. Raises FlatError when it reaches outside."""
        if position < 0 or position + form.size > self.size:
            raise FlatError(f"{what} lies outside its {self.size} bytes (at {position})")
        value: int | float | bool = form.unpack_from(self.data, position)[0]
        return value

    def offset_at(self, position: int, what: str) -> int:
        """Follow the distance stored at a position; returns the absolute target."""
        distance = int(self.number(_U32, position, what))
        target = position + distance
        if distance == 0 or target + 4 > self.size:
            raise FlatError(f"{what} points outside its {self.size} bytes (to {target})")
        return target

    def table_at(self, position: int, what: str) -> Table:
        """Open the table at a position, its vtable checked."""
        self._tables_left -= 1
        if self._tables_left < 0:
            raise FlatError(f"it refers to more than {MAX_TABLES} tables")
        vtable = position - int(self.number(_I32, position, what))
        length = int(self.number(_U16, vtable, f"the layout of {what}"))
        inline = int(self.number(_U16, vtable + 2, f"the layout of {what}"))
        if (
            length < 4
            or length % 2
            or vtable + length > self.size
            or inline < 4
            or position + inline > self.size
        ):
            raise FlatError(f"the layout of {what} is impossible")
        return Table(self, position, vtable, length, inline, what)

    def vector_at(self, position: int, item_bytes: int, what: str) -> tuple[int, int]:
        """Return (position of the first item, count) of a vector whose items all lie inside."""
        count = int(self.number(_U32, position, what))
        if position + 4 + count * item_bytes > self.size:
            raise FlatError(f"{what} claims {count} entries, more than its {self.size} bytes hold")
        return position + 4, count

    def text_at(self, position: int, what: str) -> str:
        """Decode the string at a position."""
        start, count = self.vector_at(position, 1, what)
        self._text_left -= count
        if self._text_left < 0:
            raise FlatError(f"it refers to more than {MAX_TEXT_BYTES} bytes of text")
        try:
            return str(self.data[start : start + count], "utf-8")
        except UnicodeDecodeError:
            raise FlatError(f"{what} is not valid UTF-8") from None


@dataclass(frozen=True, slots=True)
class Table:
    """One table; fields are addressed by their number in the schema, counted from 0."""

    flat: Flat
    position: int
    vtable: int
    vtable_bytes: int
    inline_bytes: int
    what: str

    def _field(self, number: int, size: int) -> int | None:
        """Return where a field's inline part lies, or None when the field is absent."""
        entry = 4 + 2 * number
        if entry + 2 > self.vtable_bytes:
            return None
        distance = int(self.flat.number(_U16, self.vtable + entry, f"the layout of {self.what}"))
        if distance == 0:
            return None
        if distance < 4 or distance + size > self.inline_bytes:
            raise FlatError(f"field {number} of {self.what} lies outside the table")
        return self.position + distance

    def number(self, number: int, form: struct.Struct, default: int | float | bool = 0) -> int | float | bool:
        """Return a number, or the schema's default when absent."""
        position = self._field(number, form.size)
        return (
            default
            if position is None
            else self.flat.number(form, position, f"field {number} of {self.what}")
        )

    def integer(self, number: int, form: struct.Struct, default: int = 0) -> int:
        """Return an integer, or the schema's default when absent."""
        return int(self.number(number, form, default))

    def code(self, number: int) -> int:
        """Return an unsigned byte (an enum value or a union's type), 0 when absent."""
        return self.integer(number, _U8)

    def table(self, number: int, what: str) -> Table | None:
        """Return a sub-table, or None when absent."""
        position = self._field(number, 4)
        return None if position is None else self.flat.table_at(self.flat.offset_at(position, what), what)

    def text(self, number: int, what: str) -> str | None:
        """Return a string, or None when absent."""
        position = self._field(number, 4)
        return None if position is None else self.flat.text_at(self.flat.offset_at(position, what), what)

    def items(self, number: int, item_bytes: int, what: str) -> memoryview | None:
        """Return the raw bytes of a vector of numbers, or None when absent."""
        position = self._field(number, 4)
        if position is None:
            return None
        start, count = self.flat.vector_at(self.flat.offset_at(position, what), item_bytes, what)
        return self.flat.data[start : start + count * item_bytes]

    def integers(self, number: int, what: str) -> tuple[int, ...] | None:
        """Return a short vector of signed 32-bit integers, such as a shape, or None when absent.

        Raises FlatError beyond 64 entries: a shared vector must not be unpacked at length time and again.
        """
        data = self.items(number, 4, what)
        if data is None:
            return None
        if len(data) > 4 * 64:
            raise FlatError(f"{what} has {len(data) // 4} entries")
        return struct.unpack(f"<{len(data) // 4}i", data)

    def count(self, number: int, item_bytes: int, what: str) -> int:
        """Return the length of a vector, 0 when absent."""
        data = self.items(number, item_bytes, what)
        return 0 if data is None else len(data) // item_bytes

    def tables(self, number: int, what: str) -> Iterator[Table]:
        """Yield the tables of a vector, each checked when it is reached."""
        position = self._field(number, 4)
        if position is None:
            return
        start, count = self.flat.vector_at(self.flat.offset_at(position, what), 4, what)
        for index in range(count):
            name = f"entry {index} of {what}"
            yield self.flat.table_at(self.flat.offset_at(start + 4 * index, name), name)

    def table_in(self, number: int, index: int, what: str) -> Table:
        """Return one table of a vector. Raises FlatError when there are not that many."""
        position = self._field(number, 4)
        start, count = (
            (0, 0) if position is None else self.flat.vector_at(self.flat.offset_at(position, what), 4, what)
        )
        if not 0 <= index < count:
            raise FlatError(f"entry {index} of {what} is asked for, there are {count}")
        name = f"entry {index} of {what}"
        return self.flat.table_at(self.flat.offset_at(start + 4 * index, name), name)
