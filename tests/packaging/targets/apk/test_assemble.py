"""The whole app: what is in it, where it lies, and what is left when something goes wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgekit.errors import InputError, MissingToolError
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.apk import axml
from edgekit.packaging.targets.apk import base as bases
from edgekit.packaging.targets.apk.archive import PAGE, STORED, Member, read_members
from edgekit.packaging.targets.apk.assemble import ASSETS, App, read_apk, write_apk
from edgekit.packaging.targets.apk.keys import SigningKey
from edgekit.packaging.targets.apk.resources import RESOURCES
from edgekit.packaging.targets.apk.verify import verify_apk
from edgekit.progress import Advance
from edgekit.runtime.library import LIBRARY, engine_library
from tests.packaging.damage import damaged
from tests.packaging.targets.apk.making import IDENTITY, MODEL
from tests.packaging.targets.apk.tools import aapt2, apksig

pytestmark = pytest.mark.slow


def members_of(path: Path) -> dict[str, Member]:
    with path.open("rb") as file:
        return {member.name: member for member in read_members(file, path)}


def load_alignments(library: bytes) -> set[int]:
    """The alignments of the segments that are loaded of a 64-bit ELF file."""
    start, size, count = (int.from_bytes(library[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    headers = [library[start + size * number :][:56] for number in range(count)]
    return {int.from_bytes(header[48:56], "little") for header in headers if header[:4] == b"\1\0\0\0"}


# ---------------------------------------- what is in it


def test_the_assets_lie_in_the_app_as_they_are(apk: Path, contents: AppContents) -> None:
    with zipfile.ZipFile(apk) as archive:
        for name, asset in contents.assets.items():
            assert archive.read(ASSETS + name) == (asset if isinstance(asset, bytes) else asset.read_bytes())
            assert archive.getinfo(ASSETS + name).compress_type == zipfile.ZIP_STORED


def test_bundle_and_libraries_are_stored_on_whole_pages_and_all_else_stored_on_words(apk: Path) -> None:
    members = members_of(apk)
    mapped = [m for m in members.values() if m.name.startswith("lib/") or m.name == ASSETS + MODEL]
    assert {Path(m.name).name for m in mapped} >= {MODEL, LIBRARY, "libedgekit.so"}
    assert all(m.method == STORED and m.offset % PAGE == 0 for m in mapped)
    assert members[RESOURCES].method == STORED
    assert all(m.offset % 4 == 0 for m in members.values() if m.method == STORED)


def test_only_the_abis_that_are_asked_for_are_in_it(apk: Path) -> None:
    assert {name.split("/")[1] for name in members_of(apk) if name.startswith("lib/")} == {"arm64-v8a"}


def test_all_of_the_base_is_in_it_and_only_names_have_changed(apk: Path) -> None:
    base = bases.read_base()
    with zipfile.ZipFile(apk) as archive:
        kept = [m.name for m in base.members if not m.name.startswith("lib/") or "arm64-v8a" in m.name]
        assert [name for name in archive.namelist() if name in kept] == kept
        changed = {name for name in kept if archive.read(name) != base.content(name)}
    assert changed == {"AndroidManifest.xml", RESOURCES}


def test_the_manifest_is_read_back(apk: Path) -> None:
    manifest = read_apk(apk)
    assert (manifest.application_id, manifest.label) == (IDENTITY.application_id, IDENTITY.label)
    assert (manifest.version_name, manifest.version_code) == (IDENTITY.version_name, IDENTITY.version_code)
    assert (manifest.min_sdk, manifest.libraries_extracted) == (26, False)
    assert manifest.target_sdk >= 36


def test_aapt2_sees_the_same(apk: Path) -> None:
    badging = aapt2("dump", "badging", apk)
    name, code, version = IDENTITY.application_id, IDENTITY.version_code, IDENTITY.version_name
    assert f"package: name='{name}' versionCode='{code}' versionName='{version}'" in badging
    assert f"application: label='{IDENTITY.label}'" in badging
    assert "minSdkVersion:'26'" in badging
    assert f"targetSdkVersion:'{read_apk(apk).target_sdk}'" in badging
    assert "launchable-activity: name='dev.edgekit.sample.MainActivity'" in badging
    assert "native-code: 'arm64-v8a'" in badging
    assert re.findall(r"uses-permission: name='(.*?)'", badging) == [
        "com.android.alarm.permission.SET_ALARM",
        f"{name}.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION",
    ]
    assert "INTERNET" not in badging
    assert f"Package name={name} id=7f" in aapt2("dump", "resources", apk)


def test_every_class_that_the_manifest_names_is_in_the_code(apk: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        code = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".dex"))
    for name in read_apk(apk).classes:
        assert f"L{name.replace('.', '/')};".encode() in code, name


def test_both_abis_with_the_official_engine(tmp_path: Path, contents: AppContents, key: SigningKey) -> None:
    try:
        libraries = {abi: engine_library("android", abi) for abi in ("arm64-v8a", "x86_64")}
    except MissingToolError as error:
        pytest.skip(f"the official engine cannot be had: {error.message}")
    path = tmp_path / "app.apk"
    result = write_apk(contents, path, app=App(IDENTITY, abis=tuple(libraries)), key=key)
    assert result.size == path.stat().st_size
    assert result.debug_key
    with zipfile.ZipFile(path) as archive:
        for abi, library in libraries.items():
            assert archive.read(f"lib/{abi}/{LIBRARY}") == library.read_bytes()
        inside = [archive.read(name) for name in archive.namelist() if name.endswith(".so")]
    assert {alignment for library in inside for alignment in load_alignments(library)} == {PAGE}
    assert apksig("verify", path) == ["v2=true v3=true warnings=0"]


def test_the_placeholder_id_is_nowhere_left(apk: Path) -> None:
    """Also not in the code: what asks for a provider or a permission by the id must take it from the running app."""
    placeholder = bases.read_base().application_id
    with zipfile.ZipFile(apk) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert placeholder.encode() not in content, name
            assert placeholder.encode("utf-16-le") not in content, name


# ---------------------------------------- icon


def test_an_icon_takes_the_place_of_the_base_s(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    path, picture, base = tmp_path / "app.apk", tmp_path / "icon.png", bases.read_base()
    Image.new("RGBA", (256, 256), (0, 90, 0, 255)).save(picture)
    write_apk(contents, path, app=replace(app, icon=picture), key=key)
    with zipfile.ZipFile(path) as archive:
        with archive.open(base.icon) as file, Image.open(file) as image:
            assert image.getpixel((216, 216)) == (0, 90, 0, 255)
        names = [name for name in archive.namelist() if name.startswith("res/") and name.endswith(".xml")]
        roots = {name: axml.decode(archive.read(name), name) for name in names}
    adaptive = [d for d in roots.values() if next(d.elements())[1].name == "adaptive-icon"]
    assert adaptive
    for document in adaptive:
        assert {element.name for _, element in document.elements()} == {
            "adaptive-icon",
            "background",
            "foreground",
        }
    assert apksig("verify", path) == ["v2=true v3=true warnings=0"]


def test_a_logo_stays_the_icon_s_one_coloured_form(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    path, picture = tmp_path / "app.apk", tmp_path / "icon.png"
    image = Image.new("RGBA", (256, 256))
    image.paste((0, 90, 0, 255), (60, 60, 200, 200))
    image.save(picture)
    write_apk(contents, path, app=replace(app, icon=picture), key=key)
    with zipfile.ZipFile(path) as archive:
        texts = [archive.read(n) for n in archive.namelist() if n.startswith("res/") and n.endswith(".xml")]
    assert any(b"monochrome" in text or "monochrome".encode("utf-16-le") in text for text in texts)


# ---------------------------------------- the same bytes


def test_the_same_input_gives_the_same_bytes(
    apk: Path, tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copy(contents.assets[MODEL], moved)  # type: ignore[arg-type]
    again = AppContents({**{name: contents.assets[name] for name in reversed(contents.assets)}, MODEL: moved})
    write_apk(again, tmp_path / "again.apk", app=app, key=key)
    assert (tmp_path / "again.apk").read_bytes() == apk.read_bytes()


# ---------------------------------------- bad input


@pytest.mark.parametrize(
    ("abis", "why"),
    [
        ((), "each ABI is named once"),
        (("arm64-v8a", "arm64-v8a"), "each ABI is named once"),
        (("armeabi-v7a",), "no engine for armeabi-v7a"),
        (("arm64-v8a", "x86_64"), "is for one ABI"),
        (("x86_64",), "made for arm64-v8a, x86_64 is needed"),
    ],
)
def test_an_abi_without_an_engine_is_refused(
    abis: tuple[str, ...],
    why: str,
    tmp_path: Path,
    contents: AppContents,
    app: App,
    key: SigningKey,
) -> None:
    with pytest.raises(InputError, match=why):
        write_apk(contents, tmp_path / "app.apk", app=replace(app, abis=abis), key=key)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def base_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bases.BASE, tmp_path / "base"))


def test_a_damaged_base_is_told_by_name(
    base_copy: Path, tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    apk = base_copy / bases.APK
    apk.write_bytes(apk.read_bytes()[:-1])
    with pytest.raises(InputError, match="the base app is damaged: its digest differs") as refusal:
        write_apk(contents, tmp_path / "app.apk", app=replace(app, base=base_copy), key=key)
    assert refusal.value.where == str(apk)
    assert "pip install" in str(refusal.value.remedy)


@given(st.data())
def test_a_base_that_is_damaged_under_a_right_digest_is_told_too(
    contents: AppContents, app: App, key: SigningKey, data: st.DataObject
) -> None:
    """An error that names the base, or an app that verifies: nothing in between, and nothing left of the first."""
    with tempfile.TemporaryDirectory() as name:
        base, target = Path(name, "base"), Path(name, "app.apk")
        shutil.copytree(bases.BASE, base)
        apk, facts = base / bases.APK, base / bases.FACTS
        apk.write_bytes(data.draw(damaged(apk.read_bytes())))
        known = json.loads(facts.read_text()) | {"sha256": hashlib.sha256(apk.read_bytes()).hexdigest()}
        facts.write_text(json.dumps(known))
        try:
            write_apk(contents, target, app=replace(app, base=base), key=key)
        except InputError as error:
            assert str(error.where).startswith(str(apk))
            assert not target.exists()
        else:
            verify_apk(target)


@pytest.mark.parametrize("facts", ["", "[]", "{}", '{"schema_version": 9}', "\ud800"])
def test_facts_that_cannot_be_read_are_told(
    facts: str, base_copy: Path, tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    (base_copy / bases.FACTS).write_bytes(facts.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match="base app") as refusal:
        write_apk(contents, tmp_path / "app.apk", app=replace(app, base=base_copy), key=key)
    assert refusal.value.where == str(base_copy / bases.FACTS)


# ---------------------------------------- when it cannot be written


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_no_space_is_told_and_the_old_app_stays(
    small_disk: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    old = small_disk / "app.apk"
    old.write_bytes(b"old")
    with pytest.raises(InputError, match=r"not enough space: [\d,]+ bytes are needed, [\d,]+ are free"):
        write_apk(contents, old, app=app, key=key)
    assert [path.name for path in small_disk.iterdir()] == ["app.apk"]
    assert old.read_bytes() == b"old"


def test_a_disk_that_fills_up_meanwhile_is_told_and_nothing_is_left(
    small_disk: Path,
    contents: AppContents,
    app: App,
    key: SigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edgekit.files import whole

    monkeypatch.setattr(whole, "refuse_if_full", lambda place, needed, error: None)  # it looked free
    with pytest.raises(InputError, match="not enough space"):
        write_apk(contents, small_disk / "app.apk", app=app, key=key)
    assert not list(small_disk.iterdir())


def test_a_limit_on_file_sizes_is_told_and_nothing_is_left(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(InputError, match="grew beyond the allowed size"):
            write_apk(contents, tmp_path / "app.apk", app=app, key=key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_an_old_app_is_replaced_and_what_a_killed_run_left_is_gone(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    path = tmp_path / "app.apk"
    path.write_bytes(b"old")
    (tmp_path / ".app.apk.part").write_bytes(b"x" * 10_000_000)
    write_apk(contents, path, app=app, key=key)
    assert [each.name for each in tmp_path.iterdir()] == ["app.apk"]
    verify_apk(path)


def test_an_interrupt_leaves_nothing(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    class Interrupting:
        @contextlib.contextmanager
        def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator[Advance]:
            def advance(amount: int) -> None:
                if amount > 1_000_000:
                    raise KeyboardInterrupt

            yield advance

    with pytest.raises(KeyboardInterrupt):
        write_apk(contents, tmp_path / "app.apk", app=app, key=key, progress=Interrupting())
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_cannot_be_read_is_told(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    missing = AppContents({**contents.assets, MODEL: tmp_path / "gone.litertlm"})
    with pytest.raises(InputError, match="this file cannot be read: No such file") as refusal:
        write_apk(missing, tmp_path / "app.apk", app=app, key=key)
    assert refusal.value.where == str(tmp_path / "gone.litertlm")
    assert not list(tmp_path.iterdir())


def test_two_runs_do_not_write_the_same_app_at_once(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    path = tmp_path / "app.apk"
    script = (
        "import sys, pathlib; from edgekit.files.whole import whole\n"
        "with whole(pathlib.Path(sys.argv[1])) as file:\n"
        "    print('ready', flush=True); sys.stdin.read(); file.write(b'theirs')"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, path], text=True, **pipes) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(InputError, match="another edgekit run is writing here"):
            write_apk(contents, path, app=app, key=key)
        other.communicate()
    assert path.read_bytes() == b"theirs"


def test_a_directory_in_the_way_is_told(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    (tmp_path / "app.apk").mkdir()
    with pytest.raises(InputError, match="there is a directory where a file should be"):
        write_apk(contents, tmp_path / "app.apk", app=app, key=key)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="there is a file where a directory should be"):
        write_apk(contents, tmp_path / "file" / "app.apk", app=app, key=key)


def test_what_is_no_app_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.apk"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", "")
    with pytest.raises(InputError, match=r"no AndroidManifest\.xml in it"):
        read_apk(path)
    with pytest.raises(InputError, match="No such file"):
        read_apk(tmp_path / "none.apk")


def test_an_app_that_asks_for_signatures_carries_the_key(
    tmp_path: Path, contents: AppContents, app: App, key: SigningKey
) -> None:
    made = write_apk(contents, tmp_path / "a.apk", app=replace(app, signer=b"the key"), key=key)
    with zipfile.ZipFile(made.path) as archive:
        assert archive.read("assets/edgekit-signer.pem") == b"the key"
    assert not [
        member for member in made.members if member.name.startswith("assets/edgekit-") and member.size != 7
    ]
