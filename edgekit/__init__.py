"""The toolkit: convert fine-tuned Gemma 3 270M checkpoints into quantized bundles that run on the phone.

    import edgekit as ek

    made = ek.convert("my-fine-tune", recipe="int8")
    ek.validate(made.bundle, "my-fine-tune", data="eval.jsonl").raise_if_failed()
    print(made.model, made.manifest.model.size)

Every command of `edgekit` is one call of a function here. What a verb returns is a `Result`: it tells whether it
passed, its problems and its files, and its JSON is what the command prints with `--json`. Everything that a user can
mend is raised as an `EdgekitError`. Imports are lazy: a command loads what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.benchmark.bench import bench
    from edgekit.benchmark.plan import BenchPlan
    from edgekit.benchmark.report import Bench
    from edgekit.benchmark.runner import RunnerOptions
    from edgekit.bundle.delivery.verify import DeliveryVerification, verify_delivery
    from edgekit.bundle.inspect import inspect
    from edgekit.bundle.manifest import Manifest
    from edgekit.bundle.opening import Bundle, open_bundle
    from edgekit.bundle.summary import Summary
    from edgekit.bundle.verify import Verification, sign, verify
    from edgekit.checkpoint import Checkpoint, open_checkpoint
    from edgekit.conversion.adapter.making import AdapterBundle, adapter
    from edgekit.conversion.convert import Conversion, convert
    from edgekit.conversion.options import Calibrate, GraphOptions, TextOptions, Trim
    from edgekit.conversion.trim.survey import Survey, survey_vocabulary
    from edgekit.errors import EdgekitError
    from edgekit.gates import Thresholds
    from edgekit.packaging.app import AppOptions
    from edgekit.packaging.package import package
    from edgekit.packaging.result import Package
    from edgekit.packaging.targets.aar.target import AarOptions
    from edgekit.packaging.targets.apk.target import ApkOptions
    from edgekit.packaging.targets.delivery import DeliveryOptions
    from edgekit.packaging.targets.gallery.target import GalleryOptions
    from edgekit.packaging.targets.packs import PackOptions
    from edgekit.recipes import Recipe, read_recipe
    from edgekit.results import Result
    from edgekit.runtime.chat import Chat
    from edgekit.runtime.chat import open_chat as chat
    from edgekit.validation.report import Parity
    from edgekit.validation.validate import validate

__version__ = "0.1.0"

__all__ = [
    "AarOptions",
    "AdapterBundle",
    "ApkOptions",
    "AppOptions",
    "Bench",
    "BenchPlan",
    "Bundle",
    "Calibrate",
    "Chat",
    "Checkpoint",
    "Conversion",
    "DeliveryOptions",
    "DeliveryVerification",
    "EdgekitError",
    "GalleryOptions",
    "GraphOptions",
    "Manifest",
    "PackOptions",
    "Package",
    "Parity",
    "Recipe",
    "Result",
    "RunnerOptions",
    "Summary",
    "Survey",
    "TextOptions",
    "Thresholds",
    "Trim",
    "Verification",
    "__version__",
    "adapter",
    "bench",
    "chat",
    "convert",
    "inspect",
    "open_bundle",
    "open_checkpoint",
    "package",
    "read_recipe",
    "sign",
    "survey_vocabulary",
    "validate",
    "verify",
    "verify_delivery",
]

_HOMES = {
    "AarOptions": "edgekit.packaging.targets.aar.target",
    "AdapterBundle": "edgekit.conversion.adapter.making",
    "ApkOptions": "edgekit.packaging.targets.apk.target",
    "AppOptions": "edgekit.packaging.app",
    "Bench": "edgekit.benchmark.report",
    "BenchPlan": "edgekit.benchmark.plan",
    "Bundle": "edgekit.bundle.opening",
    "Calibrate": "edgekit.conversion.options",
    "Chat": "edgekit.runtime.chat",
    "Checkpoint": "edgekit.checkpoint",
    "Conversion": "edgekit.conversion.convert",
    "DeliveryOptions": "edgekit.packaging.targets.delivery",
    "DeliveryVerification": "edgekit.bundle.delivery.verify",
    "EdgekitError": "edgekit.errors",
    "GalleryOptions": "edgekit.packaging.targets.gallery.target",
    "GraphOptions": "edgekit.conversion.options",
    "Manifest": "edgekit.bundle.manifest",
    "PackOptions": "edgekit.packaging.targets.packs",
    "Package": "edgekit.packaging.result",
    "Parity": "edgekit.validation.report",
    "Recipe": "edgekit.recipes",
    "Result": "edgekit.results",
    "RunnerOptions": "edgekit.benchmark.runner",
    "Summary": "edgekit.bundle.summary",
    "Survey": "edgekit.conversion.trim.survey",
    "TextOptions": "edgekit.conversion.options",
    "Thresholds": "edgekit.gates",
    "Trim": "edgekit.conversion.options",
    "Verification": "edgekit.bundle.verify",
    "adapter": "edgekit.conversion.adapter.making",
    "bench": "edgekit.benchmark.bench",
    "chat": "edgekit.runtime.chat:open_chat",
    "convert": "edgekit.conversion.convert",
    "inspect": "edgekit.bundle.inspect",
    "open_bundle": "edgekit.bundle.opening",
    "open_checkpoint": "edgekit.checkpoint",
    "package": "edgekit.packaging.package",
    "read_recipe": "edgekit.recipes",
    "sign": "edgekit.bundle.verify",
    "survey_vocabulary": "edgekit.conversion.trim.survey",
    "validate": "edgekit.validation.validate",
    "verify": "edgekit.bundle.verify",
    "verify_delivery": "edgekit.bundle.delivery.verify",
}
"""Where each name is defined, and as what, when that is another name."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, defined_as = _HOMES[name].partition(":")
    return getattr(import_module(module), defined_as or name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
