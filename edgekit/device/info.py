"""What a machine is, and in which state it is while it measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Conditions:
    """The state of a device at one moment, as far as it tells.

    thermal_status: Android's word (none, light, moderate, severe, critical …). cpu_mhz: of the fastest core.
    load: runnable processes, averaged over the last minute.
    """

    battery_percent: float | None = None
    charging: bool | None = None
    temperature_c: float | None = None
    thermal_status: str | None = None
    cpu_mhz: float | None = None
    load: float | None = None


@dataclass(frozen=True)
class Cluster:
    """Cores of one kind, the slowest kind first. cpus: their numbers. max_mhz: their highest clock."""

    cpus: tuple[int, ...]
    max_mhz: float | None = None


@dataclass(frozen=True)
class DeviceInfo:
    """The machine that measured.

    kind: host (this machine), linux (a board over adb), android. name: to tell targets apart, such as `host` or the
    serial number. os: name and version. abi: as Android names it (arm64-v8a, x86_64).
    """

    kind: Literal["host", "linux", "android"]
    name: str
    model: str | None = None
    soc: str | None = None
    os: str | None = None
    abi: str | None = None
    cores: int | None = None
    clusters: tuple[Cluster, ...] = ()
    ram_bytes: int | None = None
    governor: str | None = None
    before: Conditions = Conditions()
    after: Conditions = Conditions()
