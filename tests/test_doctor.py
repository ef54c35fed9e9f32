"""Which backends work here, and what helps where one does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit import doctor
from edgekit.doctor import examine, remedy
from tests.device.rig import Lab

pytestmark = pytest.mark.slow

NO_GPU = "the engine says: no GPU was found (No adapters found)"


def test_without_a_driver_only_the_processor_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "none.json"))
    found = examine()
    cpu, gpu = found.backends
    assert (cpu.name, cpu.opens, cpu.reason, cpu.remedy) == ("cpu", True, None, None)
    assert (gpu.name, gpu.opens, gpu.device) == ("gpu", False, None)
    assert "no GPU was found" in (gpu.reason or "")
    assert "Vulkan driver" in (gpu.remedy or "")
    assert found.lost == ()
    assert [backend["name"] for backend in found.to_json()["backends"]] == ["cpu", "gpu"]


def test_the_remedy_names_the_software_device_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = tmp_path / "icd.json"
    monkeypatch.setattr(doctor, "SWIFTSHADER", driver)
    monkeypatch.delenv("VK_ICD_FILENAMES", raising=False)
    assert "apt-get install chromium" in (remedy("gpu", "host", NO_GPU) or "")
    driver.write_text("{}")
    assert f"export VK_ICD_FILENAMES={driver}" in (remedy("gpu", "host", NO_GPU) or "")


def test_a_device_s_remedy_is_for_a_device() -> None:
    assert "falls back to the processor" in (remedy("gpu", "android", NO_GPU) or "")
    assert "board" in (remedy("gpu", "linux", NO_GPU) or "")
    assert remedy("gpu", "android", "the engine says: not finished after 300 s") is None


def test_a_board_over_adb_is_asked_as_this_machine_is(lab: Lab) -> None:
    board = lab.board()
    found = examine([f"adb:{board.serial}"])
    assert [(backend.name, backend.opens) for backend in found.backends] == [("cpu", True), ("gpu", False)]
    assert {backend.place for backend in found.backends} == {board.serial}
    assert "no GPU was found" in (found.backends[1].reason or "")
    assert "board" in (found.backends[1].remedy or "")
