"""Keystores: those that keytool makes are read, and what cannot be used is told apart."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.packaging.targets.apk import der
from edgekit.packaging.targets.apk.keys import (
    DEBUG_ALIAS,
    DEBUG_KEYSTORE,
    DEBUG_PASSWORD,
    PASSWORD_VARIABLE,
    debug_key,
    find_password,
    open_keystore,
)
from tests.packaging.damage import damaged
from tests.packaging.targets.apk.tools import keytool

pytestmark = pytest.mark.slow

PASSWORD = "pass word"


def make(path: Path, alias: str, *words: str, store: str = "PKCS12", key: tuple[str, ...] = ("RSA",)) -> Path:
    sized = ("-keysize", "2048") if key == ("RSA",) else ()
    keytool(
        *(
            "-genkeypair",
            "-keystore",
            path,
            "-storetype",
            store,
            "-storepass",
            PASSWORD,
            "-keypass",
            PASSWORD,
        ),
        *("-alias", alias, "-keyalg", *key, *sized, "-dname", f"CN={alias}", "-validity", "10000", *words),
    )
    return path


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keystore of keytool's with three keys."""
    path = tmp_path_factory.mktemp("keys") / "several.p12"
    make(path, "upload")
    make(path, "release", key=("EC", "-groupname", "secp256r1"))
    return make(path, "old")


def common_name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


@pytest.mark.parametrize(
    ("alias", "kind"), [("upload", rsa.RSAPrivateKey), ("RELEASE", ec.EllipticCurvePrivateKey)]
)
def test_a_key_is_chosen_by_its_alias(several: Path, alias: str, kind: type) -> None:
    key = open_keystore(several, PASSWORD, alias)
    assert isinstance(key.private, kind)
    assert common_name(key.certificate) == f"CN={alias.lower()}"
    assert key.certificate.public_key() == key.private.public_key()
    assert not key.debug


def test_several_keys_ask_for_an_alias(several: Path) -> None:
    with pytest.raises(InputError, match="3 keys") as refusal:
        open_keystore(several, PASSWORD)
    assert {"upload", "release", "old"} <= set(str(refusal.value.remedy).replace(",", "").split())


def test_an_unknown_alias_is_told_with_those_there_are(several: Path) -> None:
    with pytest.raises(InputError, match="no key “beta”") as refusal:
        open_keystore(several, PASSWORD, "beta")
    assert "release" in str(refusal.value.remedy)


def test_the_only_key_needs_no_alias(tmp_path: Path) -> None:
    assert common_name(open_keystore(make(tmp_path / "one.p12", "only"), PASSWORD).certificate) == "CN=only"


def test_keystores_of_java_8_are_read(tmp_path: Path) -> None:
    """Encrypted with RC2 and Triple DES."""
    path = make(tmp_path / "old.p12", "old", "-J-Dkeystore.pkcs12.legacy")
    assert common_name(open_keystore(path, PASSWORD).certificate) == "CN=old"


def test_a_wrong_password_is_told(several: Path) -> None:
    with pytest.raises(InputError, match="the password is wrong"):
        open_keystore(several, "pass wort", "upload")


@pytest.mark.parametrize("store", ["JKS", "JCEKS"])
def test_java_s_old_formats_are_told_with_the_way_out(store: str, tmp_path: Path) -> None:
    path = make(tmp_path / "old.jks", "old", store=store)
    with pytest.raises(InputError, match=f"a {store} keystore") as refusal:
        open_keystore(path, PASSWORD)
    assert f"keytool -importkeystore -srckeystore {path}" in str(refusal.value.remedy)


def test_a_pem_file_is_told_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InputError, match="a PEM file") as refusal:
        open_keystore(path, PASSWORD)
    assert "openssl pkcs12 -export" in str(refusal.value.remedy)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(5000), b"\x30\x82\x10\x00\x02\x01"])
