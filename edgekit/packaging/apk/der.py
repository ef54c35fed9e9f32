"""As much DER as it takes to find the keys in a PKCS #12 keystore.

PFX ::= SEQUENCE { version 3, authSafe ContentInfo, macData }; authSafe holds, as octets, a sequence of ContentInfos, of
which those of the kind `data` hold SafeContents: bags, each with an id, a value and attributes. Keys lie in bags of the
kind pkcs8ShroudedKeyBag, encrypted each by itself, with their alias as the attribute friendlyName (RFC 7292).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE, _INTEGER, _CONTEXT_0 = 0x30, 0x02, 0xA0
_DATA = bytes.fromhex("2a864886f70d010701")
_SHROUDED_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0102")
_FRIENDLY_NAME = bytes.fromhex("2a864886f70d010914")


@dataclass(frozen=True)
class ShroudedKey:
    """A private key in a keystore. name: its alias. encrypted: an EncryptedPrivateKeyInfo (PKCS #8)."""

    name: str
    encrypted: bytes


def is_pkcs12(data: bytes) -> bool:
    """Tell whether some bytes begin as a PKCS #12 keystore does."""
    try:
        version = next(_inside(data, _SEQUENCE))
    except (ValueError, StopIteration):
        return False
    return version == (_INTEGER, b"\3", version[2])


def shrouded_keys(data: bytes) -> list[ShroudedKey]:
    """The keys of a PKCS #12 keystore in their order; none when they lie elsewhere than keytool puts them."""
    try:
        return list(_shrouded_keys(data))
    except (ValueError, StopIteration):
        return []


def _shrouded_keys(data: bytes) -> Iterator[ShroudedKey]:
    _, authenticated, *_ = _inside(data, _SEQUENCE)
    for _, _, content in _inside(_data_of(authenticated[2]) or b"", _SEQUENCE):
        safe = _data_of(content)
        if safe is None:  # encrypted as a whole: certificates
            continue
        for _, body, _ in _inside(safe, _SEQUENCE):
            bag = list(_values(body))
            if bag[0][1] == _SHROUDED_KEY_BAG:
                attributes = bag[2][1] if len(bag) > 2 else b""
                yield ShroudedKey(_friendly_name(attributes), bag[1][1])


def _data_of(content_info: bytes) -> bytes | None:
    """The octets of a ContentInfo of the kind `data`, None for another kind."""
    kind, *rest = _inside(content_info, _SEQUENCE)
    if kind[1] != _DATA or not rest or rest[0][0] != _CONTEXT_0:
        return None
    return next(_values(rest[0][1]))[1]


def _friendly_name(attributes: bytes) -> str:
    for _, body, _ in _values(attributes):
        (_, kind, _), (_, values, _) = _values(body)
        if kind == _FRIENDLY_NAME:
            return next(_values(values))[1].decode("utf-16-be")
    return ""


def _inside(data: bytes, tag: int) -> Iterator[tuple[int, bytes, bytes]]:
    """The values in a constructed value."""
    found, body, _ = next(_values(data))
    if found != tag:
        raise ValueError(f"tag {found:#04x} where {tag:#04x} is expected")
    return _values(body)


def _values(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Values one after the other: tag, content, and both as they lie there."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("a value has no end")
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start], "big")
        if start + length > len(data):
            raise ValueError("a value has no end")
        yield tag, data[start : start + length], data[at : start + length]
        at = start + length
