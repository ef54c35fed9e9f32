"""As much DER as it takes to find the keys in a PKCS #12 keystore.

PFX ::= SEQUENCE { version 3, authSafe ContentInfo, macData }; authSafe holds, as octets, a sequence of ContentInfos, of
which those of the kind `data` hold SafeContents: bags, each with an id, a value and attributes. Keys lie in bags of the
kind pkcs8ShroudedKeyBag, encrypted each by itself, with their alias as the attribute friendlyName (RFC 7292).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE, _INTEGER = 0x30, 0x02
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
        version = _first(_first(data, _SEQUENCE).content)
    except ValueError:
        return False
    return (version.tag, version.content) == (_INTEGER, b"\3")


def shrouded_keys(data: bytes) -> list[ShroudedKey]:
    """The keys of a PKCS #12 keystore in their order; none when they lie elsewhere than keytool puts them."""
    try:
        return list(_shrouded_keys(data))
    except ValueError:
        return []


@dataclass(frozen=True)
class _Value:
    """A DER value. whole: with its tag and length."""

    tag: int
    content: bytes
    whole: bytes


def _shrouded_keys(data: bytes) -> Iterator[ShroudedKey]:
    _, authenticated, *_ = _inside(data)
    for content_info in _inside(_data_of(authenticated.whole) or b""):
        safe = _data_of(content_info.whole)
        if safe is None:  # encrypted as a whole: certificates
            continue
        for bag in _inside(safe):
            kind, value, *attributes = _values(bag.content)
            if kind.content == _SHROUDED_KEY_BAG:
                name = _friendly_name(attributes[0].content) if attributes else ""
                yield ShroudedKey(name, value.content)


def _data_of(content_info: bytes) -> bytes | None:
    """The octets of a ContentInfo of the kind `data`, None for another kind."""
    kind, *rest = _inside(content_info)
    if kind.content != _DATA or not rest:
        return None
    return _first(rest[0].content).content


def _friendly_name(attributes: bytes) -> str:
    for attribute in _values(attributes):
        kind, values = _values(attribute.content)
        if kind.content == _FRIENDLY_NAME:
            return _first(values.content).content.decode("utf-16-be")
    return ""


def _inside(data: bytes) -> list[_Value]:
    """The values in a sequence. Raises ValueError when there is none."""
    return list(_values(_first(data, _SEQUENCE).content))


def _first(data: bytes, tag: int | None = None) -> _Value:
    """The first value. Raises ValueError when there is none, or it has another tag."""
    value = next(_values(data), None)
    if value is None or tag not in (None, value.tag):
        raise ValueError(f"no value with the tag {tag}")
    return value


def _values(data: bytes) -> Iterator[_Value]:
    """Values one after the other."""
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
        yield _Value(tag, data[start : start + length], data[at : start + length])
        at = start + length
