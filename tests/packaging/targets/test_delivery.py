"""`--to delivery`: versions that follow each other, and checking them in the folder and over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest

import edgekit
from edgekit.bundle.delivery.index import INDEX_NAME, Index, index_bytes, read_index
from edgekit.bundle.delivery.verify import DeliveryVerification, verify_delivery
from edgekit.bundle.signature import SigningKey
from edgekit.errors import GateError, InputError
from edgekit.packaging.play import PlaySize
from edgekit.packaging.source import Choice, Job, open_source
from edgekit.packaging.target import Written
from edgekit.packaging.targets import delivery
from edgekit.packaging.targets.delivery import DeliveryOptions
from tests.bundle.test_signature import change
from tests.fixtures.deliveries import served, signing_key, whole

Publish = Callable[..., Written]


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return signing_key(tmp_path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "public"


@pytest.fixture
def publish(adapter_ready_bundle: Path, sentiment_adapter: Path, key: SigningKey, place: Path) -> Publish:
    """Publishes the demo with its adapter, without asking the engine; `package` does the rest as for all targets."""

    def run(
        adapters: tuple[Path, ...] = (sentiment_adapter,), by: SigningKey = key, **options: Any
    ) -> Written:
        source = open_source(adapter_ready_bundle, Choice(adapters=adapters, sign=by.path))
        wanted = DeliveryOptions(**options)
        delivery.refuse(source, wanted)
        return delivery.write(Job(source, cast(PlaySize, None)), place, wanted)

    return run


def index_of(place: Path, key: SigningKey) -> Index:
    return read_index((place / INDEX_NAME).read_bytes(), key.public, "it").index


def listing(place: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in place.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.slow
def test_it_is_packaged_by_the_public_function(
    adapter_ready_bundle: Path, sentiment_adapter: Path, place: Path, key: SigningKey
) -> None:
    made = edgekit.package(
        adapter_ready_bundle, "delivery", place, adapters=[sentiment_adapter], sign=key.path
    )
    assert (made.path, made.to_json()["version"]) == (place / INDEX_NAME, 1)
    assert sorted(made.files) == sorted(path for path in place.rglob("*") if path.is_file())
    assert verify_delivery(place, key.public).passed


def test_a_delivery_must_be_signed(adapter_ready_bundle: Path) -> None:
    with pytest.raises(InputError, match="a delivery is signed") as refusal:
        delivery.refuse(open_source(adapter_ready_bundle, Choice()), DeliveryOptions())
    assert refusal.value.where == "--sign"


def test_the_first_version(publish: Publish, place: Path, key: SigningKey) -> None:
    publish()
    index = index_of(place, key)
    assert (index.channel, index.version) == ("settings-navigator", 1)
    assert [each.folder for each in index.adapters] == ["sentiment"]
    for path, file in index.places:
        assert (place / "files" / file.sha256).stat().st_size == file.size, path
    found = verify_delivery(place, key.public)
    assert (found.passed, found.signature, found.version) == (True, True, 1)
    assert found.checked == tuple(path for path, _ in index.places)


def test_the_same_again_is_no_new_version(publish: Publish, place: Path) -> None:
    publish()
    before = listing(place)
    assert "nothing to publish" in publish().notes[0]
    assert listing(place) == before


def test_an_adapter_is_updated_alone(
    publish: Publish, place: Path, key: SigningKey, sentiment_adapter: Path, tmp_path: Path
) -> None:
    publish()
    before, files = index_of(place, key), listing(place / "files")
    other = Path(shutil.copytree(sentiment_adapter, tmp_path / "other"))
    (other / "NOTICE").write_text("new terms")
    fetched = publish(adapters=(other,)).facts["fetched"]
    index = index_of(place, key)
    assert (index.version, index.bundle.model) == (2, before.bundle.model)
    assert fetched < 20_000  # of 3.9 MB
    after = listing(place / "files")
    assert {
        name: after[name] for name in files
    } == files  # a client in the middle of version 1 is not disturbed
    pruned = publish(adapters=(other,), prune=True)
    assert "were deleted" in pruned.notes[0] and len(listing(place / "files")) < len(after)
    assert verify_delivery(place, key.public).passed


def test_versions_only_grow(publish: Publish, place: Path, key: SigningKey) -> None:
    publish(number=40)
    with pytest.raises(InputError, match="version 40 is published here") as refusal:
        publish(adapters=(), number=40)
    assert refusal.value.remedy == "41 or more"
    publish(adapters=())
    assert index_of(place, key).version == 41
    with pytest.raises(InputError, match="versions begin at 1"):
        DeliveryOptions(number=0)


def test_another_channel_or_key_is_not_the_next_version(
    publish: Publish, place: Path, tmp_path: Path
) -> None:
    publish()
    before = listing(place)
    with pytest.raises(InputError, match="this folder delivers settings-navigator, not other"):
        publish(channel="other")
    with pytest.raises(InputError, match="not of this key"):
        publish(by=signing_key(tmp_path, 2))
    (place / INDEX_NAME).write_bytes(b"?")
    with pytest.raises(InputError, match="not of this key"):
        publish()
    (place / INDEX_NAME).write_bytes(before[str(place / INDEX_NAME)][0])
    assert {name: each for name, (each, _) in listing(place).items()} == {
        name: each for name, (each, _) in before.items()
    }
    with pytest.raises(InputError, match="no plain name"):
        DeliveryOptions(channel="../x")


def test_a_damaged_file_is_found_and_written_anew(publish: Publish, place: Path, key: SigningKey) -> None:
    publish()
    model = index_of(place, key).bundle.model
    change(place / "files" / model, 5000)
    (problem,) = verify_delivery(place, key.public).problems
    assert problem.startswith("settings-navigator.litertlm (files/") and "its SHA-256 is" in problem
    publish()
    assert verify_delivery(place, key.public).passed


def test_a_killed_run_leaves_the_version_before(
    publish: Publish, place: Path, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(delivery, "write_whole", killed)
        publish(adapters=())
    found = verify_delivery(place, key.public)
    assert (found.passed, found.version) == (True, 1)


# ---------------------------------------- what does not verify


def problems(place: Path | str, key: SigningKey) -> str:
    found = verify_delivery(place, key.public)
    assert not found.passed
    with pytest.raises(GateError):
        found.raise_if_failed()
    return "; ".join(found.problems)


def test_each_file_is_told_of(publish: Publish, place: Path, key: SigningKey) -> None:
    publish()
    files = {path: place / "files" / file.sha256 for path, file in index_of(place, key).places}
    files["edgekit.json"].unlink()
    files["tasks.json"].write_bytes(b"")
    with files["empty.lora.tflite"].open("ab") as file:
        file.write(b"\0")
    files["adapters/sentiment/adapter.json"].unlink()
    files["adapters/sentiment/adapter.json"].symlink_to(files["NOTICE"])
    found = verify_delivery(place, key.public).problems
    assert [(problem.split()[0], problem.split(": ")[1][:14]) for problem in found] == [
        ("edgekit.json", "is missing"),
        ("tasks.json", "has 0 bytes, t"),
        ("empty.lora.tflite", "is longer than"),
        ("adapters/sentiment/adapter.json", "cannot be read"),
    ]


def test_an_index_that_is_not_trusted_is_not_followed(
    publish: Publish, place: Path, key: SigningKey, tmp_path: Path
) -> None:
    publish()
    assert "of another key" in problems(place, signing_key(tmp_path, 2))
    change(place / INDEX_NAME, 400)
    found = verify_delivery(place, key.public)
    assert (found.version, found.checked, found.signature) == (None, (), False)
    assert f"{INDEX_NAME}: it was changed since it was signed" in found.problems
    (place / INDEX_NAME).write_bytes(bytes(2 << 20))
    assert "far too large" in problems(place, key)
    (place / INDEX_NAME).unlink()
    assert "is missing" in problems(place, key)
    with pytest.raises(InputError, match="no such directory"):
        verify_delivery(place / "none", key.public)


def test_lists_and_manifests_agree(publish: Publish, place: Path, key: SigningKey) -> None:
    publish()
    index = index_of(place, key)
    (adapter,) = index.adapters
    swapped = Index(
        index.channel,
        2,
        type(index.bundle)(index.bundle.files[0].sha256, index.bundle.files),
        (type(adapter)(adapter.folder, adapter.files[:1]),),
    )
    (place / INDEX_NAME).write_bytes(index_bytes(swapped, key))
    said = problems(place, key)
    assert "edgekit.json: it is not of the model that is delivered" in said
    assert "adapters/sentiment/adapter.json: the sidecar that it names is not listed" in said
    assert "adapters/sentiment/edgekit.sig: the bundle is not signed" in said


# ---------------------------------------- a host


def compressed(request: BaseHTTPRequestHandler, content: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.end_headers()


def redirected(target: str) -> Callable[[BaseHTTPRequestHandler, bytes], None]:
    def answer(request: BaseHTTPRequestHandler, content: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    return answer


def test_a_host_is_checked_as_a_folder_is(publish: Publish, place: Path, key: SigningKey) -> None:
    publish()
    folder = verify_delivery(place, key.public)
    with served(place) as address:
        for spelt in (address, f"{address}/", f"{address}/{INDEX_NAME}"):
            found: DeliveryVerification = verify_delivery(spelt, key.public)
            assert found.passed and (found.version, found.checked) == (folder.version, folder.checked)
        (place / "files" / index_of(place, key).bundle.model).unlink()
        assert "the host answers 404" in problems(address, key)
    assert "the host cannot be reached: Connection refused" in problems(address, key)


@pytest.mark.parametrize(
    ("address", "said", "remedy"),
    [
        ("HTTP://127.0.0.1:1/x", "cannot be reached: Connection refused", "this machine's network"),
        ("https://not a host/x", "the address is none", "https://host/folder"),
        ("http://[::1/x", "the address is none", "https://host/folder"),
        ("{}/none", "answers 404", "check the address"),
        ("{tls}", "does not speak TLS", "its port"),
        ("{}", "no signature that this edgekit knows", "the right place"),
    ],
)
def test_an_address_that_leads_to_no_delivery_is_not_the_publishers_fault(
    tmp_path: Path, address: str, said: str, remedy: str
) -> None:
    (tmp_path / INDEX_NAME).write_text("<html>Welcome!</html>")
    with served(tmp_path) as host:
        found = verify_delivery(address.format(host, tls=host.replace("http:", "https:")))
    assert said in found.problems[0]
    assert found.remedy is not None and remedy in found.remedy and "publish" not in found.remedy


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda request, content: whole(request, content[:-1], len(content)), "bytes, the index says"),
        (lambda request, content: whole(request, content + b"!"), "is longer than"),
        (lambda request, content: whole(request, bytes(len(content))), "its SHA-256 is"),
        (compressed, "compresses it"),
        (redirected("ftp://127.0.0.1/x"), "without TLS"),
        (redirected("/none"), "the host answers 404"),
    ],
    ids=["breaks off", "too long", "other bytes", "compresses", "leads to FTP", "leads nowhere"],
)
def test_a_host_that_does_not_serve_what_was_published(
    publish: Publish,
    place: Path,
    key: SigningKey,
    answer: Callable[[BaseHTTPRequestHandler, bytes], None],
    said: str,
) -> None:
    publish()
    with served(place, answer) as address:
        assert said in problems(address, key)
