"""What every fetcher promises, asked of real HTTP on loopback and of its memory twin."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import NamedTuple

import pytest

from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.memory import MemoryClock
from pipeline.adapters.memory_http import MemoryFetcher, Page
from pipeline.errors import RetryLater
from pipeline.ports import Fetcher
from tests.fixtures.site import Site, dead_host

LIMIT = 100_000


class World(NamedTuple):
    origin: str
    fetcher: Fetcher
    clock: MemoryClock
    put: Callable[[str, Page], None]
    asked: Callable[[], list[str]]
    dead: str
    """The address of a host that does not answer."""


@pytest.fixture(params=["memory", "http"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    clock = MemoryClock()
    if request.param == "memory":
        pages: dict[str, Page] = {}
        twin = MemoryFetcher(clock, pages, max_bytes=LIMIT)
        twin.down.add("mort.example")
        origin = "http://presse.example"
        yield World(
            origin,
            twin,
            clock,
            lambda path, page: pages.__setitem__(origin + path, page),
            lambda: [url.removeprefix(origin) for url in twin.asked],
            "http://mort.example/a",
        )
        return
    real = HttpFetcher(clock, user_agent="depeche", max_bytes=LIMIT, delay=0, allow_private=True)
    with Site() as site, closing(real), dead_host() as dead:
        yield World(site.origin, real, clock, site.pages.__setitem__, site.paths, f"http://{dead}/a")


def test_a_page_comes_with_its_final_address_and_lower_case_headers(world: World) -> None:
    world.put("/a", Page(b"<p>Bonjour</p>", headers={"content-type": "text/html; charset=utf-8", "etag": '"1"'}))
    response = world.fetcher.get(world.origin + "/a")
    assert (response.status, response.url, response.body) == (200, world.origin + "/a", b"<p>Bonjour</p>")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert not response.truncated


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({"etag": '"1"'}, {"etag": '"1"'}),
        ({"last-modified": "Tue, 03 Feb 2026 10:00:00 GMT"}, {"last_modified": "Tue, 03 Feb 2026 10:00:00 GMT"}),
    ],
)
def test_what_did_not_change_is_not_sent_again(world: World, sent: dict[str, str], asked: dict[str, str]) -> None:
    world.put("/a", Page(b"texte", headers=sent))
    assert world.fetcher.get(world.origin + "/a", **asked).status == 304
    assert world.fetcher.get(world.origin + "/a", etag='"other"').status == 200


@pytest.mark.parametrize("status", [404, 410, 500, 503])
def test_a_refusal_by_the_site_is_an_answer(world: World, status: int) -> None:
    world.put("/a", Page(b"non", status))
    assert world.fetcher.get(world.origin + "/a").status == status


def test_robots_txt_is_obeyed_and_its_refusal_says_so(world: World) -> None:
    world.put("/robots.txt", Page(b"User-agent: *\nDisallow: /prive/\n"))
    world.put("/prive/a", Page(b"secret"))
    world.put("/a", Page(b"public"))
    refused = world.fetcher.get(world.origin + "/prive/a")
    assert (refused.status, refused.body) == (0, b"")
    assert "robots.txt" in refused.headers["x-error"]
    assert "/prive/a" not in world.asked()
    assert world.fetcher.get(world.origin + "/a").body == b"public"


def test_robots_txt_that_cannot_be_had_is_no_permission(world: World) -> None:
    world.put("/robots.txt", Page(status=500))
    world.put("/a", Page(b"public"))
    with pytest.raises(RetryLater, match="no permission"):
        world.fetcher.get(world.origin + "/a")
    assert "/a" not in world.asked()


def test_redirects_are_followed_to_the_final_address(world: World) -> None:
    world.put("/a", Page(status=301, headers={"location": "/b"}))
    world.put("/b", Page(status=302, headers={"location": f"{world.origin}/c"}))
    world.put("/c", Page(b"ici"))
    response = world.fetcher.get(world.origin + "/a")
    assert (response.status, response.url, response.body) == (200, world.origin + "/c", b"ici")


def test_a_redirect_loop_ends(world: World) -> None:
    world.put("/a", Page(status=302, headers={"location": "/b"}))
    world.put("/b", Page(status=302, headers={"location": "/a"}))
    response = world.fetcher.get(world.origin + "/a")
    assert response.status == 0
    assert "redirects" in response.headers["x-error"]


def test_a_redirect_to_a_forbidden_page_is_refused(world: World) -> None:
    world.put("/robots.txt", Page(b"User-agent: *\nDisallow: /prive/\n"))
    world.put("/a", Page(status=302, headers={"location": "/prive/a"}))
    assert world.fetcher.get(world.origin + "/a").status == 0
    assert "/prive/a" not in world.asked()


@pytest.mark.parametrize(("size", "truncated"), [(LIMIT - 1, False), (LIMIT, False), (LIMIT + 1, True)])
def test_a_body_is_cut_at_the_limit_and_says_so(world: World, size: int, truncated: bool) -> None:
    world.put("/a", Page(b"x" * size))
    response = world.fetcher.get(world.origin + "/a")
    assert (len(response.body), response.truncated) == (min(size, LIMIT), truncated)


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_to_wait_is_left_alone_for_so_long(world: World, status: int) -> None:
    world.put("/a", Page(status=status, headers={"retry-after": "600"}))
    world.put("/b", Page(b"texte"))
    with pytest.raises(RetryLater, match="600") as told:
        world.fetcher.get(world.origin + "/a")
    assert told.value.after_seconds == 600
    with pytest.raises(RetryLater) as again:
        world.fetcher.get(world.origin + "/b")
    assert again.value.after_seconds == 600
    assert "/b" not in world.asked()
    world.clock.sleep(601)
    assert world.fetcher.get(world.origin + "/b").status == 200


def test_a_host_that_does_not_answer_is_tried_later(world: World) -> None:
    with pytest.raises(RetryLater) as told:
        world.fetcher.get(world.dead)
    assert told.value.after_seconds is None


@pytest.mark.parametrize("url", ["ftp://presse.example/a", "javascript:void(0)", "", "http://", "/a"])
def test_only_http_is_fetched(world: World, url: str) -> None:
    response = world.fetcher.get(url)
    assert response.status == 0
    assert "no http address" in response.headers["x-error"]
