"""Phones and boards over adb: reach them, learn what they are, bring files there.

What is measured or installed there is the business of `benchmark` and `packaging`.
"""

from edgekit.device.adb import ALL, Device, DeviceLost, choose_devices, find_adb, list_devices
from edgekit.device.push import clean

__all__ = [
    "ALL",
    "Device",
    "DeviceLost",
    "choose_devices",
    "clean",
    "find_adb",
    "list_devices",
]
