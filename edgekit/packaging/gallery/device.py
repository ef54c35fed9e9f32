"""The Gallery on a device: a bundle pushed beside a list of models for testing, and the app opened at it.

This was run over real adb and adbd; in the place of Android's package and activity managers a script answered, in
their words. No phone was at hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote as quote_url

from edgekit.benchmark.device.adb import Device, device_failure, quote
from edgekit.benchmark.device.push import PushFile, push
from edgekit.errors import InputError, MissingToolError
from edgekit.packaging.gallery.allowlist import DEVICE_DIRECTORY, TEST_LIST_NAME
from edgekit.progress import SILENT, Progress

APPLICATION_ID: Final = "com.google.ai.edge.gallery"


def push_gallery(directory: Path, device: Device, progress: Progress = SILENT) -> int:
    """Bring what `write_gallery` wrote to a device, and end the Gallery so that it reads the list when it next starts.

    Returns the number of bytes that had to travel. The list hides the Gallery's other models while it is there. Raises
    InputError when the directory holds no such list, MissingToolError when the Gallery is not installed or there is no
    space, DeviceLost when the device goes away.
    """
    entry = _pushed_entry(directory)
    _need_gallery(device)
    model, models = entry["localModelFilePathOverride"], f"{DEVICE_DIRECTORY}/{TEST_LIST_NAME}"
    files = (PushFile(directory / entry["modelFile"], model), PushFile(directory / TEST_LIST_NAME, models))
    sent = push(device, files, progress=progress)
    # What was there already may have come with other permissions, and the app is another user than adb's shell.
    device.checked(quote("chmod", "644", model, models))
    device.checked(quote("am", "force-stop", APPLICATION_ID))
    return sent


def open_gallery(directory: Path, device: Device) -> str:
    """Start the Gallery at the bundle that `push_gallery` pushed; returns the link.

    Raises MissingToolError when the Gallery is not installed, or Android finds nothing that opens the link.
    """
    link = deep_link(_pushed_entry(directory))
    _need_gallery(device)
    script = quote("am", "start", "-a", "android.intent.action.VIEW", "-d", link, "-p", APPLICATION_ID)
    done = device.shell(script)
    # am complains on its output, and not always with an exit code.
    complaint = re.search(r"^(?:Error|Exception).*", done.out + done.err, re.MULTILINE)
    if complaint and "unable to resolve Intent" in done.out + done.err:
        raise MissingToolError(
            "this version of the Gallery does not open links to a model",
            where=device.serial,
            remedy="update the Gallery, or start it by hand and choose the model",
        )
    if done.code != 0 or complaint:
        raise device_failure(device, complaint[0] if complaint else done.err or done.out, script)
    return link


def deep_link(entry: dict[str, Any]) -> str:
    """Return the link that opens an entry's model in the first of its tasks."""
    return f"{APPLICATION_ID}://model/{entry['taskTypes'][0]}/{quote_url(entry['name'], safe='')}"


def _pushed_entry(directory: Path) -> dict[str, Any]:
    path = directory / TEST_LIST_NAME
    try:
        entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["models"][0]
        entry["name"], entry["taskTypes"][0], entry["localModelFilePathOverride"]
        model = directory / entry["modelFile"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError("there is no list with a model in it", where=path, remedy=_PACKAGE) from error
    if not model.is_file():
        raise InputError("the model that the list names is not there", where=model, remedy=_PACKAGE)
    return entry


_PACKAGE = "write the directory anew: edgekit package BUNDLE --to gallery"


def _need_gallery(device: Device) -> None:
    found = device.shell(quote("pm", "path", APPLICATION_ID))
    if found.code == 127:
        raise MissingToolError(
            "this device is no Android", where=device.serial, remedy="choose a phone or an emulator"
        )
    if "package:" not in found.out:
        raise MissingToolError(
            f"the AI Edge Gallery is not installed ({APPLICATION_ID})",
            where=device.serial,
            remedy="install it from the Play Store or its releases, and open it once",
        )
