"""APK Signature Schemes v2 and v3: what is signed, by which algorithm, and how it is laid out.

v3 differs from v2 in naming the Android versions it is for; it is what Android 9 and newer look at. v2 carries an
attribute that says that v3 is there too, so that it cannot be stripped off. Source: the documents on both schemes, and
apksig for what they leave open: which algorithm goes with which key, and that v3's versions begin where its algorithm
is known, although nothing before Android 9 reads them. With an RSA key the bytes are apksig's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edgekit.packaging.targets.apk import block
from edgekit.packaging.targets.apk.block import sequence, sized

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

V3_SINCE_SDK = 28
"""Android 9, the first that looks for v3."""

_ALGORITHMS_SINCE_SDK = 24
_LAST_SDK = 0x7FFFFFFF
STRIPPING_PROTECTION = 0xBEEFF00D
"""The attribute of v2 by which it says which newer scheme is there."""

_LARGEST_SHA256_RSA = 3072
_LARGEST_SHA256_CURVE = 256


@dataclass(frozen=True)
class Algorithm:
    """A signature algorithm. id: as the schemes number it. hash: of the content and of what is signed."""

    id: int
    key: type[rsa.RSAPublicKey] | type[ec.EllipticCurvePublicKey]
    hash: str


ALGORITHMS = (
    Algorithm(0x0103, rsa.RSAPublicKey, "sha256"),  # PKCS #1 v1.5
    Algorithm(0x0104, rsa.RSAPublicKey, "sha512"),
    Algorithm(0x0201, ec.EllipticCurvePublicKey, "sha256"),
    Algorithm(0x0202, ec.EllipticCurvePublicKey, "sha512"),
)
"""Those that edgekit signs with and checks; the schemes also know RSA-PSS and DSA."""


def algorithm_for(key: PublicKey) -> Algorithm:
    """The algorithm that goes with a key: SHA-512 for RSA above 3072 bits and for curves above 256."""
    if isinstance(key, rsa.RSAPublicKey):
        return ALGORITHMS[0] if key.key_size <= _LARGEST_SHA256_RSA else ALGORITHMS[1]
    return ALGORITHMS[2] if key.curve.key_size <= _LARGEST_SHA256_CURVE else ALGORITHMS[3]


def sign(key: PrivateKey, algorithm: Algorithm, message: bytes) -> bytes:
    """Sign a message; the same message and key give the same signature.

    RSA PKCS #1 v1.5 is so by nature, ECDSA by RFC 6979. Where the OpenSSL behind `cryptography` is too old for that
    (before 3.2), ECDSA signatures differ each time; they are as good.
    """
    chosen = _hash(algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), chosen)
    try:
        return key.sign(message, ec.ECDSA(chosen, deterministic_signing=True))
    except UnsupportedAlgorithm:
        return key.sign(message, ec.ECDSA(chosen))


def check(key: PublicKey, algorithm: Algorithm, signature: bytes, message: bytes) -> None:
    """Check a signature. Raises cryptography's InvalidSignature."""
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, message, padding.PKCS1v15(), _hash(algorithm))
    else:
        key.verify(signature, message, ec.ECDSA(_hash(algorithm)))


def signing_block(key: PrivateKey, certificate: bytes, digest: bytes) -> bytes:
    """The signing block of an APK: v2 and v3 by one signer.

    certificate: DER. digest: of the content, by the hash of the key's algorithm.
    """
    algorithm = algorithm_for(key.public_key())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digests = sequence([struct.pack("<I", algorithm.id) + sized(digest)])
    certificates = sequence([certificate])
    sdk_range = struct.pack("<II", _ALGORITHMS_SINCE_SDK, _LAST_SDK)
    newer_scheme = sequence([struct.pack("<II", STRIPPING_PROTECTION, 3)])

    def signer(signed: bytes, between: bytes) -> bytes:
        signature = sequence([struct.pack("<I", algorithm.id) + sized(sign(key, algorithm, signed))])
        return sequence([sized(signed) + between + sized(signature) + sized(public)])

    v2 = signer(sequence([digests, certificates, newer_scheme, b""]), b"")
    v3 = signer(sequence([digests, certificates]) + sdk_range + sized(b""), sdk_range)
    return block.write_block([block.Pair(block.V2, sized(v2)), block.Pair(block.V3, sized(v3))])


def _hash(algorithm: Algorithm) -> hashes.HashAlgorithm:
    return hashes.SHA256() if algorithm.hash == "sha256" else hashes.SHA512()
