"""Everything that edgekit makes of the demo, and what of it must stay the same.

Bytes where a file is reproducible. Of reports the structure: keys, words and whole rows, with every number masked,
since kernels round differently from one processor to the next.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edgekit
from edgekit.benchmark.native.build import PREBUILT
from edgekit.benchmark.plan import BenchPlan
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions, Trim
from edgekit.packaging.core import REPOSITORY, CoreOptions
from edgekit.packaging.identity import Identity
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.aar.target import AarOptions
from edgekit.packaging.targets.apk.assemble import App, write_apk
from edgekit.packaging.targets.apk.keys import open_keystore
from edgekit.packaging.targets.gallery.target import GalleryOptions
from edgekit.packaging.targets.packs import PackOptions
from tests.conftest import EXAMPLE, SENTIMENT, TRIAGE

FROZEN = Path(__file__).with_name("frozen.json")
KEYSTORE = Path(__file__).with_name("oracle.p12")
"""A debug key made for this test alone, so that an APK's signature is the same everywhere."""

RECIPES = ("int8", "blocks", "float32")
"""Not those that are calibrated: sums over texts have other last bits on another processor. `blocks` is ours."""

FORMS = (("dynamic", "full"), ("dynamic", "window"), ("static", "full"))
ROWS = 12
_BLOCKS = Path(__file__).with_name("blocks.toml")
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?")


