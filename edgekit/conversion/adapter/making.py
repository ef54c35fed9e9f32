"""`edgekit.adapter`: a LoRA adapter becomes a sidecar beside a base bundle, without the base's weights.

open the base bundle → read the adapter → settle how to talk with it → write → read back
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np

from edgekit.bundle.adapter import manifest as manifests
from edgekit.bundle.adapter.manifest import AdapterManifest, AdapterSource, BaseUse, manifest_bytes
from edgekit.bundle.adapter.opening import refuse_unready
from edgekit.bundle.directory import ADAPTER_MANIFEST_NAME, NOTICE_NAME, new_bundle
from edgekit.bundle.manifest import Manifest, ModelFile, sampler_use
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.sidecar import SIDECAR_SUFFIX, read_sidecar, sidecar_bytes
from edgekit.checkpoint.lora.config import CONFIG_FILE, AdapterConfig, is_adapter, read_adapter_config
from edgekit.checkpoint.lora.merge import WEIGHTS_FILE
from edgekit.checkpoint.open import read_notice
from edgekit.checkpoint.source import locate, plain_name
from edgekit.conversion.adapter.matrices import AdapterMatrices, adapter_matrices
from edgekit.conversion.adapter.talking import read_chat_template_for, read_stop_tokens, template_of
from edgekit.conversion.options import TextOptions, check_examples, one_of
from edgekit.errors import AdapterError, InputError
from edgekit.families import family_named
from edgekit.figures import percent
from edgekit.files.digest import file_digest
from edgekit.graph.slots import AdapterSlot, slots_of
from edgekit.progress import SILENT, Progress
from edgekit.results import raise_if_failed
from edgekit.runtime.ask.smoke import smoke
from edgekit.text.answers import parse_answer
from edgekit.text.generation import GENERATION_CONFIG, GREEDY, parse_sampler, read_generation
from edgekit.text.messages import Turns
from edgekit.text.template.verify import check_many_turns

_PACKAGES = ("edgekit", "ai-edge-litert")


@dataclass(frozen=True)
class AdapterBundle:
    """What `adapter` made. seconds: from the call to the finished directory."""

    directory: Path
    sidecar: Path
    manifest: AdapterManifest
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        """None: an adapter that cannot be had raises an error and leaves nothing behind."""
        return ()

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the adapter bundle, the sidecar first."""
        others = sorted(path for path in self.directory.iterdir() if path.is_file() and path != self.sidecar)
        return (self.sidecar, *others)

    def raise_if_failed(self) -> None:
        """Raise GateError when there are problems."""
        raise_if_failed(self, where=self.directory)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "directory": str(self.directory),
            "sidecar": str(self.sidecar),
            "seconds": round(self.seconds, 3),
            "manifest": manifests.to_json(self.manifest),
        }


