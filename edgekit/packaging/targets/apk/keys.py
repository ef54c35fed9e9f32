"""The key that an app is signed with: from a PKCS #12 keystore, or a debug key of this machine.

Android lets an update in only when it is signed by the key of the version before. So a release key is the user's to
keep; the debug key is made once and stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    load_der_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from edgekit.errors import InputError
from edgekit.files.lock import lock
from edgekit.files.whole import write_whole
from edgekit.files.within import read_regular
from edgekit.packaging.targets.apk import der
from edgekit.packaging.targets.apk.signing import PrivateKey

PASSWORD_VARIABLE = "EDGEKIT_KEYSTORE_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable that holds a keystore's password."""

DEBUG_KEYSTORE = "debug.p12"
DEBUG_ALIAS, DEBUG_PASSWORD = "androiddebugkey", "android"
"""What Android Studio's own debug keystore has, known to all."""

_DEBUG_YEARS = 30
_SMALLEST_RSA = 1024
_MAX_KEYSTORE_BYTES = 1 << 20
_JAVA_KEYSTORES = {b"\xfe\xed\xfe\xed": "JKS", b"\xce\xce\xce\xce": "JCEKS"}


@dataclass(frozen=True)
class SigningKey:
    """A private key with its certificate. source: the keystore. debug: whether it is this machine's debug key."""

    private: PrivateKey
    certificate: x509.Certificate
    source: Path
    debug: bool = False

    @property
    def certificate_bytes(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, by which apksigner and Google Play name a signer."""
        return hashlib.sha256(self.certificate_bytes).hexdigest()


# ---------------------------------------- the user's keystore


def find_password(
    file: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    ask: Callable[[], str] | None = None,
) -> str:
    """Find the password of a keystore: in a file (its first line), the environment, or by asking.

    Never from a command line, where every process of the machine can read it. Raises InputError when there is none.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n")[0].removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
            raise InputError(f"the password cannot be read: {reason}", where=file) from error
    environment = os.environ if environment is None else environment
    if (found := environment.get(PASSWORD_VARIABLE)) is not None:
        return found
    if ask is None:
        raise InputError(
            "the keystore needs a password, and nobody can be asked here",
            remedy=f"set {PASSWORD_VARIABLE}, or name a file whose first line it is",
        )
    return ask()


def open_keystore(
    path: Path, password: str, alias: str | None = None, *, now: datetime | None = None
) -> SigningKey:
    """Take a signing key out of a PKCS #12 keystore, as keytool and Android Studio make them.

    alias: of the key, needed when there are several; capitals do not matter. now: the time at which the certificate
    must be valid. Raises InputError when it is no such keystore, the password is wrong, there is no such key, the key
    is of a kind that Android does not take, or the certificate is not valid.
    """
    try:
        data = read_regular(path, _MAX_KEYSTORE_BYTES)
    except OSError as error:
        raise InputError(f"the keystore cannot be read: {error.strerror}", where=path) from error
    if data is None:
        raise InputError("this is no keystore: it is larger than 1 MiB", where=path)
    _refuse_other_formats(data, path)
    try:
        store = pkcs12.load_pkcs12(data, password.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = "Invalid password" in str(error)  # said of damage as well
        raise InputError(
            "the password is wrong, or the keystore is damaged"
            if wrong
            else f"the keystore cannot be read: {error}",
            where=path,
            remedy=f"try: keytool -list -keystore {path}",
        ) from error
    private = _usable(_private_key(store, data, password, alias, path), path)
    key = SigningKey(private, _certificate_of(private, store, path), path)
    _refuse_invalid(key, now or datetime.now(UTC))
    return key


def _refuse_other_formats(data: bytes, path: Path) -> None:
    if java := _JAVA_KEYSTORES.get(data[:4]):
        raise InputError(
            f"this is a {java} keystore, Java's old format; PKCS #12 is needed",
            where=path,
            remedy=f"keytool -importkeystore -srckeystore {path} "
            f"-destkeystore {path.with_suffix('.p12')} -deststoretype PKCS12",
        )
    if b"-----BEGIN" in data[:200]:
        raise InputError(
            "this is a PEM file; a PKCS #12 keystore is needed",
            where=path,
            remedy=f"openssl pkcs12 -export -inkey KEY.pem -in CERTIFICATE.pem -out {path.with_suffix('.p12')}",
        )
    if not der.is_pkcs12(data):
        raise InputError(
            "this is no PKCS #12 keystore",
            where=path,
            remedy="make one: keytool -genkeypair -keystore release.p12 -storetype PKCS12 -alias release "
            "-keyalg RSA -keysize 4096 -validity 10000",
        )


def _private_key(
    store: pkcs12.PKCS12KeyAndCertificates, data: bytes, password: str, alias: str | None, path: Path
) -> object:
    """The private key of an alias.

    `cryptography` hands out one key; of several the others are taken from where they lie, each encrypted by itself.
    """
    bags = der.shrouded_keys(data)
    if len(bags) > 1:
        bag = bags[_choose([bag.name for bag in bags], alias, path)]
        try:
            return load_der_private_key(bag.encrypted, password.encode())
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InputError(
                f"the key “{bag.name}” cannot be read, it may have a password of its own: {error}",
                where=path,
                remedy=f"take it out: keytool -importkeystore -srckeystore {path} -srcalias {bag.name} "
                f"-destkeystore {bag.name}.p12 -deststoretype PKCS12",
            ) from error
    if store.key is None:
        raise InputError("there is no private key in this keystore", where=path)
    name = store.cert.friendly_name if store.cert is not None else None
    _choose([(name or b"").decode(errors="replace")], alias, path)
    return store.key


def _choose(names: Sequence[str], alias: str | None, path: Path) -> int:
    """Which of the keys is meant."""
    if alias is None:
        if len(names) > 1:
            raise InputError(
                f"there are {len(names)} keys in this keystore",
                where=path,
                remedy=f"choose one: {', '.join(names)}",
            )
        return 0
    for number, name in enumerate(names):
        if name.lower() == alias.lower():
            return number
    raise InputError(
        f"there is no key “{alias}” in this keystore", where=path, remedy=f"it holds: {', '.join(names)}"
    )


def _usable(key: object, path: Path) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(
        key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
    ):
        return key
    raise InputError(
        "Android takes no signatures of this kind of key",
        where=path,
        remedy="RSA of 2048 bits or more, or an EC key on P-256, P-384 or P-521",
    )


def _certificate_of(key: PrivateKey, store: pkcs12.PKCS12KeyAndCertificates, path: Path) -> x509.Certificate:
    for held in (store.cert, *store.additional_certs):
        if held is not None and held.certificate.public_key() == key.public_key():
            return held.certificate
    raise InputError("there is no certificate for the key in this keystore", where=path)


def _refuse_invalid(key: SigningKey, now: datetime) -> None:
    begin, end = key.certificate.not_valid_before_utc, key.certificate.not_valid_after_utc
    if begin <= now <= end:
        return
    said = f"expired on {end:%Y-%m-%d}" if now > end else f"is valid only from {begin:%Y-%m-%d} on"
    raise InputError(
        f"the certificate of the key {said}",
        where=key.source,
        remedy="an app that was never published takes a new key; one on Google Play needs a key upgrade there",
    )


# ---------------------------------------- the debug key


def debug_key(directory: Path | None = None) -> SigningKey:
    """The debug key of this user, made when it is needed for the first time.

    directory: where it is kept, the user's configuration directory for edgekit unless given. RSA 2048 (its signatures
    are the same each time), valid for 30 years, under the name that Android Studio gives its own, by which Google Play
    knows not to publish what it signs. Readable for the user only; two runs that make it at once get the same.
    Raises InputError when the directory cannot be written, or the key there is damaged.
    """
    from platformdirs import user_config_path

    folder = directory or user_config_path("edgekit")
    path = folder / DEBUG_KEYSTORE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with lock(path):
                if not path.exists():
                    write_whole(path, _new_debug_keystore(datetime.now(UTC)), private=True)
    except OSError as error:
        raise InputError(
            f"the debug key cannot be made: {error.strerror}",
            where=error.filename or path,
            remedy="sign with a keystore of your own: --keystore FILE",
        ) from error
    try:
        found = open_keystore(path, DEBUG_PASSWORD, DEBUG_ALIAS)
    except InputError as error:
        raise InputError(
            f"the debug key cannot be used: {error.message}",
            where=path,
            remedy="delete it and a new one is made; apps signed with it must be uninstalled before their next version",
        ) from error
    return SigningKey(found.private, found.certificate, path, debug=True)


def _new_debug_keystore(now: datetime) -> bytes:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Android"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Android Debug"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a phone's clock may be behind
        .not_valid_after(now + timedelta(days=365 * _DEBUG_YEARS))
        .sign(private, hashes.SHA256())
    )
    encryption = BestAvailableEncryption(DEBUG_PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(DEBUG_ALIAS.encode(), private, certificate, None, encryption)
