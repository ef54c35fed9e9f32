"""The APK that `edgekit package --to apk` makes of the demo bundle, judged by Android's tools and by others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import lief
import pytest
from androguard.core.apk import APK
from loguru import logger

from android_build.apk import badging, classes_in, classes_named, data_offset, signatures
from android_build.catalog import levels
from android_build.demo import PRESETS
from android_build.engine import ABIS, LIBRARY, android_engine
from android_build.process import BuildError, run
from android_build.shim import SHIM
from android_build.toolchain import aapt2

PAGE = 16384
APPLICATION_ID = "org.example.navigator"
LABEL = "Navigatør"

logger.remove()  # androguard tells each of its steps


def edgekit(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "edgekit", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("demo") / "bundle"
    edgekit("demo", "--output", directory, "--quiet")
    return directory


@pytest.fixture(scope="module")
def apk(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("apk") / "out"
    edgekit(
        *("package", bundle, "--to", "apk", "-o", output, "--presets", PRESETS, "--quiet"),
        *(word for abi in ABIS for word in ("--abi", abi)),
        *("--application-id", APPLICATION_ID, "--label", LABEL, "--version", "2.1"),
    )
    [apk] = output.glob("*.apk")
    return apk


def test_both_signature_schemes_hold(apk: Path) -> None:
    assert signatures(apk) == {"verified": True, "v2": True, "v3": True}


@pytest.mark.parametrize("entry", ["classes.dex", "model", "AndroidManifest.xml"])
def test_one_flipped_byte_breaks_the_signature(apk: Path, bundle: Path, tmp_path: Path, entry: str) -> None:
    name = f"assets/edgekit/{model_of(bundle).name}" if entry == "model" else entry
    changed = Path(shutil.copy(apk, tmp_path))
    with changed.open("r+b") as file:
        file.seek(data_offset(apk, name) + 100)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(BuildError, match="verified false"):
        signatures(changed)


def test_the_system_reads_what_was_asked_for(apk: Path) -> None:
    said = badging(apk)
    assert (said.application_id, said.label, said.version_name) == (APPLICATION_ID, LABEL, "2.1")
    assert (said.minimum_sdk, said.target_sdk) == (levels().minimum, levels().target)
    assert said.abis == set(ABIS)
    assert said.launched == "dev.edgekit.sample.MainActivity"


def test_it_may_not_use_the_network(apk: Path) -> None:
    """One permission is AndroidX's, by which the app guards receivers of its own; clocks want the other."""
    own = f"{APPLICATION_ID}.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION"
    assert badging(apk).permissions == {own, "com.android.alarm.permission.SET_ALARM"}


def test_nothing_carries_the_placeholder_id(apk: Path) -> None:
    manifest = run(aapt2(), "dump", "xmltree", "--file", "AndroidManifest.xml", apk)
    assert "dev.edgekit.app" not in manifest
    assert f"{APPLICATION_ID}.androidx-startup" in manifest


def test_the_bundle_is_in_it_stored_aligned_and_byte_equal(apk: Path, bundle: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        for path in (model_of(bundle), bundle / "edgekit.json", bundle / "NOTICE"):
            name = f"assets/edgekit/{path.name}"
            assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
            assert archive.read(name) == path.read_bytes()
        [task] = json.loads(archive.read("assets/edgekit/tasks.json"))["tasks"]
    assert data_offset(apk, f"assets/edgekit/{model_of(bundle).name}") % PAGE == 0
    assert task["golden"]


@pytest.mark.parametrize("abi", ABIS)
def test_libraries_are_mapped_from_the_apk(apk: Path, abi: str) -> None:
    """Stored, and aligned to 16 KiB both in the archive and in themselves."""
    with zipfile.ZipFile(apk) as archive:
        names = [name for name in archive.namelist() if name.startswith(f"lib/{abi}/")]
        assert {f"lib/{abi}/{SHIM}", f"lib/{abi}/{LIBRARY}"} <= set(names)
        for name in names:
            assert archive.getinfo(name).compress_type == zipfile.ZIP_STORED
            assert data_offset(apk, name) % PAGE == 0
            elf = lief.ELF.parse(list(archive.read(name)))
            assert elf is not None
            loaded = [part for part in elf.segments if part.type == lief.ELF.Segment.TYPE.LOAD]
            assert loaded
            assert {part.alignment % PAGE for part in loaded} == {0}
        assert archive.read(f"lib/{abi}/{LIBRARY}") == android_engine(abi).read_bytes()


@pytest.mark.parametrize("abi", ABIS)
def test_the_shim_finds_every_function_that_it_calls(apk: Path, abi: str) -> None:
    with zipfile.ZipFile(apk) as archive:
        shim = lief.ELF.parse(list(archive.read(f"lib/{abi}/{SHIM}")))
        engine = lief.ELF.parse(list(archive.read(f"lib/{abi}/{LIBRARY}")))
    assert shim is not None
    assert engine is not None
    exported = {str(symbol.name) for symbol in engine.exported_symbols}
    called = {
        str(symbol.name) for symbol in shim.imported_symbols if str(symbol.name).startswith("litert_lm_")
    }
    assert called
    assert called <= exported
    assert set(shim.libraries) <= {LIBRARY, "libc.so"}


def test_the_dex_has_every_class_that_the_manifest_names(apk: Path) -> None:
    assert classes_named(apk) - classes_in(apk) == set()


def test_androguard_agrees(apk: Path) -> None:
    read = APK(str(apk))
    said = badging(apk)
    assert read.is_valid_APK()
    assert (read.get_package(), read.get_app_name()) == (APPLICATION_ID, LABEL)
    assert (read.get_androidversion_code(), read.get_androidversion_name()) == (str(said.version_code), "2.1")
    assert set(read.get_permissions()) == said.permissions
    assert read.get_main_activity() == said.launched
    assert read.is_signed_v2()
    assert read.is_signed_v3()


def model_of(bundle: Path) -> Path:
    return bundle / str(json.loads((bundle / "edgekit.json").read_bytes())["model"]["file"])
