"""Where a delivery lies: a folder, or a host that is asked over HTTP(S), with nothing but the standard library."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from edgekit.bundle.delivery.index import INDEX_NAME
from edgekit.errors import InputError
from edgekit.files.within import open_regular

_SECONDS: Final = 30
_SCHEMES: Final = ("http://", "https://")


class FaultError(Exception):
    """A file that cannot be had; the message says why."""


class Body(Protocol):
    """What is read of a file."""

    def read(self, count: int, /) -> bytes:
        """The next bytes; none at the end."""


class Place(Protocol):
    """Where the files of a delivery are."""

    def opened(self, name: str) -> AbstractContextManager[Body]:
        """Open a file by its path below the delivery. Raises FaultError, also while it is read."""


@dataclass(frozen=True)
class Folder:
    """A directory. Links in it are not followed."""

    path: Path

    @contextmanager
    def opened(self, name: str) -> Iterator[Body]:
        """Open a file."""
        try:
            with open(open_regular(self.path / name), "rb", buffering=0) as file:  # noqa: PTH123
                yield file
        except FileNotFoundError as error:
            raise FaultError("is missing") from error
        except OSError as error:
            raise FaultError(f"cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Host:
    """An address below which the files lie, as apps ask for them; a redirection is followed, but not out of TLS."""

    address: str

    @contextmanager
    def opened(self, name: str) -> Iterator[Body]:
        """Ask for a file."""
        request = urllib.request.Request(  # noqa: S310 - `find_place` has looked at the scheme
            f"{self.address.rstrip('/')}/{name}",
            headers={"Accept-Encoding": "identity", "Cache-Control": "no-cache"},
        )
        opener = urllib.request.build_opener(_Redirections)
        try:
            with opener.open(request, timeout=_SECONDS) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise FaultError("the host compresses it, although it was asked not to")
                yield response
        except urllib.error.HTTPError as error:
            raise FaultError(f"the host answers {error.code} {error.reason}") from error
        except http.client.IncompleteRead as error:
            raise FaultError("the host breaks off") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise FaultError(f"cannot be fetched: {getattr(error, 'reason', error)}") from error


class _Redirections(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, request: urllib.request.Request, *rest: object
    ) -> urllib.request.Request | None:
        target = str(rest[-1])
        kept = _SCHEMES[1:] if request.full_url.startswith(_SCHEMES[1]) else _SCHEMES
        if not target.startswith(kept):
            raise FaultError("the host redirects to an address without TLS")
        return super().redirect_request(request, *rest)  # type: ignore[arg-type]


def is_delivery(place: str) -> bool:
    """Tell whether a place is an address, or a folder with an index; the index itself will do."""
    return (
        place.startswith(_SCHEMES) or Path(place).name == INDEX_NAME or (Path(place) / INDEX_NAME).is_file()
    )


def find_place(place: str) -> Place:
    """Return the place that a folder, an index or an address is. Raises InputError when there is no such folder."""
    if place.startswith(_SCHEMES):
        return Host(place.removesuffix(INDEX_NAME))
    path = Path(place)
    folder = path.parent if path.name == INDEX_NAME else path
    if not folder.is_dir():
        raise InputError("no such directory", where=place, remedy="name a delivery's folder, or its address")
    return Folder(folder)
