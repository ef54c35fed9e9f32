"""This machine: what it is, and in which state it is while it measures."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

from edgekit.device.info import Cluster, Conditions, DeviceInfo

HOST: Final = "host"
_SYS: Final = Path("/sys/devices/system/cpu")


def read_host() -> DeviceInfo:
    """Return what this machine is, but for its conditions."""
    return DeviceInfo(
        kind="host",
        name=HOST,
        model=_file("/sys/class/dmi/id/product_name"),
        soc=_cpu_name(),
        os=f"{platform.system()} {platform.release()}",
        abi=host_abi(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        clusters=_clusters(),
        ram_bytes=_ram_bytes(),
        governor=_file(_SYS / "cpu0/cpufreq/scaling_governor"),
    )


def fastest_cores() -> tuple[int, ...]:
    """Return the cores of this machine's fastest kind; empty, which is all, where there is only one kind."""
    clusters = _clusters()
    return clusters[-1].cpus if len(clusters) > 1 else ()


def read_conditions() -> Conditions:
    """Return the state of this machine, as far as Linux tells: load, temperature, clock."""
    temperatures = [
        int(text) / 1000
        for path in sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))
        if (text := _file(path)) and text.lstrip("-").isdigit()
    ]
    clocks = [
        int(text) / 1000
        for path in _SYS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        if (text := _file(path)) and text.isdigit()
    ]
    return Conditions(
        temperature_c=max(temperatures, default=None),
        cpu_mhz=max(clocks, default=None),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _clusters() -> tuple[Cluster, ...]:
    by_clock: dict[float, list[int]] = {}
    for path in _SYS.glob("cpu[0-9]*/cpufreq/cpuinfo_max_freq"):
        if (text := _file(path)) and text.isdigit():
            by_clock.setdefault(int(text) / 1000, []).append(int(path.parent.parent.name[3:]))
    return tuple(Cluster(tuple(sorted(cpus)), clock) for clock, cpus in sorted(by_clock.items()))


def _cpu_name() -> str | None:
    for line in (_file("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _ram_bytes() -> int | None:
    names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    if "SC_PHYS_PAGES" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _file(path: str | Path) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip() or None
    except OSError:
        return None


_ABIS: Final = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64-v8a", "arm64": "arm64-v8a"}


def host_abi() -> str:
    """Return this machine's ABI as Android names it, or the machine's own word for it."""
    return _ABIS.get(platform.machine(), platform.machine())
