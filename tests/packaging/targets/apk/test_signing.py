"""Signatures: Google's apksig takes them, writes the same, and neither takes a changed byte."""

from __future__ import annotations

import random
import re
import struct
import zipfile
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.apk import block as blocks
from edgekit.packaging.targets.apk.archive import find_end
from edgekit.packaging.targets.apk.assemble import App, write_apk
from edgekit.packaging.targets.apk.keys import SigningKey, open_keystore
from edgekit.packaging.targets.apk.verify import verify_apk
from tests.packaging.targets.apk.tools import apksig, keytool

pytestmark = pytest.mark.slow

GOOD = "v2=true v3=true warnings=0"
PASSWORD = "in the test"

KEYS = {
    "rsa-2048": ("RSA", "-keysize", "2048"),
    "rsa-4096": ("RSA", "-keysize", "4096"),
    "p-256": ("EC", "-groupname", "secp256r1"),
    "p-384": ("EC", "-groupname", "secp384r1"),
    "p-521": ("EC", "-groupname", "secp521r1"),
}


@pytest.fixture(scope="module", params=KEYS)
def keystore(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / f"{request.param}.p12"
    algorithm, *size = KEYS[request.param]
    words = (
        "-genkeypair",
        "-keystore",
        path,
        "-storetype",
        "PKCS12",
        "-storepass",
        PASSWORD,
        "-alias",
        "release",
    )
    keytool(*words, "-keyalg", algorithm, *size, "-dname", "CN=Test", "-validity", "10000")
    return path


def regions(apk: Path) -> dict[str, tuple[int, int]]:
    """The parts of a signed APK: where each begins and ends."""
    with apk.open("rb") as file:
        end = find_end(file, apk)
        file.seek(end.directory - 24)
        start = end.directory - blocks.block_size(file.read(24))
        file.seek(start)
        pairs = blocks.read_block(file.read(end.directory - start))
    ends = [start + 8]
    for pair in pairs:
        ends.append(ends[-1] + 12 + len(pair.value))
    return {
        "entries": (0, start),
        "v2": (ends[0], ends[1]),
        "v3": (ends[1], ends[2]),
        "padding": (ends[2] + 12, ends[3]),
        "end of the block": (ends[3], end.directory),
        "central directory": (end.directory, end.offset),
        "end record": (end.offset, apk.stat().st_size),
    }


def with_a_flipped_bit(apk: Path, at: int, folder: Path, bit: int = 1) -> Path:
    data = bytearray(apk.read_bytes())
    data[at] ^= bit
    path = folder / f"flipped-{at}.apk"
    path.write_bytes(data)
    return path


def test_apksig_and_our_own_verifier_take_every_kind_of_key(
    keystore: Path, tmp_path: Path, contents: AppContents, app: App
) -> None:
    key, path = open_keystore(keystore, PASSWORD), tmp_path / "app.apk"
    result = write_apk(contents, path, app=app, key=key)
    assert result.fingerprint == verify_apk(path).fingerprint == key.fingerprint
    assert apksig("verify", path) == [GOOD]


def test_apksig_signs_the_same_app_with_the_same_key_and_the_two_agree(
    keystore: Path, tmp_path: Path, contents: AppContents, app: App
) -> None:
    """Every byte but the signatures is equal, and what fills the alignment of a member: apksig may divide it in two.

    Signatures are over the filling as well. apksig verifies its own here, and ours above.
    """
    ours, theirs = tmp_path / "ours.apk", tmp_path / "theirs.apk"
    write_apk(contents, ours, app=app, key=open_keystore(keystore, PASSWORD))
    apksig("sign", ours, theirs, keystore, PASSWORD, "release")
    assert verify_apk(theirs) == verify_apk(ours)
    assert apksig("verify", theirs) == [GOOD]
    parts = ["entries", "central directory"]
    if keystore.stem.startswith("rsa"):  # with ECDSA apksig draws random numbers, and lengths differ
        parts += ["padding", "end of the block", "end record"]
        assert regions(theirs) == regions(ours)
    for part in parts:
        assert _part(theirs, part) == _part(ours, part), part


def _part(apk: Path, name: str) -> bytes:
    """The bytes of a part, with zeros for the filling in every member's local header, which is seen to be such."""
    data = bytearray(apk.read_bytes())
    with zipfile.ZipFile(apk) as archive:
        for member in archive.infolist():
            name_size, size = struct.unpack_from("<HH", data, member.header_offset + 26)
            begin = member.header_offset + 30 + name_size
            assert _fills(data[begin : begin + size]), member.filename
            data[begin : begin + size] = bytes(size)
    begin, end = regions(apk)[name]
    return bytes(data[begin:end])


def _fills(extra: bytes) -> bool:
    """Whether there is nothing but zeros behind headers of alignments: id 0xd935, size, a power of two."""
    return not any(re.sub(rb"\x35\xd9..(\x04\x00|\x00\x10|\x00\x40)", b"", extra, flags=re.DOTALL))


def test_signing_twice_gives_the_same_bytes(
    keystore: Path, tmp_path: Path, contents: AppContents, app: App
) -> None:
    paths = [tmp_path / "one.apk", tmp_path / "other.apk"]
    for path in paths:
        write_apk(contents, path, app=app, key=open_keystore(keystore, PASSWORD))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_signing_block_lies_on_whole_pages(apk: Path) -> None:
    parts = regions(apk)
    assert parts["entries"][1] % 4096 == 0
    assert parts["central directory"][0] % 4096 == 0


def test_apksig_refuses_a_flipped_bit_wherever_it_falls(apk: Path, tmp_path: Path) -> None:
    """But in the padding of the signing block, which no signature covers; there our own verifier is stricter."""
    chance, parts = random.Random(2), regions(apk)
    places = [chance.randrange(*span) for part, span in parts.items() if part != "padding" for _ in range(5)]
    verdicts = apksig("verify", apk, *(with_a_flipped_bit(apk, at, tmp_path) for at in places))
    assert verdicts[0] == GOOD
    assert set(verdicts[1:]) == {"refused"}


@pytest.mark.parametrize(
    "part", ["v2", "v3", "padding", "end of the block", "central directory", "end record"]
)
def test_we_refuse_a_flipped_bit_wherever_it_falls(apk: Path, part: str, tmp_path: Path) -> None:
    start, end = regions(apk)[part]
    chance = random.Random(part)
    for at in {start, end - 1, *(chance.randrange(start, end) for _ in range(30))}:
        path = with_a_flipped_bit(apk, at, tmp_path, 1 << chance.randrange(8))
        with pytest.raises(InputError) as refusal:
            verify_apk(path)
        assert refusal.value.where == str(path)
        path.unlink()


@pytest.mark.parametrize("at", [0, 30, 1_000_000, (1 << 20) - 1, 1 << 20, -1])
def test_we_refuse_a_flipped_bit_in_an_entry(apk: Path, at: int, tmp_path: Path) -> None:
    _, end = regions(apk)["entries"]
    with pytest.raises(InputError, match="the content was changed"):
        verify_apk(with_a_flipped_bit(apk, at % end, tmp_path))


def test_v3_cannot_be_stripped_off(apk: Path, tmp_path: Path) -> None:
    """Without v3, Android 9 falls back to v2, whose signer said that v3 was there."""
    stripped = with_a_flipped_bit(apk, regions(apk)["v3"][0] + 8, tmp_path)  # now a value of unknown meaning
    assert apksig("verify", stripped) == ["refused"]
    with pytest.raises(InputError, match="does not verify"):
        verify_apk(stripped)


@pytest.mark.parametrize("cut", [1, 22, 4096, 100_000])
def test_a_truncated_app_is_refused(apk: Path, cut: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.apk"
    path.write_bytes(apk.read_bytes()[:-cut])
    with pytest.raises(InputError, match="no ZIP archive, or its end is missing"):
        verify_apk(path)


def test_an_app_without_signatures_is_refused(tmp_path: Path) -> None:
    from edgekit.packaging.targets.apk.base import APK, BASE

    with pytest.raises(InputError, match="there is no signing block"):
        verify_apk(BASE / APK)


def test_the_debug_key_s_app_is_verified_too(apk: Path, key: SigningKey) -> None:
    assert verify_apk(apk).fingerprint == key.fingerprint
