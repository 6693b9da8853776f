"""The demo feed's server: it sends files as they lie there, and does not send twice what a client has."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from pipeline.operate.feed_server import FeedServer


class SilentServer(FeedServer):
    def __init__(self, root: Path) -> None:
        super().__init__(root)

        class Silent(self.RequestHandlerClass):  # type: ignore[name-defined]
            def log_request(self, *_: object) -> None: ...

        self.RequestHandlerClass = Silent


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, httpx.Client]]:
    root = tmp_path / "site"
    root.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    server = SilentServer(root)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with httpx.Client(base_url=server.origin, trust_env=False) as client:
        yield root, client
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("feed.xml", "application/rss+xml"),
        ("feed.atom", "application/atom+xml"),
        ("page.html", "text/html; charset=utf-8"),
        ("robots.txt", "text/plain; charset=utf-8"),
        ("image.bin", "application/octet-stream"),
    ],
)
def test_a_file_is_sent_byte_for_byte_under_its_type(
    site: tuple[Path, httpx.Client], name: str, media_type: str
) -> None:
    root, client = site
    (root / name).write_bytes(b"{origin} \xe9t\xe9")
    answer = client.get(f"/{name}?utm_source=x")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        b"{origin} \xe9t\xe9",
        media_type,
    )


def test_what_the_client_has_is_not_sent_again_until_it_changes(site: tuple[Path, httpx.Client]) -> None:
    root, client = site
    file = root / "a.html"
    file.write_text("un")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    first = client.get("/a.html").headers
    assert client.get("/a.html", headers={"If-None-Match": first["etag"]}).status_code == 304
    assert client.get("/a.html", headers={"If-Modified-Since": first["last-modified"]}).status_code == 304
    assert client.get("/a.html", headers={"If-Modified-Since": "n'importe quoi"}).status_code == 200
    file.write_text("deux")
    both = {"If-None-Match": first["etag"], "If-Modified-Since": first["last-modified"]}
    assert client.get("/a.html", headers=both).text == "deux"
    assert client.get("/a.html", headers={"If-Modified-Since": first["last-modified"]}).text == "deux"


@pytest.mark.parametrize("path", ["/none.html", "/", "/%2e%2e/secret.txt", "/..%2fsecret.txt"])
def test_nothing_but_files_below_the_root_is_served(site: tuple[Path, httpx.Client], path: str) -> None:
    _, client = site
    assert client.get(path).status_code == 404
