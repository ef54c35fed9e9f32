"""A bundle's signature, `edgekit.sig`: who vouches for its files.

Three lines, and below them the list that was signed, in the form of `sha256sum`:

    edgekit-signature 1
    key SHA-256 OF THE PUBLIC KEY
    signature ED25519 OVER ALL THAT FOLLOWS, IN BASE64
    # edgekit bundle 1
    SHA-256  edgekit.json
    …

so that `openssl` and `sha256sum` check it as well. Keys are PEM files: PKCS #8, and SubjectPublicKeyInfo (RFC 8410).
The key's name is the SHA-256 of its SubjectPublicKeyInfo in DER. The list is verified before it is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgekit.bundle.directory import is_plain_name
from edgekit.errors import InputError
from edgekit.files.within import read_regular

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MOST_BYTES: Final = 64 << 10
"""Of a signature file, and of a key file."""

_FORM: Final = b"edgekit-signature 1"
SOMETHING_ELSE: Final = "see whether this is the right place, and not a newer edgekit's"
"""What to do where no signature is found."""
_FIRST: Final = "# edgekit bundle 1"  # nothing else that a key has signed passes for a bundle
_LISTED: Final = re.compile(r"([0-9a-f]{64})  (.+)")
PASSWORD_VARIABLE: Final = "EDGEKIT_KEY_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable that holds the password of an encrypted key."""

_NEW_KEY: Final = "openssl genpkey -algorithm ed25519 -out KEY"


class SignatureFaultError(Exception):
    """A signature that does not hold; the message says why. remedy: None when whoever signed must say."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class Key:
    """A public key. id: SHA-256 of the key, by which a signature names it. pem: the file's content."""

    public: Ed25519PublicKey
    id: str
    pem: bytes


@dataclass(frozen=True)
class SigningKey:
    """A private key, the file that it came from, and the public key that verifies what it signs."""

    path: Path
    private: Ed25519PrivateKey
    public: Key


@dataclass(frozen=True)
class Signed:
    """What a signature says. key: id of the key. files: SHA-256 by name."""

    key: str
    files: Mapping[str, str]


# ---------------------------------------- keys


def read_signing_key(path: Path) -> SigningKey:
    """Read a private key; the password of an encrypted one comes from the environment, or from who is at the terminal.

    Raises InputError when the file is no private key of Ed25519, or the password is wrong or missing.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _content(path)
    password = _password(path) if b"ENCRYPTED" in content else None
    private = _parsed(
        lambda: load_pem_private_key(content, password),
        path,
        "it is no private key in PEM, or the password is wrong",
    )
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError("this key is not of Ed25519", where=path, remedy=f"make one: {_NEW_KEY}")
    return SigningKey(path, private, _key(private.public_key()))


def read_key(path: Path) -> Key:
    """Read a public key. Raises InputError when the file is none of Ed25519."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _content(path)
    remedy = f"openssl pkey -in PRIVATE -pubout -out {path.name}"
    if b"PRIVATE KEY" in content:
        raise InputError("this is a private key, the public one is needed", where=path, remedy=remedy)
    public = _parsed(lambda: load_pem_public_key(content), path, "it is no public key in PEM")
    if not isinstance(public, Ed25519PublicKey):
        raise InputError("this key is not of Ed25519", where=path, remedy=f"make one: {_NEW_KEY}")
    return _key(public)


def _password(path: Path) -> bytes:
    if (found := os.environ.get(PASSWORD_VARIABLE)) is not None:
        return found.encode()
    if not sys.stdin.isatty():
        raise InputError(
            "this key has a password, and nobody can be asked here",
            where=path,
            remedy=f"set {PASSWORD_VARIABLE}",
        )
    from getpass import getpass

    return getpass(f"Password of {path}: ").encode()


def _parsed(parse: Callable[[], Any], path: Path, what: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return parse()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"this key cannot be read: {what}", where=path, remedy=f"make one: {_NEW_KEY}"
        ) from error


def _content(path: Path) -> bytes:
    try:
        content = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise InputError(
            f"the key cannot be read: {error.strerror}", where=path, remedy=f"make one: {_NEW_KEY}"
        ) from error
    if content is None:
        raise InputError("far too large for a key", where=path, remedy=f"make one: {_NEW_KEY}")
    return content


def _key(public: Ed25519PublicKey) -> Key:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Key(public, hashlib.sha256(spki).hexdigest(), pem)


# ---------------------------------------- signatures


def signature_bytes(files: Mapping[str, str], key: SigningKey) -> bytes:
    """Sign a list of files, SHA-256 by name; the same list and key give the same bytes."""
    lines = [_FIRST, *(f"{files[name]}  {name}" for name in sorted(files))]
    return sealed(("\n".join(lines) + "\n").encode(), key)


def sealed(text: bytes, key: SigningKey) -> bytes:
    """Sign a text; it stands below its signature.

    Its first line must say what kind of text it is, so that nothing else that the key has signed passes for it.
    """
    signature = base64.b64encode(key.private.sign(text))
    return b"\n".join([_FORM, b"key " + key.public.id.encode(), b"signature " + signature, text])


def read_signature(content: bytes, key: Key | None) -> Signed:
    """Read a signature file and verify it. key: None to read what it says without asking who said it.

    Raises SignatureFaultError when it is no signature, another key's, or not over this list.
    """
    named, listed = unsealed(content, key)
    return Signed(named, _files(listed))


def unsealed(content: bytes, key: Key | None) -> tuple[str, bytes]:
    """Verify what `sealed` made; return the id of the key that it names, and the text. Raises as `read_signature`."""
    from cryptography.exceptions import InvalidSignature

    parts = content.split(b"\n", 3)
    if len(parts) < 4 or parts[0] != _FORM or parts[1][:4] != b"key " or parts[2][:10] != b"signature ":
        raise SignatureFaultError("it is no signature that this edgekit knows", SOMETHING_ELSE)
    named, text = parts[1][4:].decode(errors="replace"), parts[3]
    if key is not None:
        if named != key.id:
            raise SignatureFaultError(
                f"it is of another key, {named[:12]}…, and not of {key.id[:12]}…",
                "name the public key of who signed it (--key); if this one is right, do not use it",
            )
        try:
            key.public.verify(base64.b64decode(parts[2][10:], validate=True), text)
        except (InvalidSignature, binascii.Error) as error:
            raise SignatureFaultError("it was changed since it was signed") from error
    return named, text


def _files(listed: bytes) -> dict[str, str]:
    first, *lines = listed.decode(errors="replace").removesuffix("\n").split("\n")
    found = [_LISTED.fullmatch(line) for line in lines]
    files = {match[2]: match[1] for match in found if match is not None and is_plain_name(match[2])}
    if first != _FIRST or not lines or len(files) != len(lines):
        raise SignatureFaultError("it lists no files of a bundle")
    return files
