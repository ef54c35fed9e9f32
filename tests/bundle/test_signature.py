"""Signing and verifying bundles: what holds, and every way in which it does not."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.signature import (
    PASSWORD_VARIABLE,
    Key,
    SignatureFaultError,
    SigningKey,
    read_key,
    read_signature,
    read_signing_key,
    signature_bytes,
)
from edgekit.bundle.verify import sign, verify
from edgekit.conversion.convert import convert
from edgekit.errors import BundleError, GateError, InputError
from tests.fixtures.bundles import DEMO_CHECKPOINT, Bundles, model_of

Keys = tuple[SigningKey, Key, Key]
FILES = {"edgekit.json": "a" * 64, "m.litertlm": "b" * 64}


def write_key(folder: Path, seed: int, password: bytes | None = None) -> tuple[Path, Path]:
    """A private key's file and the public one's."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    paths = folder / f"{seed}.key", folder / f"{seed}.pub"
    paths[0].write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    paths[1].write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return paths


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A private key, its public one, and somebody else's."""
    folder = tmp_path_factory.mktemp("keys")
    (private, public), (_, other) = write_key(folder, 1), write_key(folder, 2)
    return read_signing_key(private), read_key(public), read_key(other)


@pytest.fixture
def signed(bundles: Bundles, tmp_path: Path, keys: Keys) -> Path:
    bundle = bundles.copy(tmp_path / "bundle")
    sign(bundle, keys[0])
    return bundle


def change(path: Path, place: int = -2) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def problems(bundle: Path, key: Key | None) -> str:
    found = verify(bundle, key)
    assert not found.passed and not found.signature
    with pytest.raises(GateError):
        found.raise_if_failed()
    return "; ".join(found.problems)


# ---------------------------------------- what holds


def test_a_signed_bundle_verifies(signed: Path, keys: Keys) -> None:
    found = verify(signed, keys[1])
    assert (found.passed, found.signature, found.signed_by) == (True, True, keys[1].id)
    assert set(found.checked) == {"edgekit.json", "NOTICE", model_of(signed).name}
    assert verify(model_of(signed), keys[1]).passed  # as other commands take it


def test_without_a_key_nobody_has_been_asked(signed: Path, bundles: Bundles, keys: Keys) -> None:
    found = verify(signed)
    assert (found.passed, found.signature, found.signed_by) == (True, False, keys[1].id)
    assert verify(bundles()).signed_by is None


def test_the_same_files_have_the_same_signature(signed: Path, keys: Keys) -> None:
    before = (signed / "edgekit.sig").read_bytes()
    (signed / "reports").mkdir()
    (signed / "reports" / "validate.json").write_text("{}")
    sign(signed, keys[0])
    assert (signed / "edgekit.sig").read_bytes() == before


