"""What a device says about itself: what it is, how hot it is, how much room it has.

One shell script asks everything at once; a device answers what it knows. Android answers getprop and dumpsys, a plain
Linux board has the files under /sys and /proc only.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgekit.device.adb import Device
from edgekit.device.info import Cluster, Conditions, DeviceInfo
from edgekit.errors import MissingToolError

DIRECTORY = "/data/local/tmp/edgekit"
"""Everything of edgekit on a device: adb's shell user may write and execute there."""

MINIMUM_SDK = 24
"""Android 7: the official engine library is built for 23, and adb tells exit codes from 24 on."""

THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""PowerManager.THERMAL_STATUS_*, in order."""

_PROPERTIES = (
    "ro.build.version.sdk",
    "ro.build.version.release",
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.product.cpu.abi",
    "ro.soc.manufacturer",
    "ro.soc.model",
    "ro.board.platform",
)

_CONDITIONS = r"""
echo @load; cat /proc/loadavg 2>/dev/null
echo @mhz; cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq 2>/dev/null
echo @caps; for c in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
 [ -r $c/scaling_max_freq ] && echo $(cat $c/scaling_max_freq $c/cpuinfo_max_freq 2>/dev/null); done
echo @zones; for z in /sys/class/thermal/thermal_zone*; do
 [ -r $z/temp ] && echo $(cat $z/type) $(cat $z/temp 2>/dev/null); done
if command -v dumpsys >/dev/null 2>&1; then
 echo @battery; dumpsys battery 2>/dev/null
 echo @thermal; dumpsys thermalservice 2>/dev/null | grep -m1 'Thermal Status'
else
 for b in /sys/class/power_supply/*; do [ -r $b/capacity ] && { echo @battery
  echo level: $(cat $b/capacity); echo temperature: $(cat $b/temp 2>/dev/null)
  echo charging: $(cat $b/status 2>/dev/null); break; }; done
fi
true"""

_IDENTITY = (
    r"""
echo @machine; uname -m
echo @os; sed -n 's/^PRETTY_NAME=//p' /etc/os-release 2>/dev/null | tr -d '"'; uname -sr
echo @model; cat /proc/device-tree/model /sys/class/dmi/id/product_name 2>/dev/null | tr '\0' '\n'; echo
echo @memory; cat /proc/meminfo
echo @cpus; for c in /sys/devices/system/cpu/cpu[0-9]*; do
 echo ${c##*/cpu} $(cat $c/cpufreq/cpuinfo_max_freq 2>/dev/null || echo 0) \
 $(cat $c/cpu_capacity 2>/dev/null || echo 0); done
echo @governor; cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null
echo @props; if command -v getprop >/dev/null 2>&1; then
 for p in """
    + " ".join(_PROPERTIES)
    + r"""; do echo "$p=$(getprop $p)"; done; fi"""
)


@dataclass(frozen=True)
class Facts:
    """A device before anything runs. available_bytes: memory that can be had. sdk: None where it is no Android."""

    info: DeviceInfo
    available_bytes: int | None
    sdk: int | None
    conditions: Conditions
    throttled: bool


def read_facts(device: Device) -> Facts:
    """Ask a device what it is. Raises MissingToolError when edgekit has nothing that runs on it."""
    facts = parse_facts(device.checked(_IDENTITY + _CONDITIONS), device.serial)
    check_supported(facts)
    return facts


def read_conditions(device: Device) -> tuple[Conditions, bool]:
    """How a device is now, and whether it holds its clocks down."""
    return parse_conditions(sections(device.checked(_CONDITIONS)))


def check_supported(facts: Facts) -> None:
    """Raise MissingToolError for a processor or an Android version that there is no runner or engine for."""
    info = facts.info
    if facts.sdk is not None and facts.sdk < MINIMUM_SDK:
        raise MissingToolError(
            f"{info.os} (API level {facts.sdk}) is too old for the engine",
            where=info.name,
            remedy="Android 7 (API level 24) or newer",
        )
    if info.abi not in ("arm64-v8a", "x86_64"):
        raise MissingToolError(
            f"the engine does not exist for this device's ABI, {info.abi or 'which it does not tell'}",
            where=info.name,
            remedy="arm64-v8a (aarch64) or x86_64, with a 64-bit system",
        )


def sections(text: str) -> dict[str, list[str]]:
    """Split the script's answer at its @names; blank lines are dropped."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.replace("\r", "").splitlines():
        if re.fullmatch(r"@[a-z]+", line):
            lines = found.setdefault(line[1:], [])
        elif line.strip():
            lines.append(line.strip())
    return found


