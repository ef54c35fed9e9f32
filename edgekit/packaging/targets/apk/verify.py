"""Checking the signatures of an APK: v2 and v3, every byte.

What Android does when it installs one, for the algorithms of `signing.ALGORITHMS`, and stricter in one point: a signing
block may hold nothing but the two signatures and zeros.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from edgekit.errors import InputError
from edgekit.packaging.targets.apk import block
from edgekit.packaging.targets.apk.archive import End, find_end, with_directory_at
from edgekit.packaging.targets.apk.block import Reader, elements
from edgekit.packaging.targets.apk.digest import combine, hash_chunks, hash_file
from edgekit.packaging.targets.apk.signing import (
    ALGORITHMS,
    STRIPPING_PROTECTION,
    V3_SINCE_SDK,
    Algorithm,
    check,
)


@dataclass(frozen=True)
class Verified:
    """What the signatures of an APK say. certificate: the signer's, DER."""

    certificate: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, by which apksigner and Google Play name a signer."""
        return hashlib.sha256(self.certificate).hexdigest()


def verify_apk(path: Path) -> Verified:
    """Check that an APK is signed by v2 and v3, by one signer, over all that is in it.

    Raises InputError when it is not, or was changed since.
    """
    try:
        with path.open("rb") as file:
            return verify_file(file, path)
    except OSError as error:
        raise InputError(f"the app cannot be read: {error.strerror}", where=path) from error


def verify_file(file: BinaryIO, where: Path) -> Verified:
    """Check the signatures of an APK that is open. where: what it is called in errors. Raises as `verify_apk` does."""
    try:
        end = find_end(file, where)
        start, pairs = _signing_block(file, end)
        if any(any(pair.value) for pair in pairs if pair.id == block.PADDING):
            raise ValueError("the padding of the signing block is not empty")
        signatures = {pair.id: pair for pair in pairs if pair.id != block.PADDING}
        if set(signatures) != {block.V2, block.V3} or len(pairs) > 3:
            raise ValueError("it is not signed by v2 and v3, once each and by nothing else")
        v2, v3 = _signer(signatures[block.V2]), _signer(signatures[block.V3])
        if v2.certificate != v3.certificate or v2.algorithm != v3.algorithm:
            raise ValueError("v2 and v3 are of different signers")
        found = _content_digest(file, end, start, v2.algorithm.hash)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        reason = str(error) or "a signature is not that of its certificate"
        raise InputError(f"the signature does not verify: {reason}", where=where) from error
    for signer in (v2, v3):
        if signer.digest != found:
            raise InputError("the signature does not verify: the content was changed", where=where)
    return Verified(v2.certificate)


@dataclass(frozen=True)
class _Signer:
    algorithm: Algorithm
    digest: bytes
    certificate: bytes


def _signing_block(file: BinaryIO, end: End) -> tuple[int, tuple[block.Pair, ...]]:
    """The offset of the signing block, and what is in it."""
    if end.directory < 32:
        raise ValueError("there is no signing block")
    file.seek(end.directory - 24)
    size = block.block_size(file.read(24))
    if not size or size > end.directory:
        raise ValueError("there is no signing block")
    file.seek(end.directory - size)
    return end.directory - size, block.read_block(file.read(size))


def _signer(pair: block.Pair) -> _Signer:
    """Read the one signer of a scheme's block, and check its signature over its own statement."""
    outer = Reader(pair.value)
    signers = list(elements(outer.sized()))
    if outer.left or len(signers) != 1:
        raise ValueError(f"{len(signers)} signers, one is expected")
    reader = Reader(signers[0])
    signed = reader.sized()
    sdk_range = reader.take(8) if pair.id == block.V3 else b""
    signatures, public = list(elements(reader.sized())), reader.sized()
    if reader.left or len(signatures) != 1:
        raise ValueError("a signer has more than one signature")
    number, signature = _numbered(signatures[0])
    algorithm = next((a for a in ALGORITHMS if a.id == number), None)
    key = load_der_public_key(public)
    if algorithm is None or not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError(f"the signature algorithm {number:#06x} is not known here")
    if not isinstance(key, algorithm.key):
        raise ValueError("the signature's algorithm is for another kind of key")
    check(key, algorithm, signature, signed)

    inner = Reader(signed)
    digests, certificates = list(elements(inner.sized())), list(elements(inner.sized()))
    if pair.id == block.V3:
        first, last = inner.number(), inner.number()
        if struct.pack("<II", first, last) != sdk_range or not first <= V3_SINCE_SDK < last:
            raise ValueError("the Android versions that v3 is for are not the ones that were signed")
    attributes = list(elements(inner.sized()))
    if pair.id == block.V2 and struct.pack("<II", STRIPPING_PROTECTION, 3) not in attributes:
        raise ValueError("v2 does not say that v3 is there")
    if len(digests) != 1 or not certificates:
        raise ValueError("one digest and a certificate are expected")
    digest_number, digest = _numbered(digests[0])
    if digest_number != number:
        raise ValueError("digest and signature are of different algorithms")
    certificate = x509.load_der_x509_certificate(certificates[0])
    if certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public:
        raise ValueError("the certificate is another key's")
    return _Signer(algorithm, digest, certificates[0])


def _numbered(element: bytes) -> tuple[int, bytes]:
    reader = Reader(element)
    found = reader.number(), reader.sized()
    if reader.left:
        raise ValueError("there is something behind a value")
    return found


def _content_digest(file: BinaryIO, end: End, start: int, algorithm: str) -> bytes:
    file.seek(end.directory)
    directory = file.read(end.directory_size)
    record = with_directory_at(end.record, start)
    chunks = hash_file(file, start, algorithm)
    return combine(chunks + hash_chunks(directory, algorithm) + hash_chunks(record, algorithm), algorithm)
