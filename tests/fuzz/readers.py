"""Every reader of a file that others may have made, with a small file that it reads."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.benchmark.compare import compare
from edgekit.benchmark.process import outcome
from edgekit.benchmark.result import read_result
from edgekit.benchmark.runners.llama_cpp import read_llama_bench
from edgekit.benchmark.runners.official import parse_output
from edgekit.benchmark.table import markdown, rows
from edgekit.bundle.adapter.manifest import read_adapter_manifest
from edgekit.bundle.container import SectionKind
from edgekit.bundle.inspect import inspect
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.sidecar import read_sidecar, sidecar_bytes
from edgekit.bundle.signature import read_key
from edgekit.bundle.verify import verify
from edgekit.bundle.writing import Section, pack_hf_tokenizer, write_container
from edgekit.checkpoint.lora.config import read_adapter_config
from edgekit.checkpoint.open import read_notice
from edgekit.checkpoint.safetensors import open_tensors
from edgekit.device.adb import parse_devices
from edgekit.device.facts import parse_conditions, parse_facts, sections
from edgekit.families.config import read_architecture
from edgekit.files.cache import CACHE_VARIABLE
from edgekit.gates import read_thresholds
from edgekit.graph.format import read_graph
from edgekit.graph.library import SHIPPED
from edgekit.packaging.icon import draw_foreground
from edgekit.packaging.presets import read_presets
from edgekit.recipes.recipe import read_recipe
from edgekit.records.codec import read_values
from edgekit.scoring.memory import Memory
from edgekit.text.answers import read_schema
from edgekit.text.data import read_data
from edgekit.text.generation import read_generation
from edgekit.text.settle import read_text
from edgekit.text.template.parse import read_chat_template
from edgekit.text.tokenizer.files import read_settings
from edgekit.text.tokenizer.read import read_tokenizer
from edgekit.text.vocabulary import read_vocabulary
from edgekit.validation.page import render_html
from edgekit.validation.report import Parity
from tests.benchmark.results import CASE
from tests.device.test_facts import PHONE
from tests.fixtures.checkpoints import DEMO_CHECKPOINT as DEMO
from tests.fuzz.mutate import Mutate, bytes_like, json_like, lines_like, text_like

SEEDS = Path(__file__).with_name("seeds")
EXAMPLES = DEMO.parents[1]
RECIPE = SHIPPED.parents[1] / "recipes/shipped/int4.toml"
GRAPH = next(SHIPPED.glob("*-dynamic.graph"))
ROWS = 320


@dataclass(frozen=True)
class Reader:
    """What reads a file of this name in a directory. share: of all inputs; others lie beside the file."""

    file: str
    seed: Callable[[], bytes]
    mutate: Mutate
    read: Callable[[Path], object]
    share: float = 1.0
    others: Callable[[], Mapping[str, bytes]] = dict


def of(path: Path, most: int = 1 << 20) -> Callable[[], bytes]:
    return lambda: path.read_bytes()[:most]


# ---------------------------------------- seeds that are made


@cache
def tokenizer_json() -> bytes:
    """The demo's first pieces, with what merges within them."""
    document = json.loads((DEMO / "tokenizer.json").read_bytes())
    model = document["model"]
    model["vocab"] = {piece: number for piece, number in model["vocab"].items() if number < ROWS}
    joined = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    model["merges"] = [pair for pair in joined if {*pair, "".join(pair)} <= set(model["vocab"])]
    document["added_tokens"] = [token for token in document["added_tokens"] if token["id"] < ROWS]
    return json.dumps(document).encode()


@cache
def tokenizer_model() -> bytes:
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString((DEMO / "tokenizer.model").read_bytes())
    del model.pieces[ROWS:]
    return bytes(model.SerializeToString())


def text_files() -> dict[str, bytes]:
    names = ("tokenizer_config.json", "generation_config.json", "chat_template.jinja")
    return {name: (DEMO / name).read_bytes() for name in names} | {
        "tokenizer.json": tokenizer_json(),
        "config.json": (DEMO / "config.json").read_bytes(),
    }


