"""The toolkit: convert fine-tuned Gemma 3 270M checkpoints into quantized bundles that run on the phone.

    import edgekit

    result = edgekit.convert("my-fine-tune", recipe="int8")
    print(result.model, result.manifest.model.size)

Every command of `edgekit` is one call of a function here. Imports are lazy: a command loads what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgekit.benchmark.bench import bench
    from edgekit.benchmark.plan import BenchPlan
    from edgekit.benchmark.report import Bench
    from edgekit.benchmark.runner import RunnerOptions
    from edgekit.bundle.inspect import inspect
    from edgekit.bundle.manifest import Manifest
    from edgekit.bundle.opening import open_bundle
    from edgekit.checkpoint import Checkpoint, open_checkpoint
    from edgekit.conversion.adapter.making import AdapterBundle, adapter
    from edgekit.conversion.convert import Conversion, convert
    from edgekit.conversion.options import GraphOptions, TextOptions, Trim
    from edgekit.conversion.trim.survey import survey_vocabulary
    from edgekit.errors import EdgekitError
    from edgekit.packaging.app import AppOptions
    from edgekit.packaging.package import package
    from edgekit.packaging.result import Package
    from edgekit.packaging.targets.apk.target import ApkOptions
    from edgekit.packaging.targets.gallery.target import GalleryOptions
    from edgekit.packaging.targets.packs import PackOptions
    from edgekit.recipes import Recipe, read_recipe
    from edgekit.validation.result import ParityReport
    from edgekit.validation.validate import validate

__version__ = "0.1.0"

__all__ = [
    "AdapterBundle",
    "ApkOptions",
    "AppOptions",
    "Bench",
    "BenchPlan",
    "Checkpoint",
    "Conversion",
    "EdgekitError",
    "GalleryOptions",
    "GraphOptions",
    "Manifest",
    "PackOptions",
    "Package",
    "ParityReport",
    "Recipe",
    "RunnerOptions",
    "TextOptions",
    "Trim",
    "__version__",
    "adapter",
    "bench",
    "convert",
    "inspect",
    "open_bundle",
    "open_checkpoint",
    "package",
    "read_recipe",
    "survey_vocabulary",
    "validate",
]

_HOMES = {
    "AdapterBundle": "edgekit.conversion.adapter.making",
    "ApkOptions": "edgekit.packaging.targets.apk.target",
    "AppOptions": "edgekit.packaging.app",
    "Bench": "edgekit.benchmark.report",
    "BenchPlan": "edgekit.benchmark.plan",
    "Checkpoint": "edgekit.checkpoint",
    "Conversion": "edgekit.conversion.convert",
    "EdgekitError": "edgekit.errors",
    "GalleryOptions": "edgekit.packaging.targets.gallery.target",
    "GraphOptions": "edgekit.conversion.options",
    "Manifest": "edgekit.bundle.manifest",
    "PackOptions": "edgekit.packaging.targets.packs",
    "Package": "edgekit.packaging.result",
    "ParityReport": "edgekit.validation.result",
    "Recipe": "edgekit.recipes",
    "RunnerOptions": "edgekit.benchmark.runner",
    "TextOptions": "edgekit.conversion.options",
    "Trim": "edgekit.conversion.options",
    "adapter": "edgekit.conversion.adapter.making",
    "bench": "edgekit.benchmark.bench",
    "convert": "edgekit.conversion.convert",
    "inspect": "edgekit.bundle.inspect",
    "open_bundle": "edgekit.bundle.opening",
    "open_checkpoint": "edgekit.checkpoint",
    "package": "edgekit.packaging.package",
    "read_recipe": "edgekit.recipes",
    "survey_vocabulary": "edgekit.conversion.trim.survey",
    "validate": "edgekit.validation.validate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
