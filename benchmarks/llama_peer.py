"""llama.cpp's part of benchmarks/quality.py, run by the Python that has llama_cpp and not edgekit.

llama_peer.py quantize CHECKPOINT DIRECTORY     write BF16.gguf, Q8_0.gguf, Q4_0.gguf
llama_peer.py logits FILE TARGET.npy < IDS      of every position of a text (a JSON list of ids)
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2


def quantize(checkpoint: Path, target: Path) -> None:
    """Write the checkpoint as GGUF, and let llama.cpp quantize it; Q4_0 keeps the embedding at 8 bits, as is usual."""
    import llama_cpp

    source = target / "BF16.gguf"
    _write_gguf(checkpoint, source)
    for kind, number in (
        ("Q8_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0),
        ("Q4_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0),
    ):
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = number
        parameters.nthread = THREADS
        if kind == "Q4_0":
            parameters.token_embedding_type = llama_cpp.GGML_TYPE_Q8_0
            parameters.output_tensor_type = llama_cpp.GGML_TYPE_Q8_0
        made = target / f"{kind}.gguf"
        if llama_cpp.llama_model_quantize(str(source).encode(), str(made).encode(), parameters) != 0:
            sys.exit(f"llama.cpp did not quantize to {kind}")


def _write_gguf(checkpoint: Path, target: Path) -> None:
    import gguf

    config = json.loads((checkpoint / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "gemma3")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    _write_vocabulary(writer, json.loads((checkpoint / "tokenizer.json").read_text()), config)
    names = {name: theirs for theirs, name in _names(config["num_hidden_layers"])}
    for name, bits in _tensors(checkpoint / "model.safetensors"):
        values = (bits.astype(np.uint32) << 16).view(np.float32)
        if name.endswith("norm.weight"):
            writer.add_tensor(names[name], values + 1)
        else:
            writer.add_tensor(names[name], bits.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_vocabulary(writer: Any, document: dict[str, Any], config: dict[str, Any]) -> None:
    """Enough of a vocabulary for a file to open: texts are given as ids."""
    import gguf

    rows = config["vocab_size"]
    pieces = [f"<unknown{n}>" for n in range(rows)]
    for piece, number in document["model"]["vocab"].items():
        if number < rows:
            pieces[number] = piece
    for added in document["added_tokens"]:
        if added["id"] < rows:
            pieces[added["id"]] = added["content"]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(n) for n in range(rows)])
    writer.add_token_types([gguf.TokenType.NORMAL] * rows)
    for key in ("bos", "eos", "pad"):
        getattr(writer, f"add_{key}_token_id")(config[f"{key}_token_id"])


def _names(layers: int) -> list[tuple[str, str]]:
    parts = {
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "attn_norm": "input_layernorm",
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    return [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output_norm.weight", "model.norm.weight"),
        *(
            (f"blk.{n}.{a}.weight", f"model.layers.{n}.{b}.weight")
            for n in range(layers)
            for a, b in parts.items()
        ),
    ]


def _tensors(path: Path) -> list[tuple[str, Any]]:
    """The tensors of a bfloat16 file, as their bits."""
    data = np.memmap(path, np.uint8, "r")
    (size,) = struct.unpack("<Q", data[:8].tobytes())
    header = json.loads(data[8 : 8 + size].tobytes())
    return [
        (
            name,
            data[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]]
            .view(np.uint16)
            .reshape(entry["shape"]),
        )
        for name, entry in header.items()
        if name != "__metadata__"
    ]


def _open(file: Path, length: int) -> Any:
    from llama_cpp import Llama

    return Llama(
        str(file),
        n_ctx=length,
        n_batch=length,
        n_ubatch=length,
        n_threads=THREADS,
        n_threads_batch=THREADS,
        logits_all=True,
        verbose=False,
    )


def logits(file: Path, target: Path) -> None:
    """Write the logits behind every token of the text on standard input."""
    ids = json.load(sys.stdin)
    model = _open(file, len(ids))
    model.eval(ids)
    np.save(target, np.asarray(model.scores[: len(ids)], np.float32))


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["quantize", "logits"])
    parser.add_argument("arguments", nargs="+")
    given = parser.parse_args()
    if given.verb == "quantize":
        quantize(*map(Path, given.arguments))
    else:
        logits(*map(Path, given.arguments))


if __name__ == "__main__":
    main()
