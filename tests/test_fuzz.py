"""Whatever is in a file, a reader ends in a value or in an error of edgekit's: 70 is for bugs, and there are none here.

Seeds are the demo's own files, mutated. EDGEKIT_FUZZ says how many inputs; nightly runs take 100,000.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.manifest import read_manifest
from edgekit.checkpoint.lora.config import read_adapter_config
from edgekit.checkpoint.safetensors import open_safetensors
from edgekit.errors import EdgekitError
from edgekit.families.config import read_architecture
from edgekit.recipes.recipe import read_recipe
from edgekit.text.generation import read_generation
from edgekit.text.template.parse import read_chat_template
from edgekit.text.tokenizer.files import read_settings
from tests.fixtures.checkpoints import DEMO_CHECKPOINT

ROOT = DEMO_CHECKPOINT.parents[2]
INPUTS = int(os.environ.get("EDGEKIT_FUZZ", "2000"))
READERS: dict[str, tuple[Path, str, Callable[[Path], object]]] = {
    "config": (DEMO_CHECKPOINT / "config.json", "config.json", read_architecture),
    "generation": (DEMO_CHECKPOINT / "generation_config.json", "generation_config.json", read_generation),
    "tokenizer settings": (
        DEMO_CHECKPOINT / "tokenizer_config.json",
        "tokenizer_config.json",
        read_settings,
    ),
    "template": (DEMO_CHECKPOINT / "chat_template.jinja", "chat_template.jinja", read_chat_template),
    "adapter": (
        ROOT / "examples/sentiment/adapter/adapter_config.json",
        "adapter_config.json",
        read_adapter_config,
    ),
    "weights": (
        DEMO_CHECKPOINT / "model.safetensors",
        "x.safetensors",
        lambda directory: open_safetensors(directory / "x.safetensors"),
    ),
    "recipe": (
        ROOT / "edgekit/recipes/shipped/int4.toml",
        "r.toml",
        lambda directory: read_recipe(str(directory / "r.toml")),
    ),
    "manifest": (DEMO_CHECKPOINT / "config.json", "edgekit.json", read_manifest),
}
PIECES = (
    *(b"null", b"-1", b"1e999", b"9" * 400, b"NaN", b"true", b"{}", b"[]", b'""', b"[" * 2000, b"{" * 200),
    *(b"\x00", b"\xff", b"\\ud800", b"\n", b"{{", b"%}", b"'", b'"', b"=", b",", b":", b"9" * 5000),
)


def mutated(seed: bytes, rng: random.Random) -> bytes:
    content = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 5))):
        start = rng.randrange(len(content) + 1) if rng.random() < 0.9 else 0
        end = min(len(content), start + rng.choice((0, 1, 1, 4, 30, 1000)))
        content[start:end] = rng.choice((rng.choice(PIECES), rng.randbytes(2), content[end : end + 20]))
    return bytes(content)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_ends_in_a_value_or_an_error_of_its_own(tmp_path: Path, name: str) -> None:
    seed, file, read = READERS[name]
    content = seed.read_bytes()[: 1 << 16]
    rng = random.Random(name)
    shutil.rmtree(tmp_path / "d", ignore_errors=True)
    (tmp_path / "d").mkdir()
    for _ in range(INPUTS // len(READERS)):
        data = mutated(content, rng)
        (tmp_path / "d" / file).write_bytes(data)
        try:
            read(tmp_path / "d")
        except EdgekitError:
            continue
        except BaseException as error:
            raise AssertionError(f"{name}: {data[:300]!r}") from error
