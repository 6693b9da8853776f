"""A folder as an object store."""

import os
from pathlib import Path

import pytest

from pipeline.adapters.files import DirectoryStore
from pipeline.errors import RetryLater


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "1.txt").write_bytes(b"un")
    (tmp_path / "a" / "b" / "2.txt").write_bytes(b"deux")
    (tmp_path / "z.txt").write_bytes(b"z")
    (tmp_path / "a" / ".hidden").write_bytes(b"-")
    return tmp_path


def test_names_are_paths_listed_in_order(root: Path) -> None:
    store = DirectoryStore(root)
    assert [info.key for info in store.list("")] == ["a/1.txt", "a/b/2.txt", "z.txt"]
    assert [info.key for info in store.list("a/")] == ["a/1.txt", "a/b/2.txt"]
    assert [info.key for info in store.list("a/b/2")] == ["a/b/2.txt"]
    assert [info.key for info in store.list("", after="a/1.txt")] == ["a/b/2.txt", "z.txt"]
    assert list(store.list("nowhere/")) == []


def test_bytes_come_whole_or_from_their_beginning(root: Path) -> None:
    store = DirectoryStore(root)
    assert (store.get("a/b/2.txt"), store.get("a/b/2.txt", 2)) == (b"deux", b"de")
    for missing in ("a/3.txt", "a"):
        with pytest.raises(KeyError):
            store.get(missing)
    assert store.head("a/3.txt") is None


def test_the_etag_changes_with_the_file_and_not_without(root: Path) -> None:
    store = DirectoryStore(root)
    (before,) = store.list("z")
    assert next(store.list("z")) == before
    (root / "z.txt").write_bytes(b"other")
    os.utime(root / "z.txt", (1, 1))
    (after,) = store.list("z")
    assert (after.etag != before.etag, after.size) == (True, 5)
    found = store.head("z.txt")
    assert found is not None
    assert found[0] == after


def test_a_name_is_given_once(root: Path) -> None:
    store = DirectoryStore(root)
    assert store.create("new/c.txt", b"c")
    assert not store.create("new/c.txt", b"other")
    assert store.get("new/c.txt") == b"c"
    assert [info.key for info in store.list("new/")] == ["new/c.txt"]


def test_nothing_outside_the_folder_can_be_reached(root: Path) -> None:
    inner = DirectoryStore(root / "a")
    (root / "a" / "link.txt").symlink_to(root / "z.txt")
    assert [info.key for info in inner.list("")] == ["1.txt", "b/2.txt"]
    for name in ("../z.txt", "link.txt", "/etc/passwd"):
        with pytest.raises(ValueError, match="leads out"):
            inner.get(name)


def test_a_file_that_cannot_be_read_is_tried_later(root: Path) -> None:
    (root / "deep").write_bytes(b"x")
    with pytest.raises(RetryLater, match="cannot be read"):
        DirectoryStore(root).get("deep/under.txt")
