"""The options of targets that are an app of its own: what it is called, and for which processors it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

from edgekit.bundle.signature import read_key
from edgekit.errors import InputError
from edgekit.packaging.core import check_abis
from edgekit.packaging.identity import Identity, identifier
from edgekit.packaging.offer import title_of
from edgekit.packaging.play import BASE_APP
from edgekit.packaging.sbom import Part, engine_parts, maven, pypi
from edgekit.packaging.source import Source, refuse_unsigned
from edgekit.packaging.target import Flag
from edgekit.runtime.library import engine_library, engine_version

SIGNER_NAME: Final = "edgekit-signer.pem"
"""Among an app's assets, beside its bundle's folder: the key by which every bundle must be signed."""

BASE_FACTS: Final = BASE_APP.with_name("base.json")

DEFAULT_ABIS: Final = ("arm64-v8a",)
"""What all phones of today are; x86_64 is for emulators and Chromebooks."""

_PLACEHOLDER: Final = "com.example"


@dataclass(frozen=True)
class AppOptions:
    """What an app is called, and for which processors it is; presets say what is not said here.

    Raises InputError for a version or an ABI that cannot be used.
    """

    application_id: Annotated[
        str | None, Flag("The app's id, as com.example.navigator; a project's packages too.")
    ] = None
    icon: Annotated[str | Path | None, Flag("A square PNG of at least 192 pixels.")] = None
    version: Annotated[
        str | None, Flag("The app's version, as 1.2.0+34; a library's is 1.2.", metavar="NAME[+CODE]")
    ] = None
    require_signed: Annotated[
        str | Path | None,
        Flag("Public key in PEM: the app opens only bundles that it signed.", metavar="PUBLIC"),
    ] = None
    version_code: Annotated[int | None, Flag("Higher with every release, when --version does not say.")] = (
        None
    )
    abis: Annotated[
        tuple[str, ...],
        Flag(
            "arm64-v8a (phones) or x86_64 (emulators); several allowed. Unsaid: an app the first, a library both.",
            names=("--abi",),
        ),
    ] = DEFAULT_ABIS

    def __post_init__(self) -> None:
        check_abis(self.abis)
        _read_version(self.version, self.version_code)

    @property
    def each_abi(self) -> tuple[str, ...]:
        """The ABIs, each once."""
        return tuple(dict.fromkeys(self.abis))


def identity_of(source: Source, options: AppOptions) -> Identity:
    """Return what the app is called. Raises InputError for what Android, or Google Play, would not take."""
    presets = source.presets
    name, code = _read_version(options.version, options.version_code)
    code = presets.version_code if code is None else code
    slug = identifier(source.name).lower()
    return Identity(
        application_id=options.application_id or presets.application_id or f"{_PLACEHOLDER}.{slug}",
        label=title_of(source.name) if presets.label is None else presets.label,
        version_name=name or presets.version_name or "1.0",
        version_code=1 if code is None else code,
    )


def icon_of(source: Source, options: AppOptions) -> Path | None:
    """Return the app's icon; None for the sample app's own."""
    return source.presets.icon if options.icon is None else Path(options.icon)


def refuse_app(source: Source, options: AppOptions) -> None:
    """Raise InputError for a name, a version or an icon that cannot be an app's."""
    from edgekit.packaging.icon import draw_foreground

    identity_of(source, options)
    if options.require_signed is not None:
        refuse_unsigned(source.contents, read_key(Path(options.require_signed)))
    if (icon := icon_of(source, options)) is not None:
        draw_foreground(icon)


def signer_of(options: AppOptions) -> bytes | None:
    """Return the public key that the app asks for signatures by, in PEM; None for an app that asks for none."""
    return None if options.require_signed is None else read_key(Path(options.require_signed)).pem


def app_made_of(source: Source, options: AppOptions) -> tuple[Part, tuple[Part, ...]]:
    """What an app is, for its bill of materials, and what it holds besides the bundle."""
    identity = identity_of(source, options)
    subject = Part("application", identity.application_id, identity.version_name)
    return subject, app_parts(libraries_of(options))


def app_parts(libraries: Mapping[str, Path]) -> tuple[Part, ...]:
    """What every app is made of: the sample app, its libraries, the engine. libraries: the engine's, by ABI."""
    return (
        pypi("edgekit", version("edgekit"), licence="Apache-2.0"),
        *engine_parts(engine_version(), libraries),
        *library_parts(),
    )


def library_parts() -> tuple[Part, ...]:
    """The libraries that the sample app was built with."""
    facts = json.loads(BASE_FACTS.read_bytes())
    return tuple(
        maven(each["group"], each["name"], each["version"], each["type"], each["licence"], each["sha256"])
        for each in facts["components"]
    )


def libraries_of(options: AppOptions) -> Mapping[str, Path]:
    """Return the engine's libraries by ABI. Raises MissingToolError when one cannot be downloaded."""
    return {abi: engine_library("android", abi) for abi in options.each_abi}


def app_notes(identity: Identity) -> tuple[str, ...]:
    """What to know of an app's names."""
    if not identity.application_id.startswith(f"{_PLACEHOLDER}."):
        return ()
    return (f"{identity.application_id} is a placeholder, which Google Play refuses: --application-id",)


def app_facts(identity: Identity, options: AppOptions) -> dict[str, Any]:
    """An app's names and ABIs as JSON values."""
    from dataclasses import asdict

    return {"identity": asdict(identity), "abis": list(options.each_abi)}


def app_told(identity: Identity, options: AppOptions) -> tuple[tuple[str, str], ...]:
    """The same for people."""
    abis = ", ".join(options.each_abi)
    return (
        ("app", f"{identity.label}, {identity.application_id}"),
        ("version", f"{identity.version_name} ({identity.version_code}), {abis}"),
    )


def _read_version(text: str | None, code: int | None) -> tuple[str | None, int | None]:
    """Read "1.2.0" or "1.2.0+34", and the code where it is given by itself; None for what is not said."""
    if text is None:
        return None, code
    name, plus, digits = text.rpartition("+")
    if not plus:
        return text, code
    if not re.fullmatch(r"[0-9]{1,10}", digits) or not name:
        raise InputError(
            f"{text!r} is no version", where="--version", remedy="NAME or NAME+CODE, as in 1.2.0 or 1.2.0+34"
        )
    if code is not None and code != int(digits):
        raise InputError(
            f"two version codes are given, {digits} and {code}",
            where="--version, --version-code",
            remedy="leave one of them away",
        )
    return name, int(digits)
