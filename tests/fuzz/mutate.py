"""Mutations that know what a file is made of: JSON values, words of a text, numbers in bytes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

RAW = {
    "@1@": "9" * 400,
    "@2@": "9" * 5000,
    "@3@": "1e999",
    "@4@": "-1e999",
    "@5@": "NaN",
    "@6@": "[" * 150 + "]" * 150,
    "@7@": "[" * 2000,
    "@8@": '{"a":' * 180 + "1" + "}" * 180,
    "@9@": '"\\ud800"',
    "@10@": '"\\u0000"',
    "@11@": "[" + "{}," * 3000 + "0]",
    "@12@": '"' + "x" * 100_000 + '"',
    "@13@": "1.5",
    "@14@": "-0.0",
    "@15@": "18446744073709551616",
    "@16@": "5e-324",
}
"""What stands in the text in place of a value, whether or not `json` would write it."""

VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        2**31,
        2**63,
        -(2**63),
        0.5,
        "",
        "x",
        "0",
        "\x1b]0;x\x07",
        "../x",
        "/etc",
    ),
    *("'\"`$(id)<script>", "日本語🙂", "\n", {}, [], [[]], {"": None}, [None], ["x"], [0], {"a": 1}, *RAW),
)

PIECES = (
    *(b"null", b"-1", b"1e999", b"9" * 400, b"NaN", b"true", b"{}", b"[]", b'""', b"[" * 2000, b"{" * 200),
    *(
        b"\x00",
        b"\xff",
        b"\\ud800",
        b"\n",
        b"{{",
        b"%}",
        b"'",
        b'"',
        b"=",
        b",",
        b":",
        b"9" * 5000,
        b"a." * 300,
    ),
    *(
        b"{% for m in messages %}",
        b"{% endfor %}",
        b"{{ raise_exception('x') }}",
        b"| tojson",
        b"~",
        b"((((",
        b"\xf0",
    ),
    *(b"\xef\xbb\xbf", b"\r\n", b"\t", b'"""', b"#", b"[[x]]\n", b"\x1b[2J", b"-", b"\\"),
)
EXTREMES = (
    b"\xff" * 4,
    bytes(4),
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\x00\x00",
    b"\x01\x00\x00\x00",
)

Mutate = Callable[[bytes, random.Random], bytes]


def json_like(seed: bytes, rng: random.Random) -> bytes:
    """Change values, keys and their order; now and then the text."""
    if rng.random() < 0.2:
        return text_like(seed, rng)
    value = json.loads(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        value = _change(value, rng)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    for mark, raw in RAW.items():
        if mark in text:
            text = text.replace(f'"{mark}"', raw)
    if rng.random() < 0.05:
        text = text.replace('": ', '": 1, "', 1)  # a key twice, or damage
    return text.encode("utf-8", "surrogatepass")


def lines_like(seed: bytes, rng: random.Random) -> bytes:
    """Rows of JSON: change one of the first of them."""
    rows = seed.splitlines()
    at = rng.randrange(min(4, len(rows)))
    rows[at] = json_like(rows[at], rng)
    return b"\n".join(rows)


def text_like(seed: bytes, rng: random.Random) -> bytes:
    """Take words out, put them in twice or elsewhere, and pieces of other texts between them."""
    words = re.findall(rb"\w+|\s+|.", seed, re.DOTALL)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(6):
            case 0:
                del words[at : at + rng.choice((1, 1, 3, 20))]
            case 1:
                words[at:at] = words[at : at + rng.choice((1, 5, 50))]
            case 2:
                words[at : at + 1] = [rng.choice(PIECES)]
            case 3:
                words[at:at] = [rng.choice(PIECES)]
            case 4:
                words[at : at + 1] = [rng.choice(words)] if words else []
            case 5:
                words = words[: at + 1] if rng.random() < 0.3 else words
    return b"".join(words)


def bytes_like(seed: bytes, rng: random.Random) -> bytes:
    """Flip bits, put numbers at the ends of their ranges, copy, cut, and change lengths."""
    data = bytearray(seed)
    # Headers decide what is read: half of the changes are there.
    end = len(data) if rng.random() < 0.5 else min(len(data), 512)
    for _ in range(rng.choice((1, 1, 2, 5, 40))):
        at = rng.randrange(end)
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                data[at : at + 1] = bytes([data[at] ^ 1 << rng.randrange(8)]) if at < len(data) else b""
            case 2:
                data[at : at + 4] = rng.choice(EXTREMES)
            case 3:
                source = rng.randrange(end)
                data[at : at + 4] = data[source : source + 4]
            case 4:
                data[at:at] = rng.choice((b"\x00", b"\xff", rng.randbytes(3)))
            case 5:
                del data[at : at + rng.choice((1, 4))]
    if rng.random() < 0.1:
        del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def _change(value: Any, rng: random.Random) -> Any:
    """One change at one place of a JSON value."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.02:
        return rng.choice(VALUES)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value[:at] + [value[at]] * rng.choice((2, 3, 50)) + value[at:]
            case 2:
                return [*value, rng.choice(VALUES)]
            case _:
                return [*value[:at], _change(value[at], rng), *value[at + 1 :]]
    key = rng.choice(list(value))
    changed = dict(value)
    match rng.randrange(10):
        case 0:
            del changed[key]
        case 1:
            changed[key] = rng.choice(VALUES)
        case 2:
            changed[key] = value[rng.choice(list(value))]
        case 3:
            changed[rng.choice(("", "x", "__class__", key + "_", key.upper(), "\ud800", "\x00"))] = (
                changed.pop(key)
            )
        case 4:
            changed[rng.choice(("extra", "schema_version", "version", "type"))] = rng.choice(VALUES)
        case _:
            changed[key] = _change(value[key], rng)
    return changed
