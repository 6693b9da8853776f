"""What every object store promises, asked of a real S3 server, a folder, and the memory twin."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.adapters.files import DirectoryStore
from pipeline.adapters.memory_store import MemoryStore
from pipeline.adapters.s3 import S3Store
from pipeline.errors import Misconfigured, RetryLater
from pipeline.ports import ObjectStore
from tests.fixtures.servers import ACCESS, store_at


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "folder":
        yield DirectoryStore(tmp_path)
    else:
        made = store_at(request.getfixturevalue("s3_port"), f"t-{uuid4().hex[:10]}")
        assert made.ensure_bucket()
        assert not made.ensure_bucket()
        yield made


def test_what_is_created_is_read_back(store: ObjectStore) -> None:
    data = bytes(range(256)) * 10
    assert store.create("a/b.bin", data)
    assert store.get("a/b.bin") == data
    assert store.get("a/b.bin", 3) == data[:3]


def test_a_name_is_given_once_and_never_overwritten(store: ObjectStore) -> None:
    assert store.create("one", b"first")
    assert not store.create("one", b"second")
    assert store.get("one") == b"first"


def test_of_many_writers_at_once_exactly_one_wins(store: ObjectStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: store.create("race", b"%d" % n), range(8)))
    assert won.count(True) == 1
    assert store.get("race") == b"%d" % won.index(True)


def test_what_is_not_there_is_said_so(store: ObjectStore) -> None:
    with pytest.raises(KeyError):
        store.get("absent")
    assert store.head("absent") is None
    assert list(store.list("absent/")) == []


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    assert store.create("empty", b"")
    assert store.get("empty") == b""
    assert store.get("empty", 5) == b""
    found = store.head("empty")
    assert found is not None
    assert found[0].size == 0


def test_head_tells_size_and_time(store: ObjectStore) -> None:
    store.create("x", b"12345")
    found = store.head("x")
    assert found is not None
    info, _ = found
    assert (info.key, info.size) == ("x", 5)
    assert info.modified_at.tzinfo is not None


def test_metadata_is_kept_where_there_is_a_place_for_it(store: ObjectStore) -> None:
    if isinstance(store, DirectoryStore):
        return  # says so in its docstring
    store.create("m", b"", {"end": "17"})
    found = store.head("m")
    assert found is not None
    assert found[1] == {"end": "17"}


def test_a_listing_is_in_key_order_and_starts_behind_a_key(store: ObjectStore) -> None:
    for key in ("p/3", "p/1", "q/1", "p/2"):
        store.create(key, key.encode())
    assert [info.key for info in store.list("p/")] == ["p/1", "p/2", "p/3"]
    assert [info.key for info in store.list("p/", after="p/1")] == ["p/2", "p/3"]
    assert [info.size for info in store.list("q/")] == [3]


def test_a_listing_goes_on_behind_its_first_page(store: ObjectStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.create(f"many/{n:05d}", b""), range(1_050)))
    keys = [info.key for info in store.list("many/")]
    assert keys == [f"many/{n:05d}" for n in range(1_050)]


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out"):
        DirectoryStore(tmp_path / "inside").create("../outside", b"")


def test_a_store_that_is_not_there_is_tried_again_later() -> None:
    absent = S3Store("b", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    with pytest.raises(RetryLater, match="cannot be reached"):
        absent.create("x", b"")


def test_wrong_keys_name_the_settings(s3_port: int) -> None:
    wrong = S3Store("b", endpoint=f"http://127.0.0.1:{s3_port}", access_key=ACCESS, secret_key="wrong")
    with pytest.raises(Misconfigured, match="DEPECHE_S3_SECRET_KEY"):
        wrong.get("x")
