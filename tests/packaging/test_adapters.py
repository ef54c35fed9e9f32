"""One base, many adapters: what an app gets of them, and every pairing that is refused before anything is written."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.bundle.directory import EMPTY_SIDECAR_NAME
from edgekit.errors import AdapterError, BundleError, InputError
from edgekit.packaging.presets import PRESETS_NAME
from edgekit.packaging.result import Package
from edgekit.packaging.targets.apk.archive import PAGE, STORED, read_members
from edgekit.packaging.targets.apk.assemble import ASSETS
from edgekit.packaging.targets.apk.verify import verify_apk
from edgekit.runtime.ask.protocol import Decoding
from edgekit.runtime.ask.session import ask
from edgekit.text.generation import parse_sampler
from tests.conftest import EXAMPLE, SENTIMENT, TRIAGE
from tests.packaging.conftest import MODEL
from tests.packaging.targets.apk.tools import apksig, assets_of

pytestmark = pytest.mark.slow

KEYS = "id adapter title description system_prompt turns examples golden actions quality".split()


@pytest.fixture(scope="module")
def adapters(
    sentiment_adapter: Path, triage_adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The two demo adapters, each with the presets of its example."""
    folder = tmp_path_factory.mktemp("adapters")
    places = []
    for adapter, example in ((sentiment_adapter, SENTIMENT), (triage_adapter, TRIAGE)):
        # Without the reports that other tests may have left there.
        place = shutil.copytree(adapter, folder / example.name, ignore=shutil.ignore_patterns("reports"))
        shutil.copy(example / PRESETS_NAME, place)
        places.append(place)
    return places


@pytest.fixture
def copies(adapters: list[Path], tmp_path: Path) -> list[Path]:
    """Adapters to spoil."""
    return [shutil.copytree(adapter, tmp_path / "adapters" / adapter.name) for adapter in adapters]


