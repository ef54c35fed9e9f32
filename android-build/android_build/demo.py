"""The assets of the app under test, made by `edgekit package`: the demo bundles, and one base with two adapters.

All are signed, by a key that is no secret.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from android_build.layout import ROOT
from android_build.outputs import made
from android_build.process import run

_EXAMPLES: Final = ROOT / "examples"
_NAVIGATOR: Final = _EXAMPLES / "settings-navigator"
_CALLER: Final = _EXAMPLES / "phone-actions"
_SIGNER: Final = "signer.pem"
_ADAPTERS: Final = ("sentiment", "support-triage")
PRESETS: Final = _NAVIGATOR / "edgekit.toml"
_MADE_BY: Final = (
    *("bundle", "calling", "checkpoint", "conversion", "families", "files", "graph", "packaging", "quantize"),
    *("recipes", "records", "runtime", "text", "examples.py"),
)


def demo_assets() -> Path:
    """Return an assets directory whose subdirectory `edgekit` holds manifest, model, tasks and notice."""

    def build(directory: Path) -> None:
        bundle = directory / "bundle"
        _edgekit("demo", "--output", bundle)
        _package(bundle, directory)

    return made("demo", [*_made_by(), _NAVIGATOR], build) / "assets"


def calling_assets() -> Path:
    """Return such a directory of the demo that calls functions."""

    def build(directory: Path) -> None:
        bundle = directory / "bundle"
        _edgekit("demo", "--tools", "--output", bundle)
        _package(bundle, directory, presets=_CALLER / PRESETS.name)

    return made("demo-calls", [*_made_by(), _CALLER], build) / "assets"


def demo_signer() -> Path:
    """Return the public key that the demo bundle is signed with, in PEM."""
    return demo_assets().with_name(_SIGNER)


def adapter_assets() -> Path:
    """Return such a directory of the demo's base with its own task and those of two adapters."""

    def build(directory: Path) -> None:
        base = directory / "settings-navigator"
        options = ("--adapters", "16", "--name", base.name, *_answers(_NAVIGATOR), "--output", base)
        _edgekit("convert", _NAVIGATOR / "checkpoint", *options)
        adapters = [_adapter(name, base, directory / name) for name in _ADAPTERS]
        listed = [word for adapter in adapters for word in ("--adapter", adapter)]
        _package(base, directory, *listed, "--with-base", "--label", "Phone helper")
        for adapter in adapters:
            shutil.rmtree(adapter)

    inputs = [*_made_by(), _NAVIGATOR, *(_EXAMPLES / name for name in _ADAPTERS)]
    return made("demo-adapters", inputs, build) / "assets"


def _adapter(name: str, base: Path, output: Path) -> Path:
    example = _EXAMPLES / name
    options = ("--base-bundle", base, "--name", name, *_answers(example), "--output", output)
    _edgekit("adapter", example / "adapter", *options)
    shutil.copy(example / PRESETS.name, output)
    return output


def _answers(example: Path) -> tuple[str | Path, ...]:
    return ("--answer-schema", example / "answer-schema.json")


def _package(bundle: Path, directory: Path, *options: str | Path, presets: Path = PRESETS) -> None:
    """Leave the bundle's assets in a directory, and nothing of the bundle."""
    package = directory / "package"
    key = _signing_key(directory)
    options = ("--presets", presets, "--sign", key, *options)
    _edgekit("package", bundle, "--to", "assets", *options, "--output", package)
    (package / "assets").rename(directory / "assets")
    shutil.rmtree(package)
    shutil.rmtree(bundle)


def _signing_key(directory: Path) -> Path:
    """Leave a private key in a directory, and the public one beside it."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = directory / "signing.pem"
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key.write_bytes(private.private_bytes(*form))
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / _SIGNER).write_bytes(public)
    return key


def _edgekit(*words: str | Path) -> None:
    run(sys.executable, "-m", "edgekit", *words, "--quiet")


def _made_by() -> list[Path]:
    return [*(ROOT / "edgekit" / name for name in _MADE_BY), Path(__file__)]
