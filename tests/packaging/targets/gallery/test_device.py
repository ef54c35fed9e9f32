"""The Gallery over real adb and adbd; in the place of Android's package and activity managers scripts answer, in
Android's words.

What no phone was here for: that the Gallery itself reads the list and opens the link.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.device.adb import DeviceLost
from edgekit.errors import MissingToolError
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.allowlist import deep_link
from edgekit.packaging.targets.gallery.device import open_gallery, push_to_gallery
from tests.device.rig import Board, Lab

pytestmark = pytest.mark.slow

PACKAGE_MANAGER = """
echo "pm $*" >> /data/called
cat /data/pm-answer
grep -q package: /data/pm-answer
"""
ACTIVITY_MANAGER = """
echo "am $*" >> /data/called
[ "$1" = start ] && cat /data/am-answer
true
"""
INSTALLED = "package:/data/app/~~x==/com.google.ai.edge.gallery-y==/base.apk\n"
STARTED = "Starting: Intent { act=android.intent.action.VIEW dat=com.google.ai.edge.gallery://model/... }\n"


@pytest.fixture(scope="module")
def phone(lab: Lab) -> Board:
    return lab.board(scripts={"pm": PACKAGE_MANAGER, "am": ACTIVITY_MANAGER})


@pytest.fixture(autouse=True)
def fresh(phone: Board) -> None:
    shutil.rmtree(phone.data / "local" / "tmp")
    (phone.data / "local" / "tmp").mkdir()
    (phone.data / "called").unlink(missing_ok=True)
    (phone.data / "pm-answer").write_text(INSTALLED)
    (phone.data / "am-answer").write_text(STARTED)


def called(phone: Board) -> list[str]:
    return (phone.data / "called").read_text().splitlines()


def pushed(phone: Board) -> list[str]:
    return sorted(path.name for path in (phone.data / "local/tmp").iterdir() if path.suffix != ".sha256")


def test_model_and_list_arrive_readable_and_the_app_is_ended(phone: Board, source: Source) -> None:
    sent = push_to_gallery(phone.device, source)
    assert pushed(phone) == sorted([source.model.name, "model_allowlist_test.json"])
    folder = phone.data / "local/tmp"
    assert (folder / source.model.name).read_bytes() == source.model.read_bytes()
    assert sent == sum((folder / name).stat().st_size for name in pushed(phone))
    assert {(folder / name).stat().st_mode & 0o777 for name in pushed(phone)} == {0o644}
    entry = json.loads((phone.data / "local/tmp/model_allowlist_test.json").read_text())["models"][0]
    assert Path(entry["localModelFilePathOverride"]) == Path("/data/local/tmp") / source.model.name
    assert called(phone) == [
        "pm path com.google.ai.edge.gallery",
        "am force-stop com.google.ai.edge.gallery",
    ]


def test_what_is_there_does_not_travel_again_but_is_made_readable(phone: Board, source: Source) -> None:
    push_to_gallery(phone.device, source)
    there = phone.data / "local/tmp" / source.model.name
    there.chmod(0o600)
    assert push_to_gallery(phone.device, source) == 0
    assert there.stat().st_mode & 0o777 == 0o644
    assert called(phone)[-1] == "am force-stop com.google.ai.edge.gallery"


def test_the_gallery_is_opened_at_the_model(phone: Board, source: Source) -> None:
    open_gallery(phone.device, source)
    link = f"com.google.ai.edge.gallery://model/llm_chat/{source.model.stem}"
    assert called(phone)[-1] == (
        f"am start -a android.intent.action.VIEW -d {link} -p com.google.ai.edge.gallery"
    )


def test_a_name_is_quoted_in_the_link(source: Source) -> None:
    named = replace(source, model=source.model.with_name("50% & more? #1.litertlm"))
    assert deep_link(named) == "com.google.ai.edge.gallery://model/llm_chat/50%25%20%26%20more%3F%20%231"


def test_without_the_gallery_nothing_travels(phone: Board, source: Source) -> None:
    (phone.data / "pm-answer").write_text("")
    with pytest.raises(MissingToolError, match="AI Edge Gallery is not installed") as refusal:
        push_to_gallery(phone.device, source)
    assert refusal.value.where == phone.serial
    assert pushed(phone) == []
    with pytest.raises(MissingToolError, match="AI Edge Gallery is not installed"):
        open_gallery(phone.device, source)


def test_a_device_that_is_no_android_is_told(lab: Lab, source: Source) -> None:
    with pytest.raises(MissingToolError, match="no Android"):
        push_to_gallery(lab.board().device, source)


def test_a_full_device_is_told(lab: Lab, source: Source) -> None:
    full = lab.board(room="4m", scripts={"pm": PACKAGE_MANAGER, "am": ACTIVITY_MANAGER})
    (full.data / "pm-answer").write_text(INSTALLED)
    with pytest.raises(MissingToolError, match="space") as refusal:
        push_to_gallery(full.device, source)
    assert refusal.value.remedy
    assert pushed(full) == []
    assert not any(line.startswith("am") for line in called(full))


def test_a_gallery_that_opens_no_links_is_told(phone: Board, source: Source) -> None:
    said = "Error: Activity not started, unable to resolve Intent { act=android.intent.action.VIEW }\n"
    (phone.data / "am-answer").write_text(STARTED + said)
    with pytest.raises(MissingToolError, match="does not open links") as refusal:
        open_gallery(phone.device, source)
    assert "update the Gallery" in (refusal.value.remedy or "")


def test_another_complaint_is_shown(phone: Board, source: Source) -> None:
    (phone.data / "am-answer").write_text("Exception occurred while executing 'start':\nSecurityException\n")
    with pytest.raises(MissingToolError, match="Exception occurred while executing"):
        open_gallery(phone.device, source)


def test_a_device_that_goes_away_is_told(lab: Lab, source: Source) -> None:
    gone = lab.board(scripts={"pm": PACKAGE_MANAGER})
    gone.kill()
    with pytest.raises(DeviceLost, match="the device is gone"):
        push_to_gallery(gone.device, source)
