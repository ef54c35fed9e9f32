"""What the app of the tests is called and holds."""

from __future__ import annotations

import random

from edgekit.packaging.identity import Identity

IDENTITY = Identity("com.example.navigator", "Innstillinger 🎈 設定", "2.1-beta", 42)
MODEL = "navigator.litertlm"
BUNDLE_BYTES = (2 << 20) + 12_345
"""More than two chunks of a signature's digest, and no whole number of them."""


def garbled(data: bytes, seed: int) -> bytes:
    """The same bytes with some damage: a few changed, a piece cut out, or the end missing."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(damaged[: chance.randrange(len(damaged))])
    if kind == 1:
        start = chance.randrange(len(damaged))
        del damaged[start : start + chance.randrange(1, 64)]
        return bytes(damaged)
    for _ in range(chance.randrange(1, 8)):
        damaged[chance.randrange(len(damaged))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
    return bytes(damaged)