def adapter(
    source: str | Path,
    base_bundle: str | Path,
    output: str | Path | None = None,
    *,
    name: str | None = None,
    system_prompt: str | None = None,
    text: TextOptions = TextOptions(),  # noqa: B008 - frozen
    reduce_rank: bool = False,
    force: bool = False,
    check: bool = True,
    progress: Progress = SILENT,
) -> AdapterBundle:
    """Make a sidecar of a PEFT LoRA adapter for a base bundle from `convert(…, graph=GraphOptions(adapters=…))`.

    source: the adapter's directory or Hub id. output: the adapter bundle; by default "NAME-adapter" in the current
    directory. system_prompt: sent before each conversation. text: sampler (by default greedy with an answer format,
    else the adapter's own, else the base's), answer format, examples and turns. reduce_rank: cut a rank above the
    base's to it, by singular values. force: replace an adapter bundle that is there. check: let the engine answer with
    it. Raises EdgekitError, and leaves what was there as it was, when anything is amiss.
    """
    began = time.perf_counter()
    if system_prompt is not None and not system_prompt.strip():
        raise InputError("the system prompt is empty", where="--system-prompt", remedy="leave it away")
    if text.turns is not None:
        one_of(text.turns, get_args(Turns), "--turns")
    examples = check_examples(text.examples)
    answer = parse_answer(text.answer_schema, text.answer_regex)
    by_format = None if answer is None else GREEDY
    chosen = by_format if text.sampler is None else parse_sampler(text.sampler)
    base = open_bundle(base_bundle)
    base_manifest = refuse_unready(base)
    found = locate(source, progress=progress)
    if not is_adapter(found.path):
        raise AdapterError(
            "there is no adapter_config.json, so this is no LoRA adapter",
            where=found.path,
            remedy="name the directory that model.save_pretrained() wrote; a whole model goes to `edgekit convert`",
        )
    config = read_adapter_config(found.path)
    assert base_manifest.adapters is not None
    rank = base_manifest.adapters.rank
    slots = _slots(base_manifest, base_manifest.adapters.targets)
    with progress.step("read the adapter"):
        matrices = adapter_matrices(
            found.path,
            config,
            slots,
            rank,
            family_named(base_manifest.architecture.family),
            reduce_rank=reduce_rank,
        )
    template = read_chat_template_for(found.path, base)
    if text.turns == "many":
        check_many_turns(template.source or template_of(base), "--turns many")
    stop_tokens = read_stop_tokens(found.path, base)
    chosen = chosen or (
        read_generation(found.path).sampler if (found.path / GENERATION_CONFIG).is_file() else None
    )
    title = plain_name(name or found.name.rpartition("/")[2].partition("@")[0], where="--name")
    data = sidecar_bytes(matrices.by_input, rank)
    notice = read_notice(found.path)
    manifest = AdapterManifest(
        name=title,
        sidecar=ModelFile(title + SIDECAR_SUFFIX, len(data), hashlib.sha256(data).hexdigest()),
        base=BaseUse(base.model_path.stem, base_manifest.model.sha256),
        source=AdapterSource(
            name=found.name,
            digest=adapter_digest(found.path),
            rank=config.rank,
            alpha=config.alpha,
            rslora=config.use_rslora,
            reduction_error=matrices.reduction_error,
        ),
        rank=rank,
        targets=matrices.targets,
        system_prompt=system_prompt,
        sampler=base_manifest.sampler if chosen is None else sampler_use(chosen),
        stop_tokens=stop_tokens,
        chat_template=template.source,
        answer=None if answer is None else answer.to_manifest(),
        licence=None if notice is None else notice.strip().splitlines()[0],
        examples=examples,
        notes=(
            *template.notes,
            *_notes(matrices, config, rank),
            *(() if answer is None else answer.notes()),
        ),
        tools={package: version(package) for package in _PACKAGES},
        turns="one" if template.one_turn else text.turns,
    )
    target = Path(output) if output is not None else Path(f"{title}-adapter")
    with new_bundle(target, force=force, needed_bytes=len(data), manifest=ADAPTER_MANIFEST_NAME) as staging:
        path = staging.path / manifest.sidecar.file
        path.write_bytes(data)
        (staging.path / ADAPTER_MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
        if notice is not None:
            (staging.path / NOTICE_NAME).write_text(notice.rstrip() + "\n", encoding="utf-8")
        _read_back(path, matrices)
        if check:
            smoke(
                base.model_path,
                answer=answer,
                answer_schema=text.answer_schema,
                sidecar=path,
                chat_template=template.source,
                progress=progress,
            )
    return AdapterBundle(target, target / manifest.sidecar.file, manifest, time.perf_counter() - began)


def _slots(manifest: Manifest, targets: Sequence[str]) -> tuple[AdapterSlot, ...]:
    shape = manifest.architecture
    return slots_of(
        layers=shape.layers,
        hidden=shape.hidden_size,
        mlp=shape.mlp_size,
        query=shape.query_heads * shape.head_dim,
        key=shape.kv_heads * shape.head_dim,
        targets=targets,
    )


def _read_back(path: Path, matrices: AdapterMatrices) -> None:
    """Read the file as written: a sidecar that cannot be read would only be missed on the phone."""
    written = read_sidecar(path)
    if written.keys() != matrices.by_input.keys() or not all(
        np.array_equal(written[name], values) for name, values in matrices.by_input.items()
    ):
        raise AdapterError("what was written does not read back the same", where=path, remedy="try again")


def adapter_digest(directory: Path) -> str:
    """Identify an adapter by the SHA-256 of what `sha256sum adapter_config.json adapter_model.safetensors` prints."""
    lines = [f"{file_digest(directory / name)}  {name}\n" for name in (CONFIG_FILE, WEIGHTS_FILE)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _notes(matrices: AdapterMatrices, config: AdapterConfig, rank: int) -> list[str]:
    if matrices.reduction_error is None:
        return []
    lost = f"up to {percent(matrices.reduction_error)} of a projection's change is lost"
    return [f"reduced from rank {config.rank} to {rank}: {lost}"]