def offer_of(directory: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((directory / "assets/edgekit/tasks.json").read_text(encoding="utf-8"))
    return values


@pytest.fixture(scope="module")
def app(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Package:
    return edgekit.package(
        adapter_ready_bundle, "apk", tmp_path_factory.mktemp("app") / "out", adapters=adapters
    )


# ---------------------------------------- what an app gets


def test_an_app_holds_the_base_once_and_each_adapter_in_a_folder(
    app: Package, adapter_ready_bundle: Path, adapters: list[Path]
) -> None:
    assert verify_apk(app.path).fingerprint == app.written.facts["signer"]["sha256"]
    assets = assets_of(app.path)
    assert sorted(assets) == [
        "NOTICE",
        "adapters/sentiment/NOTICE",
        "adapters/sentiment/adapter.json",
        "adapters/sentiment/sentiment.lora.tflite",
        "adapters/support-triage/NOTICE",
        "adapters/support-triage/adapter.json",
        "adapters/support-triage/support-triage.lora.tflite",
        "edgekit.json",
        EMPTY_SIDECAR_NAME,
        "sbom.cdx.json",
        MODEL,
        "tasks.json",
    ]
    for name in ("NOTICE", "edgekit.json", EMPTY_SIDECAR_NAME, MODEL):
        assert assets[name] == (adapter_ready_bundle / name).read_bytes()
    for adapter in adapters:
        for name in ("NOTICE", "adapter.json", f"{adapter.name}.lora.tflite"):
            assert assets[f"adapters/{adapter.name}/{name}"] == (adapter / name).read_bytes()
    with app.path.open("rb") as file:
        members = {member.name: member for member in read_members(file, app.path)}
    for name, content in assets.items():
        member = members[f"{ASSETS}{name}"]
        assert member.method == STORED
        assert member.offset % PAGE == 0 or len(content) < PAGE


def test_androids_own_verifier_takes_it(app: Package) -> None:
    assert apksig("verify", app.path) == ["v2=true v3=true warnings=0"]


def test_the_same_bundles_give_the_same_bytes(
    app: Package, adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    again = edgekit.package(adapter_ready_bundle, "apk", tmp_path / "again", adapters=adapters)
    assert again.path.read_bytes() == app.path.read_bytes()


def test_it_tells_what_the_adapters_save(app: Package) -> None:
    base = app.source.manifest.model.size
    sizes = json.loads(json.dumps(app.to_json()))["adapter_sizes"]
    sidecars = [adapter.manifest.sidecar.size for adapter in app.source.adapters.values()]
    assert sizes == {
        "base": base,
        "sidecars": dict(zip(("sentiment", "support-triage"), sidecars, strict=True)),
        "together": base + sum(sidecars),
        "merged": 2 * base,
    }
    assert any("2 merged bundles would take 2 times the base" in note for note in app.notes)
    assert app.play.model > base // 10  # the sidecars travel too, and count


def test_the_next_command_names_the_adapters_again(app: Package, adapters: list[Path]) -> None:
    words = shlex.split(app.next_steps[-1])
    assert [words[at + 1] for at, word in enumerate(words) if word == "--adapter"] == [*map(str, adapters)]


def test_the_app_offers_a_task_for_each_in_the_order_given(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    out = edgekit.package(
        adapter_ready_bundle, "assets", tmp_path / "out", adapters=adapters[::-1], label="My app"
    ).output
    offer = offer_of(out)
    assert (offer["schema_version"], offer["title"]) == (2, "My app")
    assert all(list(task) == KEYS for task in offer["tasks"])
    triage, sentiment = offer["tasks"]
    assert (triage["id"], triage["adapter"], triage["title"]) == (*("support-triage",) * 2, "Support triage")
    assert (sentiment["id"], sentiment["adapter"], sentiment["title"]) == (*("sentiment",) * 2, "Sentiment")
    assert sentiment["examples"][0] == "I love the keyboard"
    display = {"when": {"team": "display"}, "intent": "android.settings.DISPLAY_SETTINGS"}
    assert (sentiment["actions"], triage["actions"][0]) == ([], display)
    assert (triage["turns"], sentiment["turns"]) == ("one", "one")  # their answers have a format


def test_golden_answers_are_the_engines_with_each_sidecar(
    adapter_ready_bundle: Path, copies: list[Path], tmp_path: Path
) -> None:
    with (copies[0] / PRESETS_NAME).open("a", encoding="utf-8") as file:
        file.write('system_prompt = "Be kind."\nturns = "many"\n')
    source = edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", adapters=copies).source
    assert [task.turns for task in source.offer.tasks] == ["many", "one"]
    greedy = parse_sampler("greedy")
    with ask(source.model) as session:
        for task, system in zip(source.offer.tasks, ("Be kind.", None), strict=True):
            assert task.system_prompt == system
            assert [golden.prompt for golden in task.golden] == list(task.examples)
            adapter = source.adapters[task.id]
            history = [{"role": "system", "content": system}] if system else []
            said: dict[Path | None, list[str]] = {adapter.sidecar: [], None: []}
            for sidecar, answers in said.items():
                for prompt in task.examples:
                    with session.talk(
                        Decoding(sampler=greedy, answers=adapter.answer, sidecar=sidecar), history
                    ) as chat:
                        answers.append(chat.say(prompt).text)
            golden = [golden.answer for golden in task.golden]
            assert said[adapter.sidecar] == golden
            assert said[None] != golden, "the adapter makes a difference"


def test_the_bases_own_task_comes_first_when_it_is_wanted(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    presets = EXAMPLE / PRESETS_NAME
    out = edgekit.package(
        adapter_ready_bundle,
        "assets",
        tmp_path / "out",
        adapters=adapters[:1],
        with_base=True,
        presets=presets,
    )
    base, sentiment = offer_of(out.output)["tasks"]
    assert (base["id"], base["adapter"], sentiment["id"]) == ("base", None, "sentiment")
    assert json.loads(base["golden"][0]["answer"])["setting"] == "brightness"
    assert len(base["actions"]) == 30


def test_a_base_alone_is_one_task_with_the_empty_sidecar(adapter_ready_bundle: Path, tmp_path: Path) -> None:
    out = edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out").output
    (task,) = offer_of(out)["tasks"]
    assert (task["id"], task["adapter"]) == ("base", None)
    assets = out / "assets/edgekit"
    assert (assets / EMPTY_SIDECAR_NAME).read_bytes() == (
        adapter_ready_bundle / EMPTY_SIDECAR_NAME
    ).read_bytes()
    assert not (assets / "adapters").exists()
    assert "model.typed(null, question)" in (out / "SettingsNavigator.kt").read_text()


def test_without_presets_the_manifest_says_what_there_is_to_say(
    adapter_ready_bundle: Path, tmp_path: Path
) -> None:
    made = edgekit.adapter(
        SENTIMENT / "adapter",
        adapter_ready_bundle,
        tmp_path / "made",
        name="Mood_2",
        system_prompt="Say how it feels.",
        text=edgekit.TextOptions(examples=["I love the keyboard"]),
        check=False,
    )
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "the wifi does not work at all"}\n', encoding="utf-8")
    result = edgekit.package(
        adapter_ready_bundle, "assets", tmp_path / "out", adapters=[made.directory], golden_from=data
    )
    (task,) = offer_of(result.output)["tasks"]
    assert (task["id"], task["adapter"], task["title"]) == ("mood-2", "mood-2", "Mood 2")
    assert (task["system_prompt"], task["examples"]) == ("Say how it feels.", ["I love the keyboard"])
    assert task["turns"] == "many"  # the base has a format, and the adapter none
    asked = [golden["prompt"] for golden in task["golden"]]
    left_out = [note for note in result.notes if "no golden answer to" in note]
    assert asked == ["the wifi does not work at all"] or len(left_out) == 1
    assert (result.output / "assets/edgekit/adapters/mood-2/Mood_2.lora.tflite").is_file()


def test_the_verdict_on_a_sidecar_goes_along_when_it_is_about_this_sidecar_on_this_base(
    adapter_ready_bundle: Path, copies: list[Path], tmp_path: Path
) -> None:
    edgekit.validate(adapter_ready_bundle, adapter=copies[0])
    report = copies[0] / "reports/validate.json"
    shutil.copytree(report.parent, copies[1] / "reports")  # of another adapter
    result = edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", adapters=copies)
    sentiment, triage = offer_of(result.output)["tasks"]
    assert sentiment["quality"]["passed"] is True
    assert "container" in [check["name"] for check in sentiment["quality"]["checks"]]
    assert triage["quality"] is None
    assert any("support-triage" in note and "another base or sidecar" in note for note in result.notes)


@pytest.mark.parametrize(
    ("target", "folder"),
    [
        ("project", "app/src/main/assets/edgekit"),
        ("ai-pack", "settings_navigator/src/main/assets/edgekit"),
        ("asset-pack", "settings_navigator/src/main/assets/edgekit"),
    ],
)
def test_every_target_takes_the_same_files(
    app: Package,
    adapter_ready_bundle: Path,
    adapters: list[Path],
    tmp_path: Path,
    target: str,
    folder: str,
) -> None:
    out = edgekit.package(adapter_ready_bundle, target, tmp_path / "out", adapters=adapters).output
    files = {
        path.relative_to(out / folder).as_posix(): path.read_bytes()
        for path in (out / folder).rglob("*")
        if path.is_file()
    }
    assert files == assets_of(app.path)


def test_the_generated_class_has_a_task_for_each(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    out = edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", adapters=adapters).output
    kotlin = (out / "SettingsNavigator.kt").read_text(encoding="utf-8")
    assert "public val sentiment: Sentiment = Sentiment(model)" in kotlin
    assert 'model.typed("support-triage", question)' in kotlin
    assert kotlin.count("public suspend fun ask(question: String): Result<Answer>") == 2
    assert 'model.sentiment.ask("I love the keyboard")' in (out / "README.md").read_text(encoding="utf-8")


# ---------------------------------------- what is refused

Spoil = Callable[[list[Path]], object]


def cut(adapters: list[Path]) -> None:
    sidecar = adapters[0] / "sentiment.lora.tflite"
    sidecar.write_bytes(sidecar.read_bytes()[:-16384])


def change(adapters: list[Path]) -> None:
    sidecar = adapters[0] / "sentiment.lora.tflite"
    data = bytearray(sidecar.read_bytes())
    data[-20_000] ^= 1
    sidecar.write_bytes(data)


def edit(path: Path, **changes: Any) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**values, **changes}), encoding="utf-8")


def rename(name: str) -> Spoil:
    return lambda adapters: edit(adapters[1] / "adapter.json", name=name)


def rebase(adapters: list[Path]) -> None:
    edit(adapters[1] / "adapter.json", base={"name": "another", "model_sha256": "0" * 64})


def preset(text: str) -> Spoil:
    return lambda adapters: (adapters[0] / PRESETS_NAME).write_text(text, encoding="utf-8")


SPOILT: list[tuple[Spoil, str, str]] = [
    (cut, "changed or cut off", "edgekit adapter"),
    (change, "was changed", "edgekit adapter"),
    (rebase, "made for another base: another", "--base-bundle"),
    (rename("Sentiment"), "would be the task “sentiment”: sentiment in .* and Sentiment in", "--name NAME"),
    (rename("base"), "base is the base's own", "--name NAME"),
    (rename("--"), "an id is of letters and digits", "--name NAME"),
    (preset('application_id = "com.example.a"'), "application_id is the app's", "beside the base bundle"),
    (preset('label = "A"'), "label is the app's", "beside the base bundle"),
    (preset("version_code = 2"), "version_code is the app's", "beside the base bundle"),
    (preset('descripton = "x"'), "the key descripton is not known", "did you mean description?"),
    (lambda adapters: (adapters[0] / "adapter.json").unlink(), "no adapter bundle", "edgekit adapter"),
]


@pytest.mark.parametrize(("spoil", "message", "remedy"), SPOILT)
def test_an_adapter_that_cannot_be_used_is_one_clear_error_and_leaves_nothing(
    adapter_ready_bundle: Path, copies: list[Path], tmp_path: Path, spoil: Spoil, message: str, remedy: str
) -> None:
    spoil(copies)
    with pytest.raises(InputError, match=message) as refusal:
        edgekit.package(adapter_ready_bundle, "apk", tmp_path / "out", adapters=copies)
    assert remedy in (refusal.value.remedy or "")
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]


def test_an_adapter_is_named_once(adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path) -> None:
    for again in (adapters[0], adapters[0] / "sentiment.lora.tflite"):
        with pytest.raises(AdapterError, match="named twice"):
            edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", adapters=[*adapters, again])
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_as_it_was_trained_is_not_yet_a_sidecar(
    adapter_ready_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="not yet a sidecar"):
        edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", adapters=[SENTIMENT / "adapter"])
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_that_takes_no_adapters_is_refused_with_one(
    navigator: Path, adapters: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="takes no adapters") as refusal:
        edgekit.package(navigator, "assets", tmp_path / "out", adapters=adapters)
    assert "--adapters" in (refusal.value.remedy or "")
    assert list(tmp_path.iterdir()) == []


def test_a_base_without_its_empty_sidecar_is_refused(adapter_ready_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(adapter_ready_bundle, tmp_path / "bundle")
    (bundle / EMPTY_SIDECAR_NAME).write_bytes(bytes(16384))
    with pytest.raises(BundleError, match="missing or was changed") as refusal:
        edgekit.package(bundle, "assets", tmp_path / "out")
    assert refusal.value.where == str(bundle / EMPTY_SIDECAR_NAME)
    assert not (tmp_path / "out").exists()


def test_options_that_go_with_several_tasks_or_with_none_are_told(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="with its own task anyway") as refusal:
        edgekit.package(adapter_ready_bundle, "assets", tmp_path / "out", with_base=True)
    assert refusal.value.where == "--with-base"
    with pytest.raises(InputError, match="for one task, and there are 2") as refusal:
        edgekit.package(
            adapter_ready_bundle,
            "assets",
            tmp_path / "out",
            adapters=adapters,
            golden_from=SENTIMENT / "eval.jsonl",
        )
    assert refusal.value.where == "--golden-from"
    assert list(tmp_path.iterdir()) == []


def test_the_gallery_takes_neither_an_adapter_nor_a_base_that_needs_one(
    adapter_ready_bundle: Path, adapters: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no place for an adapter") as refusal:
        edgekit.package(adapter_ready_bundle, "gallery", tmp_path / "out", adapters=adapters)
    assert "edgekit convert ADAPTER --base" in (refusal.value.remedy or "")
    with pytest.raises(BundleError, match="answer with noise") as refused:
        edgekit.package(adapter_ready_bundle, "gallery", tmp_path / "out")
    assert "without --adapters" in (refused.value.remedy or "")
    assert list(tmp_path.iterdir()) == []