def test_an_adapter_is_signed_by_itself(sentiment_adapter: Path, tmp_path: Path, keys: Keys) -> None:
    adapter = Path(shutil.copytree(sentiment_adapter, tmp_path / "adapter"))
    sign(adapter, keys[0])
    assert verify(adapter, keys[1]).passed
    change(next(adapter.glob("*.tflite")), 5000)
    assert "was changed since it was signed" in problems(adapter, keys[1])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_openssl_and_sha256sum_agree(signed: Path, tmp_path: Path) -> None:
    _, public = write_key(tmp_path, 1)
    head, listed = re.fullmatch(rb"((?:.*\n){3})([\s\S]*)", (signed / "edgekit.sig").read_bytes()).groups()  # type: ignore[union-attr]
    (tmp_path / "sums").write_bytes(listed)
    (tmp_path / "raw").write_bytes(base64.b64decode(head.split()[-1]))
    subprocess.run(
        [
            *("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin"),
            *("-in", tmp_path / "sums", "-sigfile", tmp_path / "raw"),
        ],
        check=True,
        capture_output=True,
    )
    subprocess.run(["sha256sum", "--check", tmp_path / "sums"], cwd=signed, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_keys_that_openssl_makes_are_taken(tmp_path: Path) -> None:
    private, public = tmp_path / "k", tmp_path / "k.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    key = read_signing_key(private)
    assert key.public.id == read_key(public).id
    read_signature(signature_bytes(FILES, key), read_key(public))


# ---------------------------------------- what does not


def test_a_changed_byte_anywhere_is_found(signed: Path, keys: Keys) -> None:
    for name in ("NOTICE", "edgekit.json", model_of(signed).name):
        before = (signed / name).read_bytes()
        change(signed / name)
        assert f"{name}: was changed since it was signed" in problems(signed, keys[1])
        (signed / name).write_bytes(before)
    assert verify(signed, keys[1]).passed


def test_a_missing_file_and_an_added_one_are_found(signed: Path, keys: Keys) -> None:
    (signed / "tasks.json").write_text("{}")
    assert problems(signed, keys[1]) == "tasks.json: was not signed"
    (signed / "tasks.json").unlink()
    (signed / "NOTICE").unlink()
    assert problems(signed, keys[1]) == "NOTICE: is missing"
    model_of(signed).unlink()
    assert ".litertlm: is missing" in problems(signed, None)


def test_a_missing_or_a_strange_signature_is_found(signed: Path, keys: Keys) -> None:
    path = signed / "edgekit.sig"
    content = path.read_bytes()
    assert "it is of another key" in problems(signed, keys[2])
    for strange in (
        b"",
        b"hello\n",
        content.replace(b"edgekit-signature 1", b"edgekit-signature 2"),
        b"\n" * 70_000,
    ):
        path.write_bytes(strange)
        assert "edgekit.sig: " in problems(signed, keys[1])
        assert "edgekit.sig: " in problems(signed, None)
    path.unlink()
    assert problems(signed, keys[1]) == "edgekit.sig: the bundle is not signed"


def test_what_another_signed_under_our_name_is_found(signed: Path, keys: Keys, tmp_path: Path) -> None:
    other = read_signing_key(write_key(tmp_path, 2)[0])
    ours = keys[1].id.encode()
    sign(signed, other)
    content = (signed / "edgekit.sig").read_bytes().replace(other.public.id.encode(), ours)
    (signed / "edgekit.sig").write_bytes(content)
    assert "it was changed since it was signed" in problems(signed, keys[1])


def test_a_signature_of_something_else_is_none_of_a_bundle(keys: Keys) -> None:
    text = f"{'a' * 64}  edgekit.json\n".encode()
    signature = base64.b64encode(keys[0].private.sign(text))
    content = b"\n".join(
        [b"edgekit-signature 1", b"key " + keys[1].id.encode(), b"signature " + signature, text]
    )
    with pytest.raises(SignatureFaultError, match="lists no files of a bundle"):
        read_signature(content, keys[1])


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a b", "", "adapters/x/adapter.json"])
def test_names_that_lead_elsewhere_are_not_read(name: str, keys: Keys) -> None:
    with pytest.raises(SignatureFaultError, match="lists no files of a bundle"):
        read_signature(signature_bytes({**FILES, name: "c" * 64}, keys[0]), keys[1])


@given(place=st.integers(0, 400), bit=st.integers(0, 7))
def test_no_bit_of_a_signature_can_be_turned(place: int, bit: int, keys: Keys) -> None:
    content = bytearray(signature_bytes(FILES, keys[0]))
    content[place % len(content)] ^= 1 << bit
    with pytest.raises(SignatureFaultError):
        read_signature(bytes(content), keys[1])


@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes, keys: Keys) -> None:
    for key in (None, keys[1]):
        with pytest.raises(SignatureFaultError):
            read_signature(content, key)


def test_a_damaged_bundle_is_not_signed(bundles: Bundles, tmp_path: Path, keys: Keys) -> None:
    bundle = bundles.copy(tmp_path / "bundle")
    change(model_of(bundle), 5000)
    with pytest.raises(BundleError, match=r"not signed: .*\.litertlm: its SHA-256"):
        sign(bundle, keys[0])
    assert not (bundle / "edgekit.sig").exists()


def test_a_signature_is_not_written_through_a_link(signed: Path, tmp_path: Path, keys: Keys) -> None:
    (signed / "edgekit.sig").unlink()
    mine = tmp_path / "mine"
    mine.write_text("the user's")
    (signed / "edgekit.sig").symlink_to(mine)
    for use in (lambda: sign(signed, keys[0]), lambda: verify(signed, keys[1])):
        with pytest.raises(BundleError, match="link out of its directory"):
            use()
    assert mine.read_text() == "the user's"


def test_a_new_bundle_in_its_place_takes_the_signature_away(signed: Path) -> None:
    convert(DEMO_CHECKPOINT, signed, check=False, force=True)
    assert not (signed / "edgekit.sig").exists()


# ---------------------------------------- keys


def test_a_key_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: Keys) -> None:
    private, _ = write_key(tmp_path, 1, b"secret")
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert read_signing_key(private).public.id == keys[1].id
    monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
    with pytest.raises(InputError, match="the password is wrong"):
        read_signing_key(private)
    monkeypatch.delenv(PASSWORD_VARIABLE)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(InputError, match="nobody can be asked"):
        read_signing_key(private)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    private, public = write_key(tmp_path, 1)
    curve = tmp_path / "curve"
    other = generate_private_key(SECP256R1())
    curve.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    curve_pub = tmp_path / "curve.pub"
    curve_pub.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    text = tmp_path / "text"
    text.write_text("hello")
    large = tmp_path / "large"
    large.write_bytes(bytes(1 << 20))
    wrong: list[tuple[Callable[[Path], object], Path, str]] = [
        (read_signing_key, public, "no private key"),
        (read_signing_key, curve, "not of Ed25519"),
        (read_signing_key, text, "no private key"),
        (read_signing_key, large, "far too large"),
        (read_signing_key, tmp_path / "none", "No such file"),
        (read_key, private, "the public one is needed"),
        (read_key, curve_pub, "not of Ed25519"),
        (read_key, text, "no public key"),
        (read_key, tmp_path, "cannot be read"),
    ]
    for read, path, what in wrong:
        with pytest.raises(InputError, match=what) as refused:
            read(path)
        assert refused.value.remedy