def test_what_is_no_keystore_is_told(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.p12"
    path.write_bytes(data)
    with pytest.raises(InputError, match="no PKCS #12 keystore"):
        open_keystore(path, PASSWORD)


def test_a_damaged_keystore_is_told(several: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.p12"
    data = bytearray(several.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="or the keystore is damaged"):
        open_keystore(path, PASSWORD, "upload")


@given(st.data())
def test_damage_in_a_keystore_never_breaks_the_search_for_keys(several: Path, data: st.DataObject) -> None:
    keystore = data.draw(damaged(several.read_bytes()))
    der.is_pkcs12(keystore)
    assert len(der.shrouded_keys(keystore)) <= 3


def test_a_missing_keystore_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        open_keystore(tmp_path / "none.p12", PASSWORD)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, begin: datetime, days: int
) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
    return builder.sign(key, hashes.SHA256())


def store(
    path: Path, key: object, held: x509.Certificate | None, others: list[x509.Certificate] | None = None
) -> Path:
    encryption = BestAvailableEncryption(PASSWORD.encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"k", key, held, others, encryption))  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def private() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_a_certificate_must_be_valid_now(private: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    begin = datetime(2024, 5, 17, tzinfo=UTC)
    path = store(tmp_path / "x.p12", private, certificate(private, begin, 10))
    assert open_keystore(path, PASSWORD, now=begin + timedelta(days=9)).private
    with pytest.raises(InputError, match="expired on 2024-05-27"):
        open_keystore(path, PASSWORD)
    with pytest.raises(InputError, match="valid only from 2024-05-17 on"):
        open_keystore(path, PASSWORD, now=begin - timedelta(days=1))


def test_a_keystore_of_certificates_only_has_no_key(
    private: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    held = certificate(private, datetime.now(UTC), 10)
    with pytest.raises(InputError, match="no private key"):
        open_keystore(store(tmp_path / "x.p12", None, None, [held]), PASSWORD)


def test_a_curve_that_android_does_not_know_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    path = store(tmp_path / "x.p12", key, certificate(key, datetime.now(UTC) - timedelta(days=1), 10))
    with pytest.raises(InputError, match="no signatures of this kind of key"):
        open_keystore(path, PASSWORD)


def test_a_password_may_hold_any_character(private: ec.EllipticCurvePrivateKey, tmp_path: Path) -> None:
    path = tmp_path / "x.p12"
    held = certificate(private, datetime.now(UTC) - timedelta(days=1), 10)
    encryption = BestAvailableEncryption("pæssord 設定".encode())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"k", private, held, None, encryption))
    assert open_keystore(path, "pæssord 設定").certificate == held


def test_a_keystore_without_a_password_has_an_empty_one(
    private: ec.EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    path = tmp_path / "x.p12"
    held = certificate(private, datetime.now(UTC) - timedelta(days=1), 10)
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"k", private, held, None, NoEncryption()))
    assert open_keystore(path, "").certificate == held


# ---------------------------------------- passwords


def test_a_password_comes_from_a_file_before_all_else(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("  päss\r\nnot this\n".encode())
    assert find_password(file, environment={PASSWORD_VARIABLE: "other"}) == "  päss"


def test_a_password_comes_from_the_environment_before_anybody_is_asked() -> None:
    assert find_password(environment={PASSWORD_VARIABLE: ""}, ask=lambda: "typed") == ""
    assert find_password(environment={}, ask=lambda: "typed") == "typed"


def test_without_any_the_ways_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody can be asked") as refusal:
        find_password(environment={})
    assert PASSWORD_VARIABLE in str(refusal.value.remedy)
    with pytest.raises(InputError, match="No such file"):
        find_password(tmp_path / "none")


# ---------------------------------------- the debug key


def test_the_debug_key_is_made_once_for_the_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "edgekit"
    key = debug_key(folder)
    assert debug_key(folder).fingerprint == key.fingerprint
    assert key.debug
    assert stat.S_IMODE((folder / DEBUG_KEYSTORE).stat().st_mode) == 0o600
    left = key.certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=29 * 365) < left < timedelta(days=31 * 365)


def test_keytool_reads_the_debug_key(tmp_path: Path) -> None:
    debug_key(tmp_path)
    keytool(
        "-list", "-keystore", tmp_path / DEBUG_KEYSTORE, "-storepass", DEBUG_PASSWORD, "-alias", DEBUG_ALIAS
    )


def test_runs_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from edgekit.packaging.targets.apk.keys import debug_key;"
        "print(debug_key(pathlib.Path(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", script, tmp_path / "new"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({run.communicate()[0] for run in runs}) == 1
    assert all(run.returncode == 0 for run in runs)


def test_a_damaged_debug_key_is_told_with_what_a_new_one_means(tmp_path: Path) -> None:
    (tmp_path / DEBUG_KEYSTORE).write_bytes(b"x")
    with pytest.raises(InputError, match="the debug key cannot be used") as refusal:
        debug_key(tmp_path)
    assert "uninstalled" in str(refusal.value.remedy)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the debug key cannot be made") as refusal:
        debug_key(tmp_path / "file" / "edgekit")
    assert "--keystore" in str(refusal.value.remedy)
