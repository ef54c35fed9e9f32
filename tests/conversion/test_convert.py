"""Converting: the same input gives the same bytes, bad input gives one error, and nothing is ever half there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.manifest import Manifest
from edgekit.bundle.opening import open_bundle
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions, TextOptions, Trim
from edgekit.conversion.sizes import recipe_sizes
from edgekit.errors import BundleError, EdgekitError, InputError, MissingToolError, RecipeError
from edgekit.graph.format import Form
from tests.fixtures import damage
from tests.fixtures.checkpoints import copy_demo_checkpoint, tiny_adapter, tiny_checkpoint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
KILLS = 8


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def start(*arguments: object, program: tuple[str, str] = ("-m", "edgekit")) -> subprocess.Popen[str]:
    """A real `edgekit convert` of its own."""
    return subprocess.Popen(
        [sys.executable, *program, "convert", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


STOPPING = """
import os, signal, sys; from edgekit.cli import main
stops = [signal.SIGSTOP]
def stop(event, arguments):
    if event == "open" and stops and ".edgekit-staging" in str(arguments[0]):
        os.kill(os.getpid(), stops.pop())
sys.addaudithook(stop); main(sys.argv[1:])
"""


def stopped(*arguments: object) -> subprocess.Popen[str]:
    """One that stands still where it opens its first new file, however slow we are."""
    child = start(*arguments, program=("-c", STOPPING))
    assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
    return child


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, demo_path: Path) -> Path:
    return convert(demo_path, tmp_path_factory.mktemp("int8") / "bundle").bundle


# --- what comes out ----------------------------------------------------------------------------------------------


def test_a_bundle_is_a_model_its_manifest_and_the_terms(bundle: Path, demo_path: Path) -> None:
    assert names(bundle) == {"checkpoint.litertlm", "edgekit.json", "NOTICE"}
    opened = open_bundle(bundle)
    manifest = opened.manifest
    assert manifest is not None
    assert (manifest.recipe.name, manifest.graph.form, manifest.kv_length) == ("int8", "dynamic", 4096)
    assert {token.ids for token in manifest.stop_tokens} == {(1,), (6,)}
    assert manifest.answer is None
    assert (bundle / "NOTICE").read_text().split() == (demo_path / "NOTICE").read_text().split()


def test_the_result_says_what_was_made_and_what_the_engine_answered(tmp_path: Path, demo_path: Path) -> None:
    result = convert(demo_path, tmp_path / "b", name="nav")
    assert (result.bundle, result.model) == (tmp_path / "b", tmp_path / "b" / "nav.litertlm")
    assert result.manifest == open_bundle(tmp_path / "b").manifest
    assert result.check is not None
    assert result.check.text
    assert sum(result.steps.values()) == pytest.approx(result.seconds)
    json.dumps(result.to_json())


def test_without_an_output_it_is_named_after_checkpoint_and_recipe(
    tmp_path: Path, demo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copy_demo_checkpoint(tmp_path / "my fine-tune!")
    convert("my fine-tune!", recipe="int4", check=False)
    assert names(tmp_path / "my-fine-tune-int4") >= {"my-fine-tune.litertlm"}


def test_a_bare_graph_has_its_manifest_and_computes(tmp_path: Path, demo_path: Path) -> None:
    result = convert(demo_path, tmp_path / "b", file_format="tflite")
    assert names(tmp_path / "b") == {"checkpoint.tflite", "edgekit.json", "NOTICE"}
    assert result.check is None
    assert open_bundle(tmp_path / "b").model_path == result.model


def test_the_answer_format_travels_in_the_manifest(tmp_path: Path, demo_path: Path) -> None:
    result = convert(demo_path, tmp_path / "b", text=TextOptions(answer_regex="(on|off)"), check=False)
    assert result.manifest.answer == {"kind": "regex", "regex": "(on|off)"}
    schema = demo_path.parent / "answer-schema.json"
    kept = convert(
        demo_path, tmp_path / "s", text=TextOptions(answer_schema=schema), check=False
    ).manifest.answer
    assert kept is not None
    assert list(kept["schema"]["properties"]) == list(json.loads(schema.read_text())["properties"])


def test_a_recipe_of_ones_own(tmp_path: Path, demo_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        '[[rule]]\ntensors = "*mlp*"\nbits = 4\ngranularity = "block-64"\nalgorithm = "octav"\n'
        '[[rule]]\ntensors = "*"\nbits = 8\n'
    )
    result = convert(demo_path, tmp_path / "b", recipe=recipe)
    assert result.manifest.recipe.name == "mine"
    assert set(result.manifest.recipe.schemes.values()) == {"int4 block 64 octav", "int8 channel"}


def test_recipe_sizes_are_told_before_and_true_afterwards(
    tmp_path: Path, demo_path: Path, bundle: Path
) -> None:
    told = recipe_sizes(demo_path)
    assert list(told) == ["int8", "int4-head", "int4", "int4-all", "float32"]
    graph = 500_000  # the graph, tokenizer and metadata are no weights
    assert told["int8"] < (bundle / "checkpoint.litertlm").stat().st_size < told["int8"] + graph
    assert recipe_sizes()["int8"] // 10**6 in range(260, 290)


# --- the same again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["dynamic", "static"])
@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_the_same_input_gives_the_same_bytes(
    tmp_path: Path, demo_path: Path, recipe: str, form: Form
) -> None:
    """Also from another directory of the same name, and with any number of threads."""
    moved = copy_demo_checkpoint(tmp_path / "elsewhere" / "checkpoint")
    made = [
        convert(
            source,
            tmp_path / str(number),
            recipe=recipe,
            graph=GraphOptions(form),
            threads=threads,
            check=False,
        )
        for number, (source, threads) in enumerate(
            [(demo_path, None), (demo_path, 1), (moved, 3), (str(moved), 7)]
        )
    ]
    first = files(made[0].bundle)
    assert all(files(result.bundle) == first for result in made[1:])


def test_in_another_process_as_well(tmp_path: Path, demo_path: Path, bundle: Path) -> None:
    child = start(demo_path, "-o", tmp_path / "b")
    child.communicate()
    assert files(tmp_path / "b") == files(bundle)


# --- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage.other_architecture, ["config.json", "llama"]),
        (damage.missing_tensor, ["missing", "model.norm.weight"]),
        (damage.unexpected_tensor, ["no place", "model.layers.0.mlp.extra.weight"]),
        (damage.wrong_shape, ["model.norm.weight", "(255,)", "(256,)"]),
        (damage.fewer_rows, ["model.embed_tokens.weight", "2040", "2048"]),
        (damage.ids_beyond_the_embedding, ["tokenizer", "2,040 rows"]),
        (damage.truncated, ["model.safetensors"]),
        (damage.overlapping, ["model.safetensors", "model.norm.weight"]),
        (damage.not_a_number, ["model.safetensors", "model.layers.3.mlp.up_proj.weight", "3 of"]),
        (damage.infinite, ["model.safetensors", "model.layers.2.input_layernorm.weight", "1 of"]),
        (damage.pickled, ["pytorch_model.bin", "safe_serialization"]),
        (damage.four_bit, ["config.json", "bitsandbytes"]),
        (damage.empty, ["checkpoint"]),
        (damage.without("config.json"), ["config.json"]),
        (damage.without_tokenizer, ["tokenizer.json"]),
        (damage.holding("config.json", '{"model_type": '), ["config.json", "JSON"]),
        (damage.holding("config.json", "[]"), ["config.json", "object"]),
        (damage.holding("tokenizer.json", "{"), ["tokenizer.json", "JSON"]),
        (damage.holding("tokenizer_config.json", "{"), ["tokenizer_config.json", "JSON"]),
        (damage.holding("generation_config.json", "{"), ["generation_config.json", "JSON"]),
        (damage.holding("chat_template.jinja", "{% for m in %}"), ["chat_template.jinja"]),
        (damage.holding("chat_template.jinja", "always the same"), ["chat_template.jinja"]),
    ],
    ids=lambda value: getattr(value, "__name__", "") if callable(value) else value[0],
)
def test_bad_checkpoints_end_in_one_error_and_nothing_written(
    tmp_path: Path, harm: Callable[[Path], None], words: list[str]
) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    harm(checkpoint)
    with pytest.raises(InputError) as caught:
        convert(checkpoint, tmp_path / "out" / "b")
    error = caught.value
    assert all(word in str(error) for word in words), error
    assert error.where, error
    assert "\n" not in error.message
    assert names(tmp_path / "out") == set()


def test_an_adapter_of_another_base(tmp_path: Path, demo_path: Path) -> None:
    base = tiny_checkpoint(tmp_path / "base")
    adapter = tiny_adapter(tmp_path / "adapter", base)
    with pytest.raises(InputError, match=r"q_proj.*\(4, 64\).*\(4, 256\)") as caught:
        convert(adapter, tmp_path / "b", base=demo_path)
    assert "--base" in (caught.value.remedy or "")
    assert names(tmp_path) == {"base", "adapter"}


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"recipe": "int3"}, RecipeError, ["int3", "int4-all"]),
        ({"graph": GraphOptions("cubic")}, InputError, ["--form", "'cubic'", "static"]),
        ({"file_format": "onnx"}, InputError, ["--format", "tflite"]),
        ({"graph": GraphOptions(kv_length=127)}, InputError, ["--kv-length", "128", "32,768"]),
        ({"graph": GraphOptions(kv_length=32769)}, InputError, ["--kv-length", "32,769"]),
        ({"graph": GraphOptions("static", kv_length=1023)}, InputError, ["--kv-length", "1,024"]),
        ({"name": "../x"}, InputError, ["--name"]),
        ({"name": "å"}, InputError, ["--name", "a to z"]),
        ({"name": ""}, InputError, ["--name"]),
        ({"name": "a" * 90}, InputError, ["--name", "64"]),
        ({"text": TextOptions(sampler="warm")}, InputError, ["--sampler", "'warm'", "greedy"]),
        ({"base": "x"}, InputError, ["--base"]),
        ({"text": TextOptions(answer_regex="(")}, InputError, ["--answer-regex"]),
        ({"text": TextOptions(answer_regex="")}, InputError, ["--answer-regex", "empty"]),
        (
            {"text": TextOptions(answer_regex="(?=a)b")},
            InputError,
            ["--answer-regex", "look-around", "alternatives"],
        ),
        (
            {"text": TextOptions(answer_regex="a", answer_schema="x.json")},
            InputError,
            ["--answer-schema", "--answer-regex"],
        ),
        (
            {"text": TextOptions(answer_regex="a"), "file_format": "tflite"},
            InputError,
            ["--format tflite", "litertlm"],
        ),
        ({"text": TextOptions(answer_schema="absent.json")}, InputError, ["absent.json"]),
        ({"trim": Trim([])}, InputError, ["--vocab-from"]),
        ({"trim": Trim(["x"], keep=0)}, InputError, ["--vocab-keep"]),
        ({"text": TextOptions(examples=[" "])}, InputError, ["--example"]),
    ],
    ids=str,
)
def test_options_that_cannot_be_followed(
    tmp_path: Path, demo_path: Path, options: dict[str, Any], kind: type[EdgekitError], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        convert(demo_path, tmp_path / "b", **options)
    assert all(word in str(caught.value) for word in words), caught.value
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": ', "JSON"),
        ('["display"]', "object"),
        ('{"not": {"type": "string"}}', '"not"'),
        ('{"type": "frog"}', "frog"),
        ('{"enum": ["yes", "🦤"]}', "🦤"),
    ],
)
def test_a_schema_that_the_engine_cannot_take_is_named_by_its_file(
    tmp_path: Path, demo_path: Path, schema: str, words: str
) -> None:
    (tmp_path / "answer.json").write_text(schema, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        convert(
            demo_path, tmp_path / "b", text=TextOptions(answer_schema=tmp_path / "answer.json"), check=False
        )
    assert caught.value.where == str(tmp_path / "answer.json")
    assert words in caught.value.message
    assert caught.value.remedy
    assert names(tmp_path) == {"answer.json"}


def test_a_hub_id_without_network(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="cannot be reached"):
        convert("nobody/no-such-model", tmp_path / "b")
    assert names(tmp_path) == set()


# --- what is there stays ------------------------------------------------------------------------------------------


def test_what_is_there_stays_unless_forced(tmp_path: Path, demo_path: Path) -> None:
    convert(demo_path, tmp_path / "b", check=False)
    before = files(tmp_path / "b")
    with pytest.raises(BundleError, match="--force"):
        convert(demo_path, tmp_path / "b", recipe="int4", check=False)
    assert files(tmp_path / "b") == before
    convert(demo_path, tmp_path / "b", recipe="int4", name="other", force=True, check=False)
    assert names(tmp_path / "b") == {"other.litertlm", "edgekit.json", "NOTICE"}


def test_a_bad_checkpoint_leaves_the_old_bundle(tmp_path: Path, demo_path: Path) -> None:
    convert(demo_path, tmp_path / "b", check=False)
    before = files(tmp_path / "b")
    broken = copy_demo_checkpoint(tmp_path / "broken")
    damage.not_a_number(broken)  # found in the middle of writing
    with pytest.raises(InputError):
        convert(broken, tmp_path / "b", force=True)
    assert files(tmp_path / "b") == before


@pytest.mark.parametrize("target", ["notes", "notes/below", "checkpoint"])
def test_other_peoples_files_are_never_replaced(tmp_path: Path, target: str) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "notes").write_text("mine")
    before = files(checkpoint)
    with pytest.raises(BundleError, match=r"there is a file where|holds no bundle"):
        convert(checkpoint, tmp_path / target, force=True, check=False)
    assert (tmp_path / "notes").read_text() == "mine"
    assert files(checkpoint) == before


def test_killed_at_random_moments_the_bundle_is_the_old_or_the_new(tmp_path: Path, demo_path: Path) -> None:
    target = tmp_path / "b"
    recipes = ["int8", "float32"]
    expected = {
        recipe: convert(demo_path, tmp_path / recipe, recipe=recipe).manifest.model.sha256
        for recipe in recipes
    }
    convert(demo_path, target, recipe="float32")
    began = time.monotonic()
    start(demo_path, "-o", target, "--recipe", "int8", "--force").communicate()
    whole_run = time.monotonic() - began
    current, draw, killed = "int8", random.Random(11), 0
    for number in range(KILLS):
        recipe = recipes[(recipes.index(current) + 1) % 2]
        child = start(demo_path, "-o", target, "--recipe", recipe, "--force")
        time.sleep(whole_run * (number + draw.random()) / KILLS)
        child.kill()
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        try:
            opened = open_bundle(target)  # verifies size and digest
        except BundleError as error:  # killed among the renames, which the same command finishes
            assert "run the same command again" in error.remedy
            convert(demo_path, target, recipe=recipe, force=True, check=False)
            opened = open_bundle(target)
        assert opened.manifest is not None
        now = opened.manifest.recipe.name
        assert now in (current, recipe)
        assert opened.manifest.model.sha256 == expected[now]
        current = now
    assert killed  # how many depends on how busy the machine is
    convert(demo_path, target, force=True, check=False)
    assert names(target) == {"checkpoint.litertlm", "edgekit.json", "NOTICE"}


def test_killed_before_there_was_a_bundle_there_is_none(tmp_path: Path, demo_path: Path) -> None:
    child = stopped(demo_path, "-o", tmp_path / "b")
    child.kill()
    child.communicate()
    with pytest.raises(BundleError, match="run `edgekit convert` again"):
        open_bundle(tmp_path / "b")
    convert(demo_path, tmp_path / "b", check=False)  # no --force needed


def test_an_interrupt_leaves_nothing(tmp_path: Path, demo_path: Path) -> None:
    child = stopped(demo_path, "-o", tmp_path / "b")
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGCONT)
    _, said = child.communicate()
    assert child.returncode == 130
    assert "Traceback" not in said
    assert names(tmp_path) == set()


def test_a_limit_reached_while_writing_leaves_the_old_bundle(tmp_path: Path, demo_path: Path) -> None:
    convert(demo_path, tmp_path / "b", check=False)
    before = files(tmp_path / "b")
    limited = f'ulimit -f 2000; exec "{sys.executable}" -m edgekit convert "$0" -o "$1" --force'
    done = subprocess.run(
        ["bash", "-c", limited, str(demo_path), str(tmp_path / "b")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2, done.stderr
    assert "beyond the allowed size" in done.stderr
    assert files(tmp_path / "b") == before


def test_a_disk_without_room_leaves_the_old_bundle(tmp_path: Path, demo_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted as root with the right to mount")
    try:
        convert(demo_path, disk / "b")
        before = files(disk / "b")
        for recipe in ("int8", "float32"):
            with pytest.raises(BundleError, match=r"not enough space: [\d,]+ bytes are needed"):
                convert(demo_path, disk / "b", recipe=recipe, force=True)
            assert files(disk / "b") == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_several_at_once_into_one_directory(tmp_path: Path, demo_path: Path) -> None:
    recipes = ["int8", "int4", "int4-all", "float32"]
    children = {r: start(demo_path, "-o", tmp_path / "b", "--recipe", r, "--force") for r in recipes}
    said = {recipe: child.communicate()[1] for recipe, child in children.items()}
    won = {recipe for recipe, child in children.items() if child.returncode == 0}
    assert won
    for recipe in set(recipes) - won:
        assert children[recipe].returncode == 2
        assert "another edgekit run is writing here" in said[recipe]
    manifest = open_bundle(tmp_path / "b").manifest
    assert manifest is not None
    assert manifest.recipe.name in won
    assert names(tmp_path / "b") == {"checkpoint.litertlm", "edgekit.json", "NOTICE"}


def test_several_at_once_into_different_directories(tmp_path: Path, demo_path: Path, bundle: Path) -> None:
    children = [start(demo_path, "-o", tmp_path / str(number)) for number in range(3)]
    for number, child in enumerate(children):
        _, said = child.communicate()
        assert child.returncode == 0, said
        assert files(tmp_path / str(number)) == files(bundle)


# --- what it costs -----------------------------------------------------------------------------------------------


def test_converting_imports_nothing_heavy(tmp_path: Path, demo_path: Path) -> None:
    code = (
        "import sys, edgekit\n"
        "edgekit.convert(sys.argv[1], sys.argv[2])\n"
        "edgekit.inspect(sys.argv[2])\n"
        "print(*{'torch', 'transformers', 'tensorflow', 'jax', 'litert_torch', 'peft'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(demo_path), str(tmp_path / "b")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_a_checkpoint_may_be_read_only(tmp_path: Path, demo_path: Path) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    before = {path.name: path.stat().st_mtime_ns for path in checkpoint.iterdir()}
    convert(checkpoint, tmp_path / "b")
    assert {path.name: path.stat().st_mtime_ns for path in checkpoint.iterdir()} == before


def test_without_terms_the_manifest_says_so(tmp_path: Path) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    (checkpoint / "NOTICE").unlink()
    result = convert(checkpoint, tmp_path / "b", check=False)
    assert any("Gemma terms of use" in note for note in result.manifest.notes)
    assert "NOTICE" not in names(tmp_path / "b")


def test_answers_in_a_format_are_greedy_unless_something_else_is_asked_for(tmp_path: Path) -> None:
    checkpoint = copy_demo_checkpoint(tmp_path / "checkpoint")
    damage.edit_json(checkpoint / "generation_config.json", do_sample=True, top_k=64, top_p=0.95)

    def made(name: str, **text: Any) -> Manifest:
        return convert(checkpoint, tmp_path / name, text=TextOptions(**text), check=False).manifest

    held = made("held", answer_regex="(on|off)")
    assert held.sampler.kind == "greedy"
    assert any(note.startswith("answers held to a format are greedy") for note in held.notes)
    drawn = made("drawn", answer_regex="(on|off)", sampler="temperature=0.5")
    assert (drawn.sampler.kind, drawn.sampler.temperature) == ("top_p", 0.5)
    free = made("free")
    assert free.sampler.kind == "top_p"
    assert not any("greedy" in note for note in (*drawn.notes, *free.notes))
