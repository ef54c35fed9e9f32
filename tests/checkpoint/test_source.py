"""Where a checkpoint is found: a directory, the Hub (a small real HTTP server here), its cache."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgekit.checkpoint import open_checkpoint
from edgekit.checkpoint.source import locate, name_of, safe_name
from edgekit.errors import MissingToolError
from tests.checkpoint.refusals import refused
from tests.fixtures.checkpoints import tiny_adapter, tiny_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """The few endpoints of the Hub that a download needs: revision, tree, and the files themselves."""

    directory: Path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if "/gated/" in path:
            return self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if "/broken/" in path:
            return self.answer(500, b"{}")
        if "/team/tiny" not in path:
            return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if path.startswith("/api/models/team/tiny/revision/"):
            if not path.endswith(("/main", "/v2", COMMIT)):
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            siblings = [{"rfilename": file.name} for file in self.directory.iterdir()]
            return self.answer_json({"id": "team/tiny", "sha": COMMIT, "siblings": siblings})
        if path.startswith("/api/models/team/tiny/tree/"):
            return self.answer_json(
                [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": etag(file)[:40]}
                    for file in self.directory.iterdir()
                ]
            )
        file = self.directory / path.rpartition("/")[2]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag(file)}"'}
        return self.answer(200, file.read_bytes(), headers)

    def answer_json(self, document: object) -> None:
        self.answer(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name is the base class's
        pass


def etag(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serve a checkpoint as team/tiny on 127.0.0.1, with an empty cache."""
    from huggingface_hub import constants

    Hub.directory = tiny_checkpoint(tmp_path / "served")
    (Hub.directory / "README.md").write_text("---\nlicense: gemma\n---\n# Tiny\n")
    (Hub.directory / "training_args.bin").write_bytes(b"pickle")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield server
    server.shutdown()
    server.server_close()


def test_a_directory_is_itself(tmp_path: Path) -> None:
    found = locate(str(tmp_path))
    assert (found.path, found.name) == (tmp_path, safe_name(tmp_path.name))


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("settings-navigator", "settings-navigator"),
        ("runs/settings/checkpoint-500", "settings-checkpoint-500"),
        ("examples/sentiment/adapter", "sentiment"),
        ("runs/settings/merged", "settings-merged"),
        ("my model (v2)", "my-model-v2"),
        ("été", "t"),
        ("…", "model"),
        ("x" * 200, "x" * 64),
    ],
)
def test_names_are_short_and_safe(directory: str, name: str, tmp_path: Path) -> None:
    assert name_of(tmp_path / directory) == name


@pytest.mark.parametrize(
    "source",
    [
        "./missing",
        "/no/such/place",
        "missing",
        "a/b/c",
        "~/missing",
        "a\\b",
        "",
        "@x",
        "~nobody-of-that-name/x",
        "x" * 300,
    ],
)
def test_a_path_that_does_not_exist_is_called_that(source: str) -> None:
    with refused("no such directory"):
        open_checkpoint(source)


def test_a_file_is_answered_with_its_directory(tmp_path: Path) -> None:
    with refused("model.safetensors", "is a file", f"pass {tmp_path}"):
        locate(tiny_checkpoint(tmp_path) / "model.safetensors")


def test_a_model_is_fetched_from_the_hub_once(hub: ThreadingHTTPServer) -> None:
    checkpoint = open_checkpoint("team/tiny")
    assert checkpoint.name == "tiny"
    assert checkpoint.notice == "Licence of the model: gemma"
    files = {file.name for file in checkpoint.path.iterdir()}
    assert files == {"config.json", "model.safetensors", "README.md"}  # and nothing pickled

    hub.shutdown()
    hub.server_close()
    assert open_checkpoint("team/tiny").path == checkpoint.path


def test_a_revision_may_be_named(hub: ThreadingHTTPServer) -> None:
    assert locate("team/tiny@v2").path.name == COMMIT


def test_the_base_of_an_adapter_is_fetched_by_its_name(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    tiny_adapter(tmp_path / "adapter", tmp_path, base_model_name_or_path="team/tiny", revision="v2")
    checkpoint = open_checkpoint(tmp_path / "adapter")
    assert checkpoint.base_path is not None and checkpoint.base_path.name == COMMIT
    assert checkpoint.text_path == checkpoint.base_path


@pytest.mark.parametrize(
    ("source", "words", "away"),
    [
        ("team/unknown", "neither a directory here nor a model on the Hub", False),
        ("team/tiny@v3", "no such revision", False),
        ("gated/model", "hf auth login", True),
        ("broken/model", "cannot be reached", True),
    ],
)
@pytest.mark.usefixtures("hub")
def test_what_the_hub_refuses_is_explained(source: str, words: str, away: bool) -> None:
    with refused(source, words, kind=MissingToolError) if away else refused(source, words):
        locate(source)


@pytest.mark.parametrize("source", ["-team/tiny", "team/..tiny", "te--am/tiny"])
@pytest.mark.usefixtures("hub")
def test_an_impossible_id_is_called_that(source: str) -> None:
    with refused(source, "nor a valid Hub id"):
        locate(source)


def test_offline_without_a_cached_copy_is_explained(
    hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.shutdown()
    hub.server_close()
    with refused("team/tiny", "cannot be reached", kind=MissingToolError):
        locate("team/tiny")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with refused("team/tiny", "HF_HUB_OFFLINE", kind=MissingToolError):
        locate("team/tiny")
