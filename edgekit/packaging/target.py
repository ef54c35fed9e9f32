"""What a target is: something that a bundle can be packaged as; each is a module, or a package, in `targets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from edgekit.progress import Progress

if TYPE_CHECKING:
    from edgekit.device.adb import Device
    from edgekit.packaging.sbom import Part
    from edgekit.packaging.source import Job, Source

Options = TypeVar("Options")


@dataclass(frozen=True)
class Flag:
    """How a field of a target's options is given on the command line: `icon: Annotated[Path | None, Flag("…")]`.

    help: what it is for. names: of the flag, where it is not the field's own. metavar: what stands in the help for its
    value. A flag without a value, of a field that is true or false, turns the field's default over.
    """

    help: str
    names: tuple[str, ...] = ()
    metavar: str | None = None


@dataclass(frozen=True)
class NoOptions:
    """Of a target that needs none."""


@dataclass(frozen=True)
class Written:
    """What a target tells of what it wrote.

    next_steps: commands to type, in which {output} is the output directory. path: the one file that was made, None for
    a directory. beside: other files that belong to it. notes: what the user should know. problems: why it will not do.
    facts: JSON values, under keys of the target's own. told: the same for people, each under a word. parts: what it
    consists of, the bundle's first.
    """

    next_steps: tuple[str, ...]
    path: Path | None = None
    beside: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[tuple[str, str], ...] = ()
    parts: tuple[SizedPart, ...] = ()


@dataclass(frozen=True)
class SizedPart:
    """A part of a package, in bytes. stored: in the file. download: compressed, as a store transfers it."""

    name: str
    stored: int
    download: int


@dataclass(frozen=True)
class Delivered:
    """What was done on a device after writing. serial: its own. said: what was done, for people."""

    serial: str
    said: tuple[str, ...]


def _nothing(*_: object) -> None:
    return None


def _the_bundle(source: Source, _: object) -> tuple[Part, tuple[Part, ...]]:
    from edgekit.packaging.sbom import packaged_part

    return packaged_part(source.manifest), ()


def _no_libraries(options: object) -> Mapping[str, Path]:
    return {}


@dataclass(frozen=True)
class PackageTarget(Generic[Options]):
    """Something that a bundle can be packaged as.

    name: what `--to` takes. about: it in a few words. options: a frozen dataclass with a default for each field; the
    fields that have a `Flag` are flags of `edgekit package`, and it refuses what it cannot use when it is made.
    write: writes into a directory, an empty one that will take the output's place when it is whole. makes: "file" when
    it is the output directory itself, in which one file appears whole beside what else is there.
    made_of: what is written, for its bill of materials, and its parts besides the bundle's.
    refuse: raises EdgekitError for a bundle that is not for this target, before the engine is asked and anything is
    written. libraries: the engine's, by ABI, that go along. deliver: brings what was written to a device where the
    options say so.
    """

    name: str
    about: str
    options: type[Options]
    write: Callable[[Job, Path, Options], Written]
    makes: Literal["folder", "file"] = "folder"
    made_of: Callable[[Source, Options], tuple[Part, tuple[Part, ...]]] = _the_bundle
    refuse: Callable[[Source, Options], None] = _nothing
    libraries: Callable[[Options], Mapping[str, Path]] = _no_libraries
    deliver: Callable[[Source, Path, Options, Progress], Delivered | None] = _nothing


def find_device(serial: str | None) -> Device:
    """Return the one device that is meant; None for the only one. Raises MissingToolError when it is not there."""
    from edgekit.device.adb import ALL, Device, choose_devices, find_adb, list_devices
    from edgekit.errors import InputError

    if serial == ALL:
        raise InputError("one device is needed, not all", where="--device", remedy="name its serial")
    adb = find_adb()
    return Device(adb, choose_devices(list_devices(adb), serial)[0].serial)
