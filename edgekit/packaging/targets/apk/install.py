"""Putting an app on a device over adb, and starting it.

The APK goes through adb's shell into `cmd package install -r -S SIZE`, as `adb install -r` does it, so that nothing
lies on the device twice and progress can be shown; `am start` opens the activity. This was run over real adb and adbd,
but Debian's has no package manager: a script answered in its place, in Android's words. No phone was at hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from edgekit.device.adb import RECONNECT, Device, DeviceLost, device_failure, quote
from edgekit.errors import EdgekitError, InputError, MissingToolError
from edgekit.packaging.targets.apk.assemble import read_apk
from edgekit.packaging.targets.apk.manifest import AppManifest
from edgekit.progress import SILENT, Advance, Progress

_LOOK_SECONDS = 0.2
_STALLED_SECONDS = 300.0


def install_apk(device: Device, apk: Path, *, start: bool = True, progress: Progress = SILENT) -> AppManifest:
    """Install an app, keeping the data of the version before, and start it; gives its manifest.

    Raises InputError when the device does not take this app (other signature, newer version there, Android too old, no
    library for its processor), MissingToolError when there is no space or the installation failed otherwise,
    DeviceLost when the device goes away.
    """
    manifest = read_apk(apk)
    _install(device, apk, manifest, progress)
    if start:
        _start(device, manifest)
    return manifest


def _install(device: Device, apk: Path, manifest: AppManifest, progress: Progress) -> None:
    size = apk.stat().st_size
    script = quote("cmd", "package", "install", "-r", "-S", size)
    step = progress.step(f"install on {device.serial}", size, "bytes")
    with apk.open("rb", buffering=0) as file, step as advance:
        process = subprocess.Popen(
            device.command("shell", "-T", script),
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            out, err = _follow(process, file, advance)
        except subprocess.TimeoutExpired as error:
            raise DeviceLost(
                "the device takes no more data", where=device.serial, remedy=RECONNECT
            ) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode == 0 and "Success" in out:
        return
    if code := re.search(r"\bINSTALL_\w+", err + out):
        raise _refusal(code[0], err + out, device, manifest)
    device.raise_if_lost(err)
    raise device_failure(device, err + out, script)


def _follow(process: subprocess.Popen[bytes], file: FileIO, advance: Advance) -> tuple[str, str]:
    """Wait for adb, which reads the file by itself: how far it is shows in the position that we share with it.

    Gives what it printed. Raises TimeoutExpired when nothing has moved for five minutes.
    """
    seen, moved = 0, time.monotonic()
    printed: tuple[bytes, bytes] | None = None
    while printed is None:
        try:
            printed = process.communicate(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() - moved > _STALLED_SECONDS:
                raise
        position = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        if position != seen:
            advance(position - seen)
            seen, moved = position, time.monotonic()
    out, err = printed
    return out.decode(errors="replace"), err.decode(errors="replace")


def _start(device: Device, manifest: AppManifest) -> None:
    activity = f"{manifest.application_id}/{manifest.activity}"
    script = quote(
        *(
            "am",
            "start",
            "-a",
            "android.intent.action.MAIN",
            "-c",
            "android.intent.category.LAUNCHER",
            "-n",
            activity,
        )
    )
    done = device.shell(script)
    # am complains on its output, and not always with an exit code.
    complaint = re.search(r"^(?:Error|Exception).*", done.out + done.err, re.MULTILINE)
    if done.code != 0 or complaint:
        raise device_failure(device, complaint[0] if complaint else done.err or done.out, script)


@dataclass(frozen=True)
class _Refusal:
    """What a code of the package manager means. message and remedy are filled in with the app's and the device's."""

    kind: type[EdgekitError]
    message: str
    remedy: str


_OTHER_SIGNATURE = _Refusal(
    InputError,
    "{id} is installed, signed with another key",
    "sign with the key of that version (--keystore), or remove it with its data: adb -s {serial} uninstall {id}",
)
_NO_SPACE = _Refusal(
    MissingToolError,
    "there is not enough space on the device",
    "free some: the app is there twice while it is installed, and its first start copies the bundle once more",
)
_REFUSALS = {
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": _OTHER_SIGNATURE,
    "INSTALL_PARSE_FAILED_INCONSISTENT_CERTIFICATES": _OTHER_SIGNATURE,
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": _NO_SPACE,
    "INSTALL_FAILED_MEDIA_UNAVAILABLE": _NO_SPACE,
    "INSTALL_FAILED_NO_MATCHING_ABIS": _Refusal(
        InputError,
        "the app holds no library for this device's processor",
        "package for it: --abi with what this says: adb -s {serial} shell getprop ro.product.cpu.abilist",
    ),
    "INSTALL_FAILED_OLDER_SDK": _Refusal(
        InputError,
        "this device's Android is too old: the app needs API level {min_sdk}",
        "see which it has: adb -s {serial} shell getprop ro.build.version.sdk",
    ),
    "INSTALL_FAILED_VERSION_DOWNGRADE": _Refusal(
        InputError,
        "a newer version of {id} is installed, this one has version code {version_code}",
        "raise the version code, or remove that version with its data: adb -s {serial} uninstall {id}",
    ),
    "INSTALL_FAILED_USER_RESTRICTED": _Refusal(
        MissingToolError,
        "the device does not allow installing over USB",
        "confirm on its screen; some makers have a switch of their own for it (Developer options, Install via USB)",
    ),
    "INSTALL_FAILED_CONFLICTING_PROVIDER": _Refusal(
        InputError,
        "an app that is installed has a provider of the same name as {id}",
        "choose another application id, or remove that app",
    ),
    "INSTALL_FAILED_DUPLICATE_PERMISSION": _Refusal(
        InputError,
        "an app that is installed declares a permission of the same name as {id}, under another key",
        "choose another application id, or remove that app",
    ),
}
"""Codes of Android's PackageManager (INSTALL_FAILED_…) and what to do about them."""


def _refusal(code: str, said: str, device: Device, manifest: AppManifest) -> EdgekitError:
    known = _REFUSALS.get(code)
    if known is None:
        reason = re.search(rf"{code}(?:: *([^\]\n]+))?", said)
        detail = f": {reason[1]}" if reason and reason[1] else ""
        return MissingToolError(f"Android does not install the app: {code}{detail}", where=device.serial)
    facts = {
        "id": manifest.application_id,
        "serial": device.serial,
        "min_sdk": manifest.min_sdk,
        "version_code": manifest.version_code,
    }
    return known.kind(known.message.format(**facts), where=device.serial, remedy=known.remedy.format(**facts))
