"""A checkpoint of Gemma 3 270M's shape with random weights, for size and speed: no Gemma weights are needed.

    python benchmarks/checkpoint_270m.py DIRECTORY [--calls]

Its tokenizer is the demo model's, filled up to 262,144 pieces that no text reaches. With --calls it is that of the demo
model that calls, chat template and all: what FunctionGemma looks like to a converter.
"""

from __future__ import annotations

import argparse
import json
import shutil
from itertools import islice, product
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file
from sentencepiece import sentencepiece_model_pb2

from edgekit.families.config import read_architecture
from edgekit.families.gemma3 import tensors as expected_shapes

EXAMPLES = Path(__file__).parents[1] / "examples"
DEMO = EXAMPLES / "settings-navigator" / "checkpoint"
CALLER = EXAMPLES / "phone-actions" / "checkpoint"
VOCABULARY = 262_144
_PRIVATE_USE = [chr(code) for code in range(0xE000, 0xE000 + 70)]  # in no text; three of them make a piece


def write_checkpoint(
    directory: Path, *, vocabulary: int = VOCABULARY, seed: int = 0, calls: bool = False
) -> Path:
    """Write the checkpoint: bfloat16, tied embedding, 536 MB at the full vocabulary."""
    directory.mkdir(parents=True, exist_ok=True)
    spoken = CALLER if calls else DEMO
    config = json.loads((spoken / "config.json").read_text())
    config |= {
        "vocab_size": vocabulary,
        "hidden_size": 640,
        "intermediate_size": 2048,
        "num_hidden_layers": 18,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 256,
        "query_pre_attn_scalar": 256,
        "sliding_window": 512,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    _write_weights(directory, seed)
    _write_tokenizer(spoken, directory, vocabulary)
    for name in ("tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        if (spoken / name).exists():
            shutil.copyfile(spoken / name, directory / name)
    return directory


def _write_weights(directory: Path, seed: int) -> None:
    """Norms are random too, and the <pad> row is zero, as Transformers initialises it."""
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in expected_shapes(read_architecture(directory)).items():
        values = generator.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        tensors[name] = values.astype(ml_dtypes.bfloat16)
    tensors["model.embed_tokens.weight"][0] = 0
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(spoken: Path, directory: Path, vocabulary: int) -> None:
    model = sentencepiece_model_pb2.ModelProto.FromString((spoken / "tokenizer.model").read_bytes())
    document = json.loads((spoken / "tokenizer.json").read_text())
    start = len(model.pieces)
    fillers = islice(map("".join, product(_PRIVATE_USE, repeat=3)), vocabulary - start)
    lowest = min(piece.score for piece in model.pieces)
    for index, text in enumerate(fillers, start):
        piece = model.pieces.add()
        piece.piece, piece.score = text, lowest - (index - start + 1)
        document["model"]["vocab"][text] = index
    (directory / "tokenizer.model").write_bytes(model.SerializeToString())
    (directory / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY)
    parser.add_argument("--calls", action="store_true")
    arguments = parser.parse_args()
    print(write_checkpoint(arguments.directory, vocabulary=arguments.vocabulary, calls=arguments.calls))
