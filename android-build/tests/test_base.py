"""The base that ships in edgekit is the app as its sources are now, and what the packager is told of it is true."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import lief
import pytest
from androguard.core.dex import DEX
from loguru import logger

from android_build import catalog
from android_build.apk import badging, classes_in, classes_named
from android_build.base import APK, FACTS, MAXIMUM_SIZE, built_base, compare_base, differing_entries
from android_build.engine import ABIS, engine_version
from android_build.layout import BASE
from android_build.shim import SHIM

ACC_NATIVE = 0x100  # Source: the dex format, access_flags

logger.remove()  # androguard tells each of its steps


@pytest.fixture(scope="module")
def apk() -> Path:
    return BASE / APK


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return dict(json.loads((BASE / FACTS).read_text(encoding="utf-8")))


def test_it_is_what_the_sources_build_byte_for_byte() -> None:
    compare_base()


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    built, changed = built_base() / APK, tmp_path / APK
    with zipfile.ZipFile(built) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = bytearray(source.read(name))
            content[-1] ^= name == "classes.dex"
            target.writestr(name, bytes(content))
    assert differing_entries(built, changed) == ["classes.dex"]


def test_its_digest_is_told(apk: Path, facts: dict[str, Any]) -> None:
    assert hashlib.sha256(apk.read_bytes()).hexdigest() == facts["sha256"]


def test_it_is_small(apk: Path) -> None:
    assert apk.stat().st_size <= MAXIMUM_SIZE


def test_it_asks_for_no_permission_but_its_own_and_a_timer_s(apk: Path, facts: dict[str, Any]) -> None:
    """AndroidX guards receivers that the app registers at run time by a permission of the app's own."""
    own = f"{facts['application_id']}.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION"
    assert badging(apk).permissions == {own, "com.android.alarm.permission.SET_ALARM"}


def test_the_dex_has_every_class_that_the_manifest_names(apk: Path, facts: dict[str, Any]) -> None:
    named = classes_named(apk)
    assert f"{facts['namespace']}.MainActivity" in named
    assert named - classes_in(apk) == set()


@pytest.mark.parametrize("abi", ABIS)
def test_the_shim_has_every_function_that_the_dex_declares_native(apk: Path, abi: str) -> None:
    """A name that R8 shortened, or that differs between Kotlin and C, would only be missed on a phone."""
    with zipfile.ZipFile(apk) as archive:
        dex = DEX(archive.read("classes.dex"))
        shim = lief.ELF.parse(list(archive.read(f"lib/{abi}/{SHIM}")))
    assert shim is not None
    declared = {
        f"Java_{method.get_class_name()[1:-1].replace('/', '_')}_{method.get_name()}"
        for method in dex.get_encoded_methods()
        if method.get_access_flags() & ACC_NATIVE and method.get_class_name().startswith("Ldev/edgekit/")
    }
    assert declared
    assert declared <= {str(symbol.name) for symbol in shim.exported_symbols}


def test_the_facts_are_those_of_the_apk(apk: Path, facts: dict[str, Any]) -> None:
    said, levels = badging(apk), catalog.levels()
    assert (said.application_id, said.version_code, said.version_name) == (
        facts["application_id"], facts["version_code"], facts["version_name"]
    )  # fmt: skip
    assert (said.minimum_sdk, said.target_sdk) == (facts["min_sdk"], facts["target_sdk"])
    assert (facts["min_sdk"], facts["target_sdk"], facts["compile_sdk"]) == (
        levels.minimum, levels.target, levels.compile
    )  # fmt: skip
    assert said.abis == set(facts["abis"]) == set(ABIS)
    assert facts["engine"] == engine_version()


def test_it_holds_the_shim_and_the_picture_that_packaging_swaps(apk: Path, facts: dict[str, Any]) -> None:
    with zipfile.ZipFile(apk) as archive:
        names = archive.namelist()
        picture = archive.read(facts["icon"])
    assert {f"lib/{abi}/{SHIM}" for abi in ABIS} <= set(names)
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture[16:24] == (432).to_bytes(4, "big") * 2


def test_it_holds_neither_engine_nor_bundle(apk: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        assert not [name for name in archive.namelist() if "litert" in name or name.startswith("assets/")]


def test_nothing_in_it_depends_on_the_clock(apk: Path) -> None:
    with zipfile.ZipFile(apk) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
