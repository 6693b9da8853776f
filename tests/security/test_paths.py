"""Names that come from outside lead nowhere outside: not as files, not as objects, not as reports."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.files import DirectoryStore
from pipeline.errors import DepecheError, Misconfigured
from pipeline.fetch import KINDS, Source, pull, read_catalogue
from pipeline.identity import article_id
from pipeline.operate import nightly
from pipeline.operate.feed_server import FeedServer
from tests.flow.world import World, drain

SECRET = b"nobody's business"
HOSTILE = [
    "../secret.txt",
    "a/../../secret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "..",
    ".",
    "../../../../../../../../etc/passwd",
    "link.txt",
    "folder-link/secret.txt",
    "..\\secret.txt",
    "‥/secret.txt",
    "．．/secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "a\x00/../../secret.txt",
    "\x00",
    "x" * 5000,
    "x/" * 3000 + "../" * 3001 + "secret.txt",
    "~/secret.txt",
    "a\n../secret.txt",
    "",
]


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a folder beside a secret, with links that lead to it."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    root = tmp_path / "inside"
    (root / "a").mkdir(parents=True)
    (root / "a" / "own.txt").write_bytes(b"own")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "folder-link").symlink_to(tmp_path)
    return root


def everything(folder: Path) -> dict[str, bytes]:
    """Return what lies below a folder, links not followed."""
    files = (Path(base) / name for base, _, names in os.walk(folder) for name in names)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if not file.is_symlink()}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_reads_a_file_outside_the_folder(inside: Path, name: str) -> None:
    try:
        found = DirectoryStore(inside).get(name)
    except (KeyError, ValueError, DepecheError):
        return
    assert found != SECRET
    pytest.fail(f"{name!r} was read")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_writes_a_file_outside_the_folder(inside: Path, name: str) -> None:
    before = {key: data for key, data in everything(inside.parent).items() if not key.startswith("inside/")}
    try:
        DirectoryStore(inside).create(name, b"written")
    except (ValueError, OSError, DepecheError):
        pass
    after = {key: data for key, data in everything(inside.parent).items() if not key.startswith("inside/")}
    assert after == before


@given(st.text(max_size=40).map(lambda tail: f"../{tail}"))
def test_whatever_follows_two_dots_is_not_followed(name: str) -> None:
    store = DirectoryStore(Path("/proc/self/fdinfo"))
    with pytest.raises((KeyError, ValueError, DepecheError)):
        store.get(name)


def test_a_source_of_files_reads_no_link_that_leads_out(inside: Path) -> None:
    files: Any = DirectoryStore(inside)
    now = datetime(2026, 2, 3, tzinfo=UTC)

    def read(pattern: str) -> list[Any]:
        source = Source(name="a", kind="text", path=pattern)
        return [item.body for haul in pull(source, None, fetcher=files, files=files, now=now) for item in haul.items]  # type: ignore[union-attr]

    assert read("*.txt") == [b"own"]
    with pytest.raises(DepecheError, match="names no file"):
        read("folder-link/*.txt")


@pytest.mark.parametrize("path", ["../*.txt", "/etc/passwd", "a/../../secret.txt", "a/.."])
def test_a_source_whose_path_leads_out_is_not_declared(path: str) -> None:
    text = f"sources: [{{name: a, kind: text, path: '{path}'}}]"
    with pytest.raises(Misconfigured, match="must lie below"):
        read_catalogue(text, where="sources.yaml", variables={}, kinds=KINDS)


@pytest.mark.parametrize("name", ["../a", "a/b", "a\\b", "a b", "a\n", "a\0", "", "a" * 101, "a;b", "$(a)"])
def test_a_source_has_a_plain_name(name: str) -> None:
    text = msgspec.json.encode({"sources": [{"name": name, "kind": "text", "path": "a"}]}).decode()
    with pytest.raises(Misconfigured):
        read_catalogue(text, where="sources.yaml", variables={}, kinds=KINDS)


KEYS = re.compile(
    r"log/topic=news\.[a-z.]+/p=\d{5}/\d{20}\.json"
    r"|data/topic=news\.[a-z.]+/table=[a-z_]+/dt=\d{4}-\d{2}-\d{2}/p=\d{5}/\d{20}-[0-9a-f-]+\.parquet"
)


def test_nothing_an_article_says_gets_into_the_name_of_an_object(inside: Path) -> None:
    world = World()
    poisoned = [
        msgspec.structs.replace(
            world.raw(number),
            article_id=article_id(source=name, own_id=name or "-") if name else world.raw(number).article_id,
            source=name,
            position=name,
            title=name,
            authors=(name,),
            url=f"https://exemple.fr/{name}",
        )
        for number, name in enumerate(HOSTILE)
    ]
    world.publish(poisoned)
    for step in ("normalise", "enrich"):
        drain(world.transform(step))
    world.store = DirectoryStore(inside / "store")  # type: ignore[assignment]
    drain(world.archive())
    keys = [info.key for info in world.store.list("")]
    assert len(keys) > 10
    assert all(KEYS.fullmatch(key) for key in keys), keys


@pytest.mark.parametrize("day", ["../../2026-02-03", "2026-02-03/../..", "/etc/passwd", "2026-02-03\0", "demain"])
def test_a_night_that_is_no_date_is_refused_before_it_names_a_report(day: str) -> None:
    with pytest.raises((ValueError, DepecheError)):
        nightly.planned([{"host": "-", "sources": []}], day=day, run_type="manual", at=datetime(2026, 2, 3, tzinfo=UTC))


REQUESTS: list[Callable[[str], str]] = [
    lambda name: f"/{name}",
    lambda name: "/" + "".join(f"%{byte:02x}" for byte in name.encode()),
    lambda name: "/" + name.replace("/", "%2f").replace("\x00", "%00"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_demo_feed_serves_nothing_outside_its_folder(inside: Path, name: str) -> None:
    server = FeedServer(inside)
    try:
        for spelled in REQUESTS:
            try:
                found = server.find(spelled(name))
            except (ValueError, OSError):
                continue
            assert found is None or found.body == b"own"
    finally:
        server.server_close()
