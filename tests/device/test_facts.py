"""What a device's answers mean: a phone's, a board's, and those of devices that edgekit has nothing for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.device.facts import (
    big_cores,
    check_supported,
    cool_down,
    parse_conditions,
    parse_facts,
    sections,
)
from edgekit.device.info import Conditions
from edgekit.errors import MissingToolError

PHONE = """@machine
aarch64
@os
Linux 5.15.137-android14
@model

@memory
MemTotal:       11824212 kB
MemAvailable:    6422016 kB
@cpus
0 1704000 180
1 1704000 180
2 2367000 641
3 2367000 641
4 2914000 1024
@governor
sched_pixel
@props
ro.build.version.sdk=34
ro.build.version.release=14
ro.product.manufacturer=Google
ro.product.model=Pixel 8 Pro
ro.product.cpu.abi=arm64-v8a
ro.soc.manufacturer=Google
ro.soc.model=Tensor G3
ro.board.platform=zuma
@load
2.31 2.00 1.90 2/5000 1234
@mhz
1197000
2914000
@caps
1704000 1704000
2914000 2914000
@zones
battery 31000
cpu-big-thermal 47200
modem -40000
@battery
Current Battery Service state:
  AC powered: false
  USB powered: true
  level: 81
  temperature: 312
@thermal
Thermal Status: 0
"""


def test_a_phone_is_described() -> None:
    facts = parse_facts(PHONE, "8A2X0P")
    info = facts.info
    assert (info.kind, info.name, info.abi, facts.sdk) == ("android", "8A2X0P", "arm64-v8a", 34)
    assert (info.model, info.soc, info.os) == ("Google Pixel 8 Pro", "Google Tensor G3", "Android 14")
    assert info.cores == 5
    assert [cluster.cpus for cluster in info.clusters] == [(0, 1), (2, 3), (4,)]
    assert info.clusters[-1].max_mhz == 2914
    assert big_cores(info) == (4,)
    assert info.ram_bytes == 11824212 * 1024
    assert facts.available_bytes == 6422016 * 1024
    assert info.governor == "sched_pixel"
    assert facts.conditions == Conditions(81, True, 47.2, "none", 2914, 2.31)
    assert not facts.throttled
    check_supported(facts)


def test_a_board_without_getprop_is_a_linux_device() -> None:
    board = PHONE.split("@props")[0] + "@props\n@load\n0.1 0 0 1/2 3\n"
    facts = parse_facts(board.replace("@model\n", "@model\nRadxa ROCK 5B\n"), "board")
    assert (facts.info.kind, facts.sdk, facts.info.abi) == ("linux", None, "arm64-v8a")
    assert facts.info.model == "Radxa ROCK 5B"
    assert facts.info.os == "Linux 5.15.137-android14"
    assert facts.conditions.thermal_status is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version.sdk=34", "version.sdk=23", "too old for the engine"),
        ("abi=arm64-v8a", "abi=armeabi-v7a", "ABI, armeabi-v7a"),
        ("abi=arm64-v8a", "abi=riscv64", "ABI, riscv64"),
    ],
)
def test_an_unsupported_device_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(MissingToolError, match=says):
        check_supported(parse_facts(PHONE.replace(old, new), "old"))


def test_throttling_is_android_s_word_or_a_lowered_limit() -> None:
    hot = parse_conditions(sections(PHONE.replace("Status: 0", "Status: 3")))
    assert (hot[0].thermal_status, hot[1]) == ("severe", True)
    board = PHONE.split("@battery")[0].replace("2914000 2914000", "1200000 2914000")
    assert parse_conditions(sections(board))[1]


def test_a_device_that_tells_nothing_has_no_conditions() -> None:
    assert parse_conditions({}) == (Conditions(), False)


def test_resting_ends_when_the_device_is_cool(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Conditions(temperature_c=40)
    readings = iter([(replace(start, temperature_c=48.0), True), (replace(start, temperature_c=42.0), False)])
    monkeypatch.setattr("edgekit.device.facts.read_conditions", lambda device: next(readings))
    slept: list[float] = []
    assert cool_down(None, start, 60, sleep=slept.append) is None  # type: ignore[arg-type]
    assert slept == [5.0]


def test_resting_gives_up_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    hot = (Conditions(temperature_c=60.0), True)
    monkeypatch.setattr("edgekit.device.facts.read_conditions", lambda device: hot)
    slept: list[float] = []
    note = cool_down(None, Conditions(temperature_c=40), 12, sleep=slept.append)  # type: ignore[arg-type]
    assert note == "still warm after 12 s of rest (60 °C)"
    assert slept == [5.0, 5.0, 2.0]
