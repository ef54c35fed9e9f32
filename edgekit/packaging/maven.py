"""A folder that Gradle and Maven take artifacts from: group, name and version as folders, with checksums.

The layout is that of Maven's repositories, which `maven { url = uri("FOLDER") }` reads. Nothing tells a time:
`maven-metadata.xml` has no `lastUpdated`, which readers do without. Archives store and do not compress, so that their
bytes do not depend on a version of zlib.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edgekit.errors import InputError
from edgekit.progress import SILENT, Progress
from edgekit.quoting import xml_text

Content = Path | bytes

_CHECKSUMS: Final = ("md5", "sha1", "sha256", "sha512")
_WORD: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?", re.ASCII)
_DATE: Final = (1981, 1, 1, 0, 0, 0)
_PIECE: Final = 4 << 20


@dataclass(frozen=True)
class Coordinates:
    """By which a build names an artifact: group:name:version.

    Raises InputError for what cannot be a folder of a repository.
    """

    group: str
    name: str
    version: str

    def __post_init__(self) -> None:
        for what, flag, text in (
            ("group", "--group", self.group),
            ("name", "--name", self.name),
            ("version", "--version", self.version),
        ):
            if not _WORD.fullmatch(text) or ".." in text:
                raise InputError(
                    f"“{text}” cannot be the {what} of a Maven artifact",
                    where=flag,
                    remedy="letters, digits, dots, - and _ only, as in com.example:settings-navigator:1.0",
                )

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}"

    @property
    def folder(self) -> str:
        """Where the version's files lie."""
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}"


@dataclass(frozen=True)
class Dependency:
    """What an artifact needs. scope: compile where its types appear in the artifact's own functions."""

    coordinates: Coordinates
    scope: Literal["compile", "runtime"] = "compile"
    type: Literal["aar", "jar"] = "jar"


@dataclass(frozen=True)
class Described:
    """What an artifact's POM says. licences: an SPDX id or a name each."""

    coordinates: Coordinates
    title: str
    description: str
    licences: Sequence[str]
    dependencies: Sequence[Dependency] = ()


def deploy(repository: Path, described: Described, files: Mapping[str, Path]) -> None:
    """Put an artifact into a repository, with its POM, checksums, and the list of its versions: this one.

    files: by what follows name and version in their own name, such as ".aar" or "-sources.jar"; they are moved.
    """
    at = described.coordinates
    folder = repository / at.folder
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, file in files.items():
        place = folder / f"{at.name}-{at.version}{suffix}"
        file.replace(place)
        _write_checksums(place)
    pom = folder / f"{at.name}-{at.version}.pom"
    pom.write_bytes(pom_text(described).encode())
    _write_checksums(pom)
    metadata = folder.parent / "maven-metadata.xml"
    metadata.write_bytes(_metadata(at).encode())
    _write_checksums(metadata)


def pom_text(described: Described) -> str:
    """An artifact's POM (Maven's model 4.0.0)."""
    at = described.coordinates
    licences = "".join(
        f"    <license>\n      <name>{xml_text(name)}</name>\n    </license>\n" for name in described.licences
    )
    needed = "".join(map(_dependency, described.dependencies))
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{at.group}</groupId>
  <artifactId>{at.name}</artifactId>
  <version>{at.version}</version>
  <packaging>aar</packaging>
  <name>{xml_text(described.title)}</name>
  <description>{xml_text(described.description)}</description>
  <licenses>
{licences}  </licenses>
  <dependencies>
{needed}  </dependencies>
</project>
"""


def _dependency(needed: Dependency) -> str:
    at = needed.coordinates
    kind = "" if needed.type == "jar" else f"      <type>{needed.type}</type>\n"
    return f"""\
    <dependency>
      <groupId>{at.group}</groupId>
      <artifactId>{at.name}</artifactId>
      <version>{at.version}</version>
{kind}      <scope>{needed.scope}</scope>
    </dependency>
"""


def _metadata(at: Coordinates) -> str:
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{at.group}</groupId>
  <artifactId>{at.name}</artifactId>
  <versioning>
    <latest>{at.version}</latest>
    <release>{at.version}</release>
    <versions>
      <version>{at.version}</version>
    </versions>
  </versioning>
</metadata>
"""


def _write_checksums(path: Path) -> None:
    digests = [hashlib.new(kind, usedforsecurity=False) for kind in _CHECKSUMS]
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            for digest in digests:
                digest.update(piece)
    for kind, digest in zip(_CHECKSUMS, digests, strict=True):
        path.with_name(f"{path.name}.{kind}").write_text(digest.hexdigest(), encoding="ascii")


def write_archive(path: Path, entries: Mapping[str, Content], progress: Progress = SILENT) -> Path:
    """Write a ZIP of stored entries, in their order; the same entries give the same bytes."""
    size = sum(len(each) if isinstance(each, bytes) else each.stat().st_size for each in entries.values())
    with (
        progress.step(f"write {path.name}", size, "bytes") as advance,
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            if isinstance(content, bytes):
                archive.writestr(entry, content)
                advance(len(content))
                continue
            entry.file_size = content.stat().st_size
            with content.open("rb") as reading, archive.open(entry, "w") as writing:
                while piece := reading.read(_PIECE):
                    writing.write(piece)
                    advance(len(piece))
    return path
