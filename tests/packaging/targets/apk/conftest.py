"""A small app for tests: the shipped base, a stand-in for the engine, some assets."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from edgekit.benchmark.native.build import PREBUILT
from edgekit.packaging.identity import Identity
from edgekit.packaging.source import AppContents
from edgekit.packaging.targets.apk.assemble import App, write_apk
from edgekit.packaging.targets.apk.keys import SigningKey, debug_key
from tests.packaging.targets.apk.making import BUNDLE_BYTES, IDENTITY, MODEL


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return debug_key(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library for arm64 that is not 40 MB."""
    folder = tmp_path_factory.mktemp("engine")
    shutil.copy(PREBUILT / "librunner-android-arm64-v8a.so", folder / "liblitert-lm.so")
    return folder


@pytest.fixture(scope="session")
def contents(tmp_path_factory: pytest.TempPathFactory) -> AppContents:
    model = tmp_path_factory.mktemp("model") / MODEL
    model.write_bytes(random.Random(1).randbytes(BUNDLE_BYTES))
    return AppContents({MODEL: model, "edgekit.json": b'{"schema_version": 1}', "NOTICE": b"terms\n" * 900})


@pytest.fixture(scope="session")
def app(engine: Path) -> App:
    return App(IDENTITY, engine=engine)


@pytest.fixture(scope="session")
def apk(tmp_path_factory: pytest.TempPathFactory, contents: AppContents, app: App, key: SigningKey) -> Path:
    path = tmp_path_factory.mktemp("apk") / "app.apk"
    write_apk(contents, path, app=app, key=key)
    return path


@pytest.fixture
def identity() -> Identity:
    return IDENTITY
