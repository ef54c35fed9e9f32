"""The resource table (resources.arsc): only the name of its package is of interest here.

The table is a chunk of type 0x0002 that holds a string pool and one chunk of type 0x0200 for each package, which begins
with its number (u32) and its name, 128 UTF-16 units padded with zeros (ResourceTypes.h, `ResTable_package`). Android
finds resources by number; the name matters to code that looks one up by name and to tools that show it.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edgekit.errors import InputError

RESOURCES = "resources.arsc"

_TABLE, _PACKAGE = 0x0002, 0x0200
_NAME_AT, _NAME_BYTES = 12, 256


def rename_package(table: bytes, placeholder: str, application_id: str, where: str | Path) -> bytes:
    """Give the packages of this name another one. Raises InputError when the table is damaged."""
    renamed = bytearray(table)
    try:
        kind, header, size = struct.unpack_from("<HHI", table)
        if kind != _TABLE or size != len(table) or header < 12:
            raise InputError("this is no resource table, or a part of one", where=where)
        offset = header
        while offset < len(table):
            kind, header, size = struct.unpack_from("<HHI", table, offset)
            if not 8 <= header <= size <= len(table) - offset:
                raise InputError(f"the resource table is damaged at byte {offset}", where=where)
            if kind == _PACKAGE and header >= _NAME_AT + _NAME_BYTES:
                field = slice(offset + _NAME_AT, offset + _NAME_AT + _NAME_BYTES)
                name = table[field].decode("utf-16-le", "replace").split("\0")[0]
                if name == placeholder:
                    renamed[field] = application_id.encode("utf-16-le").ljust(_NAME_BYTES, b"\0")
            offset += size
    except struct.error as error:
        raise InputError(f"the resource table is damaged: {error}", where=where) from error
    return bytes(renamed)
