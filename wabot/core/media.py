"""Contacts' files: what asks for one, and the port to where they are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

MEDIA = "media"
"""The kind and the name of the effect that fetches a file: flows hear `done.invoke.media`."""

UNASKED = "@"
"""How the key of an effect begins that no flow asked for: no invoke's id can begin so."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the store. `path` is the store's own name for it; `size` in bytes; `sha256` in hex."""

    path: str
    size: int
    sha256: str


class MediaStore(Protocol):
    """Keeps files. `adapters.media.FolderStore` does so in a folder."""

    def put(self, name: str, chunks: Iterable[bytes]) -> Stored:
        """Keep what `chunks` give under a name of ours, in place of what was there; all of it or nothing.

        Raises ValueError for a name that isn't one, OSError where it can't be kept, and what `chunks`
        raises.
        """
        ...

    def open(self, path: str) -> BinaryIO:
        """A stored file, to read. Raises ValueError for a path that no store gave, OSError if it is gone."""
        ...

    def remove(self, path: str) -> None:
        """Forget a file; nothing happens where it is gone already. Raises ValueError as `open`."""
        ...