def bundles(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every recipe in every form, and a bundle for each option that changes the model."""
    for recipe in RECIPES:
        for form, cache in FORMS:
            if (recipe, form) == ("float32", "static"):
                continue  # no GPU runs it, so it is refused
            yield (
                f"{recipe} {form} {cache}",
                _bundle(
                    folder,
                    recipe=_BLOCKS if recipe == "blocks" else recipe,
                    graph=GraphOptions(form=form, kv_layout=cache),
                ),
            )
    yield "int8 kv16", _bundle(folder, graph=GraphOptions(kv_precision="float16"))
    yield (
        "int8 window kv16",
        _bundle(
            folder,
            graph=GraphOptions(kv_layout="window", kv_precision="float16"),
        ),
    )
    yield (
        "int8 static 1024",
        _bundle(
            folder,
            graph=GraphOptions(form="static", kv_length=1024),
        ),
    )
    yield "int8 tflite", _bundle(folder, file_format="tflite")
    yield (
        "int8 sampler",
        _bundle(
            folder,
            text=TextOptions(sampler="temperature=0.7,top_k=20,top_p=0.9", examples=["hello"]),
        ),
    )
    yield "int8 regex", _bundle(folder, text=TextOptions(answer_regex='\\{"screen".*\\}'))
    yield (
        "blocks trimmed",
        _bundle(
            folder,
            recipe=_BLOCKS,
            trim=Trim(texts=[EXAMPLE / "train.jsonl"], keep=2000),
        ),
    )
    for rank in (16, 32):
        for targets in ("", ":attention"):
            yield (
                f"int8 base {rank} {targets.removeprefix(':') or 'all'}",
                _bundle(
                    folder,
                    graph=GraphOptions(adapters=f"{rank}{targets}"),
                ),
            )


def _bundle(folder: Path, **options: Any) -> Path:
    target = folder / f"bundle{len(list(folder.iterdir()))}"
    return convert(EXAMPLE / "checkpoint", target, name="settings-navigator", check=False, **options).bundle


def demo(folder: Path) -> Path:
    """The bundle that reports and packages are made of."""
    schema = EXAMPLE / "answer-schema.json"
    made = convert(
        EXAMPLE / "checkpoint",
        folder / "demo",
        name="settings-navigator",
        text=TextOptions(answer_schema=schema),
        check=False,
    )
    shutil.copy(EXAMPLE / "edgekit.toml", made.bundle)
    return made.bundle


def adapters(folder: Path) -> Iterator[tuple[str, Path]]:
    """The base bundle of the demo's adapters, and both of them."""
    schema = EXAMPLE / "answer-schema.json"
    base = convert(
        EXAMPLE / "checkpoint",
        folder / "base",
        name="settings-navigator",
        graph=GraphOptions(adapters="16"),
        text=TextOptions(answer_schema=schema),
        check=False,
    ).bundle
    yield "base", base
    for example in (SENTIMENT, TRIAGE):
        made = adapter(
            example / "adapter",
            base,
            folder / example.name,
            name=example.name,
            text=TextOptions(answer_schema=example / "answer-schema.json"),
            check=False,
        )
        yield example.name, made.directory


def packages(demo: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """What every target makes of the demo; the APK with a stand-in for the engine, which is not ours.

    Without the library, which android-build holds to its sources, and the engine beside it.
    """
    yield "project", edgekit.package(demo, "project", folder / "project").output
    for target, options in (
        ("assets", CoreOptions(abis=("arm64-v8a",))),
        ("ai-pack", PackOptions(abis=("arm64-v8a",))),
        ("asset-pack", PackOptions(abis=("arm64-v8a",))),
        ("aar", AarOptions(abis=("arm64-v8a",), sources=True)),
    ):
        out = edgekit.package(demo, target, folder / target, options=options).output
        shutil.rmtree(out / REPOSITORY)
        yield target, out
    hosted = GalleryOptions(model_id="me/settings-navigator", commit="0" * 40, check=False)
    yield "gallery", edgekit.package(demo, "gallery", folder / "gallery", options=hosted).output
    engine = folder / "engine"
    engine.mkdir()
    shutil.copy(PREBUILT / "librunner-android-arm64-v8a.so", engine / "liblitert-lm.so")
    assets = folder / "assets"
    contents = AppContents({path.name: path for path in sorted(assets.rglob("*")) if path.is_file()})
    identity = Identity("com.example.navigator", "Navigator", "1.2.0", 12)
    (folder / "apk").mkdir()
    write_apk(
        contents,
        folder / "apk" / "app.apk",
        app=App(identity, engine=engine),
        key=open_keystore(KEYSTORE, "android"),
    )
    yield "apk", folder / "apk"


def reports(demo: Path, adapted: dict[str, Path]) -> Iterator[tuple[str, Any]]:
    """The JSON of `validate` and `bench`, with and without an adapter."""
    few: dict[str, Any] = {"limit": ROWS, "positions": 300, "max_tokens": 32, "report": False}
    checkpoint = EXAMPLE / "checkpoint"
    data = EXAMPLE / "eval.jsonl"
    yield "validate", edgekit.validate(demo, checkpoint, data=data, **few).to_json()
    other = edgekit.validate(
        adapted["base"],
        TRIAGE / "adapter",
        base=checkpoint,
        adapter=adapted[TRIAGE.name],
        data=TRIAGE / "eval.jsonl",
        **few,
    )
    yield "validate adapter", other.to_json()
    yield "validate against", edgekit.validate(adapted["base"], against=demo, **few).to_json()
    plan = BenchPlan((32,), (16,), threads=(2,), runs=2)
    yield "bench", edgekit.bench(demo, plan=plan, reports=None).to_json()["results"][0]
    switching = edgekit.bench(
        adapted["base"], adapters=[adapted[SENTIMENT.name], adapted[TRIAGE.name]], plan=plan, reports=None
    )
    yield "bench adapters", switching.to_json()["results"][0]


def files_of(folder: Path) -> dict[str, str]:
    """Each file of a directory with its digest; a manifest's without the versions of the tools."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "reports"
    }


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".json" and isinstance(values := json.loads(data), dict) and "tools" in values:
        values["tools"] = sorted(values["tools"])
        data = json.dumps(values).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def masked(value: Any) -> Any:
    """JSON values with every number and every digit in a text as #; of a list of objects the first stands for all."""
    if isinstance(value, dict):
        return {key: _shape(item) if key == "device" else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        shown = [masked(item) for item in value]
        return [f"{len(shown)} like", _joined(shown)] if shown and isinstance(shown[0], dict) else shown
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return _NUMBER.sub("#", value)
    return "#"


def _shape(value: Any) -> Any:
    """The keys alone: what a machine says of itself differs from one to the next."""
    return {key: _shape(item) for key, item in value.items()} if isinstance(value, dict) else "…"


def _joined(rows: list[Any]) -> dict[str, Any]:
    """Which values each key has among the rows, in order of appearance."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return {
        key: list({json.dumps(row.get(key), sort_keys=True): row.get(key) for row in rows}.values())
        for key in keys
    }
