"""Phones and boards over adb: reach them, push what they need, measure there.

adb     finding adb, choosing a device, running commands on it
facts   what a device is, and how hot
push    bringing files there, only what changed
remote  the benchmark itself
build   builds the runners in prebuilt/ from runner.c; android/build.py the dex from Main.java
"""

from edgekit.benchmark.device.adb import ALL, Device, DeviceLost, choose_devices, find_adb, list_devices
from edgekit.benchmark.device.push import clean
from edgekit.benchmark.device.remote import run_on_device, run_on_devices

__all__ = [
    "ALL",
    "Device",
    "DeviceLost",
    "choose_devices",
    "clean",
    "find_adb",
    "list_devices",
    "run_on_device",
    "run_on_devices",
]