def parse_facts(text: str, serial: str) -> Facts:
    """Read the answer to the whole script."""
    parts = sections(text)
    props = {
        key: value
        for key, found, value in (line.partition("=") for line in parts.get("props", ()))
        if found and value
    }
    sdk = props.get("ro.build.version.sdk", "")
    android = re.fullmatch(r"[0-9]{1,4}", sdk) is not None
    memory = dict(re.findall(r"(\w+): +([0-9]{1,15}) kB", "\n".join(parts.get("memory", ()))))
    clusters = _clusters(parts.get("cpus", ()))
    conditions, throttled = parse_conditions(parts)
    info = DeviceInfo(
        kind="android" if android else "linux",
        name=serial,
        model=_joined(props, "ro.product.manufacturer", "ro.product.model") or _first(parts, "model"),
        soc=_joined(props, "ro.soc.manufacturer", "ro.soc.model") or props.get("ro.board.platform"),
        os=f"Android {props.get('ro.build.version.release', '?')}" if android else _first(parts, "os"),
        abi=props.get("ro.product.cpu.abi") if android else _abi(_first(parts, "machine")),
        cores=sum(len(cluster.cpus) for cluster in clusters) or None,
        clusters=clusters,
        ram_bytes=_kilobytes(memory, "MemTotal"),
        governor=_first(parts, "governor"),
        before=conditions,
        after=conditions,
    )
    return Facts(
        info, _kilobytes(memory, "MemAvailable"), int(sdk) if android else None, conditions, throttled
    )


def parse_conditions(parts: Mapping[str, list[str]]) -> tuple[Conditions, bool]:
    """Read how the device is, and whether it is throttled: by Android's word, or by a lowered limit of a clock."""
    battery = {
        key.strip().lower(): value.strip()
        for key, found, value in (line.partition(":") for line in parts.get("battery", ()))
        if found
    }
    tenths = _number(battery.get("temperature"))
    zones = [
        value / 1000 if abs(value) >= 1000 else value
        for line in parts.get("zones", ())
        if (value := _number(line.split()[-1])) is not None
        and re.search(r"cpu|soc|pkg|core|acpitz|tsens", line.split()[0], re.IGNORECASE)
    ]
    hottest = max((zone for zone in zones if 0 < zone < 150), default=None)
    status = re.search(r"(\d)", " ".join(parts.get("thermal", ())))
    word = THERMAL_STATUS[min(int(status[1]), 6)] if status else None
    clocks = [mhz / 1000 for line in parts.get("mhz", ()) if (mhz := _number(line)) is not None]
    limits = [[_number(word) or 0 for word in line.split()] for line in parts.get("caps", ())]
    lowered = any(len(pair) == 2 and 0 < pair[0] < pair[1] for pair in limits)
    conditions = Conditions(
        battery_percent=_number(battery.get("level")),
        charging=_charging(battery),
        temperature_c=hottest if hottest is not None else None if tenths is None else tenths / 10,
        thermal_status=word,
        cpu_mhz=max(clocks, default=None),
        load=_number(" ".join(parts.get("load", ())).split(" ")[0]),
    )
    return conditions, (word not in (None, "none")) if word is not None else lowered


def big_cores(info: DeviceInfo) -> tuple[int, ...]:
    """The cores of the fastest cluster; all of them when they are of one kind, or the device does not tell."""
    return info.clusters[-1].cpus if info.clusters else ()


def _clusters(lines: list[str] | tuple[()]) -> tuple[Cluster, ...]:
    """Cores of equal clock and capacity together, slowest first."""
    groups: dict[tuple[float, float], list[int]] = {}
    for line in lines:
        numbers = [_number(word) for word in line.split()]
        if len(numbers) == 3 and None not in numbers:
            cpu, khz, capacity = (number or 0 for number in numbers)
            groups.setdefault((capacity, khz), []).append(int(cpu))
    return tuple(
        Cluster(tuple(sorted(cpus)), khz / 1000 or None) for (_, khz), cpus in sorted(groups.items())
    )


def _charging(battery: Mapping[str, str]) -> bool | None:
    if "charging" in battery:
        return battery["charging"].lower() == "charging"
    powered = [value for key, value in battery.items() if key.endswith(" powered")]
    return any(value == "true" for value in powered) if powered else None


def _abi(machine: str | None) -> str | None:
    return "arm64-v8a" if machine in ("aarch64", "arm64") else machine


def _joined(props: Mapping[str, str], *names: str) -> str | None:
    return " ".join(props[name] for name in names if name in props) or None


def _first(parts: Mapping[str, list[str]], name: str) -> str | None:
    return next(iter(parts.get(name, ())), None)


def _kilobytes(memory: Mapping[str, str], name: str) -> int | None:
    return int(memory[name]) * 1024 if name in memory else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # neither infinite nor NaN: a device may say anything


_COOLER_SECONDS = 5.0


_WARMER_BY = 3.0


def cool_down(
    device: Device, start: Conditions, limit: float, *, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Wait, at most `limit` seconds, until a device is as cool as at the start; returns a note when it is not.

    Cool is: Android speaks of no throttling, and the temperature is at most 3 °C above the start's.
    """
    waited = 0.0
    while limit > 0:
        now, throttled = read_conditions(device)
        hot = (
            now.temperature_c is not None
            and start.temperature_c is not None
            and now.temperature_c > start.temperature_c + _WARMER_BY
        )
        if not hot and not throttled:
            return None
        if waited >= limit:
            degrees = "" if now.temperature_c is None else f" ({now.temperature_c:.0f} °C)"
            return f"still warm after {limit:g} s of rest{degrees}"
        pause = min(_COOLER_SECONDS, limit - waited)
        sleep(pause)
        waited += pause
    return None