@cache
def safetensors() -> bytes:
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
        "b": {"dtype": "F32", "shape": [4], "data_offsets": [12, 28]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(28)


def safetensors_like(seed: bytes, rng: Any) -> bytes:
    """The header as JSON, its length made right again; or bytes."""
    if rng.random() < 0.3:
        return bytes_like(seed, rng)
    length = int.from_bytes(seed[:8], "little")
    header = json_like(seed[8 : 8 + length], rng)
    return len(header).to_bytes(8, "little") + header + seed[8 + length :]


@cache
def sidecar() -> bytes:
    matrices = {
        f"lora_atten_q_{side}_prime_weight_{n}": np.ones((4, 8), np.float32) for n in (0, 1) for side in "ab"
    }
    return sidecar_bytes(matrices, 4)


@cache
def container() -> bytes:
    out = io.BytesIO()
    model = graph_flatbuffer()
    tokenizer = pack_hf_tokenizer(tokenizer_json())
    metadata = (SEEDS / "metadata.pb").read_bytes()
    parts = (
        (SectionKind.LLM_METADATA, metadata, {}),
        (SectionKind.HF_TOKENIZER, tokenizer, {}),
        (SectionKind.SP_TOKENIZER, tokenizer_model(), {}),
        (SectionKind.TFLITE_MODEL, model, {"model_type": "tf_lite_prefill_decode"}),
    )
    write_container(out, [Section(kind, len(part), [part], about) for kind, part, about in parts], {"x": 1})  # type: ignore[arg-type]
    return out.getvalue()


@cache
def graph_flatbuffer() -> bytes:
    """A model's graph, in which every weight is 16 bytes of it: their places are filled in when a model is written."""
    data = bytearray(read_graph(GRAPH).flatbuffer)
    numbers = np.frombuffer(data, np.uint64, len(data) // 8)
    numbers[numbers == 1 << 40] = 16
    return bytes(data)


# ---------------------------------------- readers of more than one line


def listed(directory: Path) -> None:
    """As `edgekit inspect` shows it, with what it prints."""
    from edgekit.cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main(["inspect", str(directory)])
        except SystemExit as left:
            assert left.code in (None, 0, 2), (left.code, said.getvalue()[-3000:])


def compared(directory: Path) -> None:
    result = read_result(directory / "x.json")
    markdown(["a"], rows([result]))
    compare(result, read_result(SEEDS / "bench.json"), interleaved=False)


def paged(directory: Path) -> None:
    render_html(Parity.from_json(read_values(directory / "x.json")))


def said_by_a_runner(directory: Path) -> None:
    outcome((directory / "x").read_text(errors="replace").splitlines(), "", None)


def said_by_adb(directory: Path) -> None:
    text = (directory / "x").read_text(errors="replace")
    parse_devices(text)
    parse_facts(text, "serial")
    parse_conditions(sections(text))


def drawn(directory: Path) -> None:
    draw_foreground(directory / "x.png")


@cache
def png() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGBA", (192, 192), (1, 2, 3, 255)).save(out, "PNG")
    return out.getvalue()


ASKED = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
ANSWERED = [{"role": "assistant", "content": "x"}]
CHAT = json.dumps({"messages": ASKED + ANSWERED, "expected": 1})
SHARED = json.dumps({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "x"}]})
TRL = json.dumps({"prompt": ASKED, "completion": ANSWERED})
ALPACA = json.dumps({"instruction": "a", "input": "b", "output": {"c": 1}, "system": "s"})
JSONL = "\n".join((CHAT, SHARED, TRL, ALPACA)).encode()
ARRAY = b"[" + JSONL.replace(b"\n", b",") + b"]"
CSV = b'prompt,expected,messages\n"a\nb",x,\n,y,"[{""role"": ""user""}]"\n'
LLAMA = json.dumps([{"n_prompt": a, "n_gen": b, "samples_ts": [1.5, 2]} for a, b in ((8, 0), (0, 5))])


