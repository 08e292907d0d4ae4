"""Files in a folder of this machine."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from wabot.core.media import Stored

ABANDONED = 24 * 60 * 60
"""Seconds after which a part of a file is taken for that of a process that was killed."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}(\.[a-z0-9]{1,8})?")
_PART = ".part"


class FolderStore:
    """A `core.media.MediaStore`. The folder is made when it is needed; only its owner may read in it.

    A file is there whole or not at all, whoever is killed whenever. `path` is `3f/<name>`: by the hash of
    the name, so that no folder holds them all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, chunks: Iterable[bytes]) -> Stored:
        """See `MediaStore.put`. A name is lower-case letters, digits, `-` and `_`, and a short ending."""
        path = self._path_of(name)
        place = self._folder / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(suffix=_PART, prefix=".", dir=place.parent)
        part = Path(written)
        try:
            with os.fdopen(handle, "wb") as file:
                stored = _write(file, chunks, path)
            part.replace(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _keep_name(place.parent)
        _sweep(place.parent, place)
        return stored

    def open(self, path: str) -> BinaryIO:
        """See `MediaStore.open`."""
        return (self._folder / self._known(path)).open("rb")

    def remove(self, path: str) -> None:
        """See `MediaStore.remove`."""
        (self._folder / self._known(path)).unlink(missing_ok=True)

    def _known(self, path: str) -> str:
        name = path.partition("/")[2]
        if path != self._path_of(name):
            raise ValueError(f'"{path[:100]}" is no path in the store')
        return path

    @staticmethod
    def _path_of(name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name[:100]}" is no name for a file in the store')
        return f"{hashlib.sha256(name.encode()).hexdigest()[:2]}/{name}"


def _write(file: BinaryIO, chunks: Iterable[bytes], path: str) -> Stored:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    return Stored(path, size, digest.hexdigest())


def _keep_name(folder: Path) -> None:
    """The name outlives a power cut too, not the content alone."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path, newest: Path) -> None:
    """Delete what processes left half-written that were killed a day before `newest` was written."""
    for part in folder.glob(f".*{_PART}"):
        # Another process may do the same.
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < newest.stat().st_mtime - ABANDONED:
                part.unlink()
