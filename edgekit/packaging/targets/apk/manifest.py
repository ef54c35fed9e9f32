"""The base's AndroidManifest.xml: another application id, label and version; and reading back what was written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.errors import InputError
from edgekit.packaging.identity import Identity
from edgekit.packaging.targets.apk.axml import (
    ANDROID,
    TYPE_BOOLEAN,
    TYPE_INTEGER,
    TYPE_STRING,
    Attribute,
    Document,
    Node,
    Start,
)

MANIFEST = "AndroidManifest.xml"

_COMPONENTS = ("activity", "activity-alias", "service", "receiver", "provider")
_CLASS_ATTRIBUTES = {
    "appComponentFactory",
    "backupAgent",
    "manageSpaceActivity",
    "parentActivityName",
    "targetActivity",
    "zygotePreloadName",
}
_CLASS_NAMED = {*_COMPONENTS, "application", "instrumentation"}


@dataclass(frozen=True)
class AppManifest:
    """What a manifest says, as far as packaging is concerned with it.

    label: None when it is a resource and not a literal. activity: the class that the launcher starts.
    classes: every class that the manifest names. libraries_extracted: whether Android unpacks the native libraries
    when it installs the app.
    """

    application_id: str
    version_code: int
    version_name: str
    label: str | None
    min_sdk: int
    target_sdk: int
    declared_permissions: tuple[str, ...]
    used_permissions: tuple[str, ...]
    authorities: tuple[str, ...]
    activity: str
    classes: tuple[str, ...]
    libraries_extracted: bool


def read_manifest(document: Document, where: str | Path) -> AppManifest:
    """Read a manifest. Raises InputError when it lacks what every app's has."""
    elements = list(document.elements())
    root = elements[0][1]
    if root.name != "manifest":
        raise InputError(f"this is no manifest: its outermost element is {root.name}", where=where)

    def all_of(name: str, attribute: str) -> tuple[str, ...]:
        found = (element.attribute(attribute) for _, element in elements if element.name == name)
        return tuple(each.text for each in found if each is not None and each.text is not None)

    application = _only(elements, "application", where)
    sdk = _only(elements, "uses-sdk", where)
    label = _required(application, "label", where)
    extracted = application.attribute("extractNativeLibs")
    classes = [
        attribute.text
        for _, element in elements
        for attribute in element.attributes
        if _names_class(element, attribute) and attribute.text is not None
    ]
    return AppManifest(
        application_id=_text(root, "package", where, namespace=None),
        version_code=_integer(root, "versionCode", where),
        version_name=_text(root, "versionName", where),
        label=label.text,
        min_sdk=_integer(sdk, "minSdkVersion", where),
        target_sdk=_integer(sdk, "targetSdkVersion", where),
        declared_permissions=all_of("permission", "name"),
        used_permissions=all_of("uses-permission", "name"),
        authorities=tuple(part for text in all_of("provider", "authorities") for part in text.split(";")),
        activity=_launcher(document, where),
        classes=tuple(dict.fromkeys(classes)),
        libraries_extracted=extracted is None or extracted.type != TYPE_BOOLEAN or extracted.data != 0,
    )


def rename_app(document: Document, placeholder: str, identity: Identity, where: str | Path) -> Document:
    """Give an app another identity.

    Wherever a text holds the placeholder id as whole segments (the package, authorities of providers, permissions,
    processes, task affinities, …) it gets the new id; names of classes stay, as the code is compiled under its own
    name. The label becomes a literal, also on an activity that had the application's. Raises InputError when the
    manifest is not the placeholder's.
    """
    before = read_manifest(document, where)
    if before.application_id != placeholder:
        raise InputError(f"the base is {before.application_id}, expected is {placeholder}", where=where)
    old_label = next(e for _, e in document.elements() if e.name == "application").attribute("label")
    whole = re.compile(rf"(?<![\w.]){re.escape(placeholder)}(?!\w)")

    def renamed(element: Start, attribute: Attribute) -> Attribute:
        if element.name == "manifest" and attribute.name == "versionCode":
            return attribute.with_integer(identity.version_code)
        if element.name == "manifest" and attribute.name == "versionName":
            return attribute.with_text(identity.version_name)
        if attribute.name == "label" and old_label is not None and _same_value(attribute, old_label):
            return attribute.with_text(identity.label)
        if attribute.type == TYPE_STRING and attribute.text and not _names_class(element, attribute):
            text = whole.sub(identity.application_id, attribute.text)
            return attribute if text == attribute.text else attribute.with_text(text)
        return attribute

    def changed(node: Node) -> Node:
        if not isinstance(node, Start):
            return node
        return replace(node, attributes=tuple(renamed(node, attribute) for attribute in node.attributes))

    return replace(document, nodes=tuple(changed(node) for node in document.nodes))


def _names_class(element: Start, attribute: Attribute) -> bool:
    return attribute.name in _CLASS_ATTRIBUTES or (attribute.name == "name" and element.name in _CLASS_NAMED)


def _same_value(one: Attribute, other: Attribute) -> bool:
    return (one.type, one.data, one.text) == (other.type, other.data, other.text)


def _launcher(document: Document, where: str | Path) -> str:
    activity = None
    for _, element in document.elements():
        if element.name in ("activity", "activity-alias"):
            activity = element
        category = element.attribute("name") if element.name == "category" else None
        if category and category.text == "android.intent.category.LAUNCHER" and activity is not None:
            return _text(activity, "name", where)
    raise InputError("no activity of this manifest is the launcher's", where=where)


def _only(elements: list[tuple[tuple[str, ...], Start]], name: str, where: str | Path) -> Start:
    found = [element for around, element in elements if element.name == name and around == ("manifest",)]
    if len(found) != 1:
        raise InputError(f"this manifest has {len(found)} elements “{name}”, one is needed", where=where)
    return found[0]


def _required(element: Start, name: str, where: str | Path, namespace: str | None = ANDROID) -> Attribute:
    found = element.attribute(name, namespace)
    if found is None:
        raise InputError(f"the element {element.name} of this manifest has no {name}", where=where)
    return found


def _text(element: Start, name: str, where: str | Path, namespace: str | None = ANDROID) -> str:
    attribute = _required(element, name, where, namespace)
    if attribute.text is None:
        raise InputError(f"{name} of the element {element.name} is no text", where=where)
    return attribute.text


def _integer(element: Start, name: str, where: str | Path) -> int:
    attribute = _required(element, name, where)
    if attribute.type != TYPE_INTEGER:
        raise InputError(f"{name} of the element {element.name} is no number", where=where)
    return attribute.data
