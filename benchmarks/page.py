"""docs/benchmarks.md, from benchmarks/results: a table for each question.

    python benchmarks/page.py

No figure is written by hand. A table without a result is left out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit import figures

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """\
# Benchmarks

Written by `make benchmarks`. Speeds depend on the machine and its hour: compare within a table, whose rows took turns,
each run a process of its own. No phone was measured.
"""
QUALITY = """\
Next tokens on prose, code and manuals in three languages, against float32 in Transformers. The weights had been in
llama.cpp's Q4_K_M, so nothing here is about that format. On weights without outliers, as the demo's, every recipe looks
fine."""


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    sys.path.append(str(ROOT))
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


def page() -> str:
    """The whole page."""
    parts = [_quality, _convert, _speed, _conversation, _adapters, _package, _app]
    return "\n".join([HEAD, *filter(None, ("\n".join(part()) for part in parts))])


def _quality() -> Iterator[str]:
    from docs.generate.recipes import comparison_table

    table = re.sub(r" *\| *", "|", comparison_table())
    yield from ("## Quality", "", QUALITY, "", table, "")


def _convert() -> Iterator[str]:
    found = _read("convert")
    if found is None:
        return
    yield from _begin("Conversion", found, "Whole processes without the engine's check.")
    rows = []
    for recipe, row in found["results"]["rows"].items():
        stock = row.get("export_hf_seconds")
        for name, key in (("empty cache", "first_seconds"), ("after", "seconds")):
            if key in row:
                peak = row["first_peak_bytes" if key == "first_seconds" else "peak_bytes"]
                ratio = f"{stock / row[key]:.0f}" if stock else ""
                rows.append([f"edgekit {recipe}, {name}", f"{row[key]:.2f} s", _gb(peak), ratio])
        if stock:
            rows.append([f"export_hf {recipe}", f"{stock:.0f} s", _gb(row["export_hf_peak_bytes"]), ""])
    yield from _table(["", "time", "peak memory", "times as fast as export_hf"], rows)


def _speed() -> Iterator[str]:
    found = _read("speed")
    if found is None:
        return
    told = (
        "Two threads, 64 tokens decoded; export_hf with its default, a KV cache of 4,096. LiteRT-LM hands out its "
        "first token behind the second step of decoding, llama.cpp behind the prompt."
    )
    yield from _begin("Speed and memory", found, told)
    results = found["results"]
    rows = []
    for prompt, measured in results["rows"].items():
        for name, row in measured.items():
            size = f"{results['bytes'][name] / 1e6:.0f}"
            figures = [row["failure"], "", "", ""] if "failure" in row else _speeds(row)
            rows.append([prompt, name, size, *figures])
    head = ["prompt", "", "MB", "prefill tokens/s", "decode tokens/s", "first token", "peak memory"]
    yield from _table(head, rows)


def _speeds(row: dict[str, float]) -> list[str]:
    return [
        f"{row['prefill']:,.0f}",
        f"{row['decode']:.1f}",
        f"{row['first'] * 1e3:.0f} ms",
        f"{row['peak'] / 1e6:.0f} MB",
    ]


def _conversation() -> Iterator[str]:
    found = _read("conversation")
    if found is None:
        return
    results = found["results"]
    told = f"{results['length']:,} tokens in turns of {results['turn']}, int8."
    yield from _begin("Long conversations", found, told)
    rows = [
        [
            name,
            f"{row['seconds_to_fill']:.1f} s",
            f"{row['decode_behind_256']:.1f}",
            f"{row['decode_at_end']:.1f}",
            f"{row['decode_at_end'] / row['decode_behind_256']:.0%}",
            _gb(row["peak_bytes"]),
        ]
        for name, row in results["rows"].items()
    ]
    yield from _table(["", "fed in", "tokens/s behind 256", "at the end", "of it", "peak memory"], rows)


def _adapters() -> Iterator[str]:
    found = _read("adapters")
    if found is None:
        return
    results = found["results"]
    switch = results["switch"]
    told = (
        f"A LoRA of rank 16, int8. `edgekit adapter` takes {results['adapter_seconds']:.1f} s; another adapter's first "
        f"token comes after {switch['to_first_token_ms']:.0f} ms, a merged bundle's after "
        f"{switch['reopening_merged_to_first_token_ms']:.0f} ms."
    )
    yield from _begin("Adapters", found, told)
    rows = [
        [
            name,
            f"{row['decode_ms']['median']:.2f}",
            f"{row['decode_ms']['ratio']:.2f}",
            f"{row['prefill_ms']['median']:.0f}",
            f"{row['prefill_ms']['ratio']:.2f}",
        ]
        for name, row in results["steps"].items()
    ]
    yield from _table(["base", "ms per token", "of plain", "ms for 256 tokens", "of plain"], rows)


def _package() -> Iterator[str]:
    found = _read("package")
    if found is None:
        return
    results = found["results"]
    told = f"A signed APK of {results['apk_bytes'] / 1e6:.0f} MB; Google's apksig only signs it."
    yield from _begin("Packaging", found, told)
    rows = [
        [name, f"{results[name]['seconds']['median']:.2f} s", _gb(results[name]["peak_bytes"])]
        for name in ("edgekit", "apksig")
        if name in results
    ]
    yield from _table(["", "time", "peak memory"], rows)
    if parts := results.get("parts"):
        yield from (
            "Its parts; what is to download is deflated, as a store does, of large files by samples:",
            "",
        )
        yield from _table(["part", "stored", "to download"], list(_parts(parts)))


def _parts(parts: Sequence[dict[str, Any]]) -> Iterator[list[str]]:
    """A row for each part, the model first, and their sums."""
    sums = [("**without the model**", parts[1:]), ("**together**", parts)]
    for name, of in (*((part["name"], [part]) for part in parts), *sums):
        yield [name, *(figures.size(sum(part[key] for part in of)) for key in ("stored", "download"))]


def _app() -> Iterator[str]:
    found = _read("app")
    if found is None:
        return
    results = found["results"]
    rows, count = results["rows"], len(results["runs"]["after"])
    told = (
        "On the JVM, of which only ratios may hold for a phone. "
        f"Before is {results['before']}; {count} processes each, by turns. "
        f"The main thread's is processor time while an answer of {rows['after']['tokens']:.0f} tokens comes, "
        "one in 20 ms, below five others."
    )
    yield from _begin("The sample app", found, told)
    before, after = rows["before"], rows["after"]
    cells = []
    for name, key in (
        ("start until the model is ready", "start_ms"),
        ("main thread, start", "start_main_ms"),
        ("main thread, a token", "main_ms_per_token"),
        ("longest frame", "longest_ms"),
    ):
        cells.append(
            [name, f"{before[key]:,.1f} ms", f"{after[key]:,.1f} ms", f"{after[key] / before[key]:.2f}"]
        )
    shares = [f"{row['slow_share']:.0%}" for row in (before, after)]
    cells.append(["frames above 16 ms", *shares, ""])
    yield from _table(["", "before", "now", "ratio"], cells)


def _read(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _begin(title: str, found: dict[str, Any], told: str) -> Iterator[str]:
    """A heading, and what the table is of."""
    machine = found["machine"]
    of = found["results"].get("of", "")
    where = (
        f"{machine['cpu']}, {machine['cores']} cores, litert-lm-api {machine['versions']['litert-lm-api']}."
    )
    sentences = [f"{of[:1].upper()}{of[1:]}." if of else "", told, where]
    yield from (f"## {title}", "", " ".join(filter(None, sentences)), "")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"|{'|'.join(cells)}|"
    yield ""


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


if __name__ == "__main__":
    main()
