import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from wabot.adapters.media import FolderStore
from wabot.adapters.media.folder import ABANDONED
from wabot.core.media import MediaStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "media"


@pytest.fixture
def store(folder: Path) -> FolderStore:
    return FolderStore(folder)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_comes_back_as_it_was_put(store: MediaStore, folder: Path) -> None:
    stored = store.put("a1b2.jpg", [b"one", b"", b"two"])
    assert (stored.size, stored.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())
    with store.open(stored.path) as file:
        assert file.read() == b"onetwo"
    assert files(folder) == ["a1b2.jpg"]


def test_only_its_owner_reads_it(store: FolderStore, folder: Path) -> None:
    place = folder / store.put("a.jpg", [b"x"]).path
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_putting_it_again_takes_the_place_of_the_first(store: FolderStore, folder: Path) -> None:
    first = store.put("a.jpg", [b"first, and longer"])
    second = store.put("a.jpg", [b"second"])
    assert second.path == first.path
    with store.open(second.path) as file:
        assert file.read() == b"second"
    assert files(folder) == ["a.jpg"]


def test_a_removed_file_is_gone_and_may_be_removed_again(store: FolderStore, folder: Path) -> None:
    path = store.put("a.jpg", [b"x"]).path
    store.remove(path)
    store.remove(path)
    assert files(folder) == []
    with pytest.raises(FileNotFoundError):
        store.open(path)


def breaking() -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError("the line broke")


def test_what_breaks_half_way_leaves_what_was_there(store: FolderStore, folder: Path) -> None:
    with pytest.raises(RuntimeError):
        store.put("a.jpg", breaking())
    assert files(folder) == []
    path = store.put("a.jpg", [b"whole"]).path
    with pytest.raises(RuntimeError):
        store.put("a.jpg", breaking())
    with store.open(path) as file:
        assert file.read() == b"whole"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../evil.jpg",
        "a/b.jpg",
        "a\\b",
        "/etc/passwd",
        ".hidden",
        "a..b",
        "a.jpg\n",
        "A.jpg",
        "a b.jpg",
        "a.tar.gz",
        "नाम.jpg",
        "a\x00.jpg",
        "x" * 101,
        "-rf",
    ],
)
def test_a_name_that_leads_elsewhere_is_none(store: FolderStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        store.put(name, [b"x"])
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["", "a.jpg", "00/a.jpg", "../../etc/passwd", "/etc/passwd", "00/../../secret", "00/"]
)
def test_a_path_that_no_store_gave_is_none(store: FolderStore, path: str) -> None:
    with pytest.raises(ValueError, match=r"is no name|is no path"):
        store.open(path)
    with pytest.raises(ValueError, match=r"is no name|is no path"):
        store.remove(path)


def test_what_a_killed_process_left_is_swept_after_a_day(store: FolderStore, folder: Path) -> None:
    place = folder / store.put("a.jpg", [b"x"]).path
    old, young = place.with_name(".abandoned.part"), place.with_name(".at-work.part")
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    moment = place.stat().st_mtime - ABANDONED - 60
    os.utime(old, (moment, moment))
    store.put("a.jpg", [b"y"])
    assert files(folder) == [".at-work.part", "a.jpg"]


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file")
    with pytest.raises(OSError, match="media"):
        FolderStore(tmp_path / "media").put("a.jpg", [b"x"])
