"""The base's manifest under another identity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.errors import InputError
from edgekit.packaging.identity import Identity
from edgekit.packaging.targets.apk import axml
from edgekit.packaging.targets.apk.axml import Document, Start
from edgekit.packaging.targets.apk.base import read_base
from edgekit.packaging.targets.apk.manifest import MANIFEST, read_manifest, rename_app

PLACEHOLDER = "dev.edgekit.app"


@pytest.fixture(scope="module")
def base() -> Document:
    return axml.decode(read_base().content(MANIFEST), MANIFEST)


def changing(document: Document, element: str, attribute: str, text: str) -> Document:
    """The document with another text as an attribute of every element of a name."""

    def changed(node: axml.Node) -> axml.Node:
        if not isinstance(node, Start) or node.name != element:
            return node
        attributes = (a.with_text(text) if a.name == attribute else a for a in node.attributes)
        return replace(node, attributes=tuple(attributes))

    return replace(document, nodes=tuple(changed(node) for node in document.nodes))


def texts(document: Document) -> list[str]:
    return [a.text for _, element in document.elements() for a in element.attributes if a.text is not None]


def test_everything_that_carries_the_placeholder_carries_the_new_id(
    base: Document, identity: Identity
) -> None:
    before = read_manifest(base, MANIFEST)
    renamed = rename_app(base, PLACEHOLDER, identity, MANIFEST)
    after = read_manifest(axml.decode(axml.encode(renamed), MANIFEST), MANIFEST)
    new = identity.application_id
    assert after.application_id == new
    assert (
        after.authorities
        == tuple(a.replace(PLACEHOLDER, new) for a in before.authorities)
        != before.authorities
    )
    assert after.declared_permissions == (f"{new}.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION",)
    timer = "com.android.alarm.permission.SET_ALARM"
    assert after.used_permissions == (timer, *after.declared_permissions)
    assert not [text for text in texts(renamed) if PLACEHOLDER in text]
    assert PLACEHOLDER.encode("utf-16-le") not in axml.encode(renamed)


def test_label_and_version_are_the_new_ones(base: Document, identity: Identity) -> None:
    after = read_manifest(rename_app(base, PLACEHOLDER, identity, MANIFEST), MANIFEST)
    assert (after.label, after.version_name, after.version_code) == (
        *(identity.label, identity.version_name, identity.version_code),
    )


def test_all_else_stays(base: Document, identity: Identity) -> None:
    before, renamed = read_manifest(base, MANIFEST), rename_app(base, PLACEHOLDER, identity, MANIFEST)
    after = read_manifest(renamed, MANIFEST)
    assert (after.classes, after.activity) == (before.classes, before.activity)
    assert (after.min_sdk, after.target_sdk) == (before.min_sdk, before.target_sdk)
    assert [node for node in renamed.nodes if not isinstance(node, Start)] == [
        node for node in base.nodes if not isinstance(node, Start)
    ]


def test_the_base_asks_for_no_permission_of_android_s(base: Document) -> None:
    used = read_manifest(base, MANIFEST).used_permissions
    assert not [permission for permission in used if permission.startswith("android.")]


def test_a_class_keeps_its_name_also_in_the_placeholder_s_package(base: Document, identity: Identity) -> None:
    own = changing(base, "activity", "name", f"{PLACEHOLDER}.MainActivity")
    after = read_manifest(rename_app(own, PLACEHOLDER, identity, MANIFEST), MANIFEST)
    assert after.activity == f"{PLACEHOLDER}.MainActivity"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dev.edgekit.app", "com.example.navigator"),
        ("dev.edgekit.app:remote", "com.example.navigator:remote"),
        ("dev.edgekit.app.a;dev.edgekit.app.b", "com.example.navigator.a;com.example.navigator.b"),
        ("dev.edgekit.application", "dev.edgekit.application"),
        ("my.dev.edgekit.app", "my.dev.edgekit.app"),
    ],
)
def test_only_whole_segments_are_the_placeholder(
    base: Document, identity: Identity, before: str, after: str
) -> None:
    document = changing(base, "meta-data", "value", before)
    assert after in texts(rename_app(document, PLACEHOLDER, identity, MANIFEST))


def test_another_app_s_manifest_is_not_renamed(base: Document, identity: Identity) -> None:
    with pytest.raises(InputError, match=r"the base is dev\.edgekit\.app, expected is com\.other"):
        rename_app(base, "com.other", identity, MANIFEST)


def test_a_manifest_without_a_launcher_is_refused(base: Document) -> None:
    with pytest.raises(InputError, match="no activity of this manifest is the launcher's"):
        read_manifest(base.without("intent-filter"), MANIFEST)


def test_a_manifest_without_an_application_is_refused(base: Document) -> None:
    with pytest.raises(InputError, match="has 0 elements “application”"):
        read_manifest(base.without("application"), MANIFEST)