def rows_in(name: str) -> Callable[[Path], object]:
    return lambda directory: read_data(directory / name, skip_bad_rows=True)


def tokenizer_and_vocabulary(directory: Path) -> None:
    read_tokenizer(directory, rows=ROWS)
    read_vocabulary(directory, rows=ROWS)


def remembered(directory: Path) -> None:
    """A file of what a run kept: damage is no error there. Another file beside it is whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(directory))
        memory = Memory("digest", {})
        place = memory._directory / "x"
        place.mkdir(parents=True)
        for name, whole in (("results.json", FACTS), ("hidden.npz", states())):
            damaged = directory / name
            (place / name).write_bytes(damaged.read_bytes() if damaged.exists() else whole)
        Memory("digest", {})
        shutil.rmtree(memory._directory.parent)


FACTS = json.dumps({"ids": {"a": [1]}, "answers": [[[1], [2]]], "texts": [[[1, 2], 1]]}).encode()


@cache
def states() -> bytes:
    out = io.BytesIO()
    np.savez(out, **{"0": np.ones((1, 4), np.float32)})
    return out.getvalue()


def llama(directory: Path) -> None:
    read_llama_bench(CASE.prefill, CASE.decode, [(directory / "x").read_text(errors="replace")])


READERS: dict[str, Reader] = {
    "config": Reader(
        "config.json",
        of(DEMO / "config.json"),
        json_like,
        read_architecture,
    ),
    "generation": Reader(
        "generation_config.json", of(DEMO / "generation_config.json"), json_like, read_generation
    ),
    "tokenizer settings": Reader(
        "tokenizer_config.json", of(DEMO / "tokenizer_config.json"), json_like, read_settings
    ),
    "special tokens": Reader(
        "special_tokens_map.json",
        lambda: b'{"bos_token": {"content": "<bos>"}, "additional_special_tokens": ["<a>"]}',
        json_like,
        read_settings,
    ),
    "added tokens": Reader(
        "added_tokens.json", lambda: b'{"<a>": 320, "<b>": 321}', json_like, read_settings
    ),
    "tokenizer.json": Reader(
        "tokenizer.json",
        tokenizer_json,
        json_like,
        tokenizer_and_vocabulary,
    ),
    "tokenizer.model": Reader(
        "tokenizer.model",
        tokenizer_model,
        bytes_like,
        tokenizer_and_vocabulary,
    ),
    "template": Reader(
        "chat_template.jinja", of(DEMO / "chat_template.jinja"), text_like, read_chat_template
    ),
    "text": Reader(
        "chat_template.jinja",
        of(DEMO / "chat_template.jinja"),
        text_like,
        lambda d: read_text(d, rows=ROWS),
        0.2,
        text_files,
    ),
    "adapter": Reader(
        "adapter_config.json",
        of(EXAMPLES / "sentiment/adapter/adapter_config.json"),
        json_like,
        read_adapter_config,
    ),
    "weights": Reader(
        "model.safetensors",
        safetensors,
        safetensors_like,
        open_tensors,
    ),
    "index": Reader(
        "model.safetensors.index.json",
        lambda: b'{"metadata": {}, "weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}',
        json_like,
        open_tensors,
        1,
        lambda: {"x.safetensors": safetensors()},
    ),
    "notice": Reader(
        "README.md", lambda: b"---\nlicense: gemma\nlanguage:\n- en\n---\n# x\n", text_like, read_notice
    ),
    "recipe": Reader(
        "r.toml",
        of(RECIPE),
        text_like,
        lambda d: read_recipe(str(d / "r.toml")),
    ),
    "presets": Reader(
        "p.toml",
        of(EXAMPLES / "settings-navigator/edgekit.toml"),
        text_like,
        lambda d: read_presets(d / "p.toml"),
    ),
    "thresholds": Reader(
        "t.toml",
        lambda: b"[validate]\nmax-kl = 0.1\nmin-top1 = 0.5\n",
        text_like,
        lambda d: read_thresholds(d / "t.toml"),
    ),
    "rows": Reader("x.jsonl", lambda: JSONL, lines_like, rows_in("x.jsonl"), 2),
    "rows in an array": Reader(
        "x.json",
        lambda: ARRAY,
        json_like,
        rows_in("x.json"),
    ),
    "rows in CSV": Reader(
        "x.csv",
        lambda: CSV,
        text_like,
        rows_in("x.csv"),
    ),
    "rows packed": Reader(
        "x.jsonl.gz",
        lambda: gzip.compress(JSONL, mtime=0),
        bytes_like,
        rows_in("x.jsonl.gz"),
    ),
    "schema": Reader(
        "s.json",
        of(EXAMPLES / "settings-navigator/answer-schema.json"),
        json_like,
        lambda d: read_schema(d / "s.json").literals(),
    ),
    "manifest": Reader(
        "edgekit.json",
        of(SEEDS / "manifest.json"),
        json_like,
        read_manifest,
        2,
    ),
    "adapter's manifest": Reader(
        "adapter.json", of(SEEDS / "adapter-manifest.json"), json_like, read_adapter_manifest
    ),
    "signature": Reader(
        "edgekit.sig",
        of(SEEDS / "signature.sig"),
        bytes_like,
        lambda d: verify(d, SEEDS / "signature.pub"),
        1,
        lambda: {"edgekit.json": (SEEDS / "manifest.json").read_bytes()},
    ),
    "public key": Reader(
        "key.pub", of(SEEDS / "signature.pub"), bytes_like, lambda d: read_key(d / "key.pub")
    ),
    "manifest, shown": Reader(
        "edgekit.json",
        of(SEEDS / "manifest.json"),
        json_like,
        listed,
        0.2,
        lambda: {"checkpoint.litertlm": container()},
    ),
    "adapter, shown": Reader(
        "adapter.json",
        of(SEEDS / "adapter-manifest.json"),
        json_like,
        listed,
        0.2,
        lambda: {"sentiment.lora.tflite": sidecar()},
    ),
    "sidecar": Reader(
        "x.lora.tflite",
        sidecar,
        bytes_like,
        lambda d: read_sidecar(d / "x.lora.tflite"),
    ),
    "container": Reader(
        "x.litertlm",
        container,
        bytes_like,
        lambda d: inspect(d / "x.litertlm"),
        0.5,
    ),
    "model": Reader(
        "x.tflite",
        graph_flatbuffer,
        bytes_like,
        lambda d: inspect(d / "x.tflite"),
        0.3,
    ),
    "graph": Reader(
        "x.graph",
        of(GRAPH),
        bytes_like,
        lambda d: read_graph(d / "x.graph"),
        0.2,
    ),
    "remembered facts": Reader("results.json", lambda: FACTS, json_like, remembered, 0.5),
    "remembered states": Reader("hidden.npz", states, bytes_like, remembered, 0.5),
    "bench": Reader(
        "x.json",
        of(SEEDS / "bench.json"),
        json_like,
        compared,
        2,
    ),
    "validate": Reader(
        "x.json",
        of(SEEDS / "validate.json"),
        json_like,
        paged,
    ),
    "runner's events": Reader(
        "x",
        of(SEEDS / "events.txt"),
        text_like,
        said_by_a_runner,
    ),
    "adb's words": Reader(
        "x",
        PHONE.encode,
        text_like,
        said_by_adb,
    ),
    "llama-bench": Reader(
        "x",
        lambda: LLAMA.encode(),
        json_like,
        llama,
    ),
    "official runner": Reader(
        "x",
        lambda: b"prefill: 12.5 tokens/sec\n",
        text_like,
        lambda d: parse_output((d / "x").read_text(errors="replace")),
    ),
    "icon": Reader(
        "x.png",
        png,
        bytes_like,
        drawn,
        0.2,
    ),
}


def inputs(total: int) -> Iterator[tuple[str, int]]:
    """How many inputs each reader gets."""
    whole = sum(reader.share for reader in READERS.values())
    for name, reader in READERS.items():
        yield name, max(1, round(total * reader.share / whole))
