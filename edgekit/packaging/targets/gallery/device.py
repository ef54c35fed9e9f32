"""Onto a phone over adb: the model and the list that names it, then the Gallery at the model.

This was run over real adb and adbd; in the place of Android's package and activity managers a script answered, in
their words. No phone was at hand.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from edgekit.device.adb import Device, device_failure, quote
from edgekit.device.push import PushFile, push
from edgekit.errors import MissingToolError
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.allowlist import (
    APPLICATION_ID,
    REMOTE_LIST,
    deep_link,
    list_text,
    pushed_list,
    remote_model,
)
from edgekit.progress import SILENT, Progress


def push_to_gallery(device: Device, source: Source, *, progress: Progress = SILENT) -> int:
    """Put model and list where the Gallery looks, readable for all, and stop the Gallery, which reads the list when it
    starts; gives the bytes that had to travel.

    The list replaces what the Gallery offers from the network as long as it lies there. Raises MissingToolError when
    the Gallery is not installed, or they do not fit or may not be written, DeviceLost when the device goes away.
    """
    _need_gallery(device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model_allowlist_test.json"
        path.write_text(list_text(pushed_list(source)), encoding="utf-8")
        files = [PushFile(source.model, remote_model(source)), PushFile(path, REMOTE_LIST)]
        sent = push(device, files, progress=progress)
    # Files that were there already keep the permissions they had.
    device.checked(f"chmod 644 {quote(remote_model(source), REMOTE_LIST)}")
    device.checked(f"am force-stop {quote(APPLICATION_ID)}")
    return sent


def open_gallery(device: Device, source: Source) -> None:
    """Start the Gallery at the model. Raises MissingToolError when it is not installed, or opens no such links."""
    _need_gallery(device)
    script = quote(
        "am", "start", "-a", "android.intent.action.VIEW", "-d", deep_link(source), "-p", APPLICATION_ID
    )
    done = device.shell(script)
    # am complains on its output, and not always with an exit code.
    complaint = re.search(r"^(?:Error|Exception).*", done.out + done.err, re.MULTILINE)
    if complaint is not None and "unable to resolve Intent" in complaint[0]:
        raise MissingToolError(
            "this version of the Gallery does not open links to a model",
            where=device.serial,
            remedy="update the Gallery, or start it by hand and choose the model",
        )
    if done.code != 0 or complaint is not None:
        raise device_failure(device, complaint[0] if complaint else done.err or done.out, script)


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
            remedy="install it from Google Play or its releases, start it once, and repeat",
        )
