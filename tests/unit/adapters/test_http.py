"""The real HTTP client against a real site on loopback: its manners and its limits."""

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.inflate import Broken, inflate
from pipeline.adapters.memory import MemoryClock
from pipeline.adapters.memory_http import Page
from pipeline.errors import RetryLater
from tests.fixtures.site import Site, dead_host

MIB = 2**20
AGENT = "depeche/0.1 (+https://depeche.example/contact)"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as started:
        yield started


@pytest.fixture
def open_fetcher() -> Iterator[Callable[..., HttpFetcher]]:
    opened: list[HttpFetcher] = []

    def open_one(clock: Any = None, **options: Any) -> HttpFetcher:
        given = {"user_agent": AGENT, "delay": 0.0, "allow_private": True} | options
        opened.append(HttpFetcher(clock or MemoryClock(), **given))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


Opener = Callable[..., HttpFetcher]


def test_every_request_names_us_and_how_to_reach_us(site: Site, open_fetcher: Opener) -> None:
    open_fetcher().get(site.origin + "/a", etag='"x"', last_modified="Tue, 03 Feb 2026 10:00:00 GMT")
    assert {asked.headers["user-agent"] for asked in site.asked} == {AGENT}
    page = site.asked[-1].headers
    assert page["if-none-match"] == '"x"'
    assert page["if-modified-since"] == "Tue, 03 Feb 2026 10:00:00 GMT"
    assert page["accept-encoding"] == "gzip"


def test_robots_txt_is_read_once_a_day_and_its_redirects_are_followed(site: Site, open_fetcher: Opener) -> None:
    site.pages["/robots.txt"] = Page(status=301, headers={"location": "/regles.txt"})
    site.pages["/regles.txt"] = Page(b"User-agent: depeche\nDisallow: /prive\n")
    clock = MemoryClock()
    fetcher = open_fetcher(clock)
    for _ in range(3):
        assert fetcher.get(site.origin + "/prive").status == 0
    assert site.paths() == ["/robots.txt", "/regles.txt"]
    clock.sleep(24 * 3600)
    site.pages["/regles.txt"] = Page(b"")
    assert fetcher.get(site.origin + "/prive").status == 404


@pytest.mark.parametrize(("crawl_delay", "pause"), [(b"", 2.0), (b"Crawl-delay: 5\n", 5.0), (b"Crawl-delay: 1\n", 2.0)])
def test_two_requests_to_a_host_lie_a_pause_apart(
    site: Site, open_fetcher: Opener, crawl_delay: bytes, pause: float
) -> None:
    site.pages["/robots.txt"] = Page(b"User-agent: *\n" + crawl_delay)
    clock = MemoryClock()
    fetcher = open_fetcher(clock, delay=2.0)
    fetcher.get(site.origin + "/a")
    began = clock.monotonic()
    fetcher.get(site.origin + "/b")
    fetcher.get(site.origin + "/c")
    assert clock.monotonic() - began == pytest.approx(2 * pause)


def test_a_source_may_ask_for_a_longer_pause_and_shares_what_is_known_of_hosts(
    site: Site, open_fetcher: Opener
) -> None:
    clock = MemoryClock()
    common = open_fetcher(clock, delay=1.0)
    slow = common.behaving(delay=30.0)
    slow.get(site.origin + "/a")
    began = clock.monotonic()
    common.get(site.origin + "/b")
    assert clock.monotonic() - began == pytest.approx(30.0)
    assert site.paths().count("/robots.txt") == 1


def test_one_host_is_asked_one_question_at_a_time(site: Site, open_fetcher: Opener) -> None:
    fetcher = open_fetcher(SystemClock())
    threads = [threading.Thread(target=fetcher.get, args=(f"{site.origin}/{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.asked) >= 9
    assert site.most_busy == 1


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "169.254.169.254", "[::ffff:10.0.0.1]"]
)
def test_private_addresses_are_refused(open_fetcher: Opener, host: str) -> None:
    response = open_fetcher(allow_private=False).get(f"http://{host}/a")
    assert response.status == 0
    assert "private" in response.headers["x-error"]


def test_private_addresses_are_fetched_for_whom_it_is_allowed(site: Site, open_fetcher: Opener) -> None:
    strict = open_fetcher(allow_private=False)
    assert strict.get(site.origin + "/a").status == 0
    assert strict.behaving(allow_private=True).get(site.origin + "/a").status == 404
    assert open_fetcher(allow_private=False, trusted=frozenset({site.host})).get(site.origin + "/a").status == 404


def test_a_redirect_into_a_private_network_is_refused(site: Site, open_fetcher: Opener) -> None:
    site.pages["/a"] = Page(status=302, headers={"location": "http://169.254.169.254/latest/meta-data"})
    fetcher = open_fetcher(allow_private=False, trusted=frozenset({site.host}))
    response = fetcher.get(site.origin + "/a")
    assert (response.status, response.url) == (0, "http://169.254.169.254/latest/meta-data")


def test_retry_after_may_be_a_date(site: Site, open_fetcher: Opener) -> None:
    clock = MemoryClock()
    until = format_datetime(clock.now() + timedelta(minutes=10), usegmt=True)
    site.pages["/a"] = Page(status=503, headers={"retry-after": until})
    with pytest.raises(RetryLater) as told:
        open_fetcher(clock).get(site.origin + "/a")
    assert told.value.after_seconds == 600


@pytest.mark.parametrize(
    ("header", "seconds"), [({}, 60), ({"retry-after": "bientôt"}, 60), ({"retry-after": "9" * 9}, 21600)]
)
def test_any_429_is_a_wait_of_a_sensible_length(
    site: Site, open_fetcher: Opener, header: dict[str, str], seconds: float
) -> None:
    site.pages["/a"] = Page(status=429, headers=header)
    with pytest.raises(RetryLater) as told:
        open_fetcher().get(site.origin + "/a")
    assert told.value.after_seconds == seconds


def test_a_short_wait_is_waited_out(site: Site, open_fetcher: Opener) -> None:
    clock = MemoryClock()
    fetcher = open_fetcher(clock)
    site.pages["/a"] = Page(status=429, headers={"retry-after": "20"})
    with pytest.raises(RetryLater):
        fetcher.get(site.origin + "/a")
    site.pages["/a"] = Page(b"texte")
    began = clock.monotonic()
    assert fetcher.get(site.origin + "/a").status == 200
    assert clock.monotonic() - began == pytest.approx(20)


def test_a_dead_host_is_not_knocked_at_for_a_minute(open_fetcher: Opener) -> None:
    clock = MemoryClock()
    fetcher = open_fetcher(clock)
    with dead_host() as host:
        with pytest.raises(RetryLater, match="cannot be reached"):
            fetcher.get(f"http://{host}/a")
        with pytest.raises(RetryLater, match=f"{host}/robots.txt cannot be reached"):
            fetcher.get(f"http://{host}/b")
    assert clock.monotonic() == 0


def test_a_gzip_bomb_stays_small(site: Site, open_fetcher: Opener) -> None:
    bomb = gzip.compress(bytes(200 * MIB), compresslevel=9)
    site.pages["/a"] = Page(bomb, headers={"content-encoding": "gzip"})
    fetcher = open_fetcher()
    fetcher.get(site.origin + "/robots.txt")
    tracemalloc.start()
    try:
        response = fetcher.get(site.origin + "/a")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(response.body), response.truncated) == (10 * MIB, True)
    assert peak < 40 * MIB


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_an_encoding_that_was_not_asked_for_is_not_unpacked(site: Site, open_fetcher: Opener, encoding: str) -> None:
    site.pages["/a"] = Page(gzip.compress(gzip.compress(b"texte")), headers={"content-encoding": encoding})
    with pytest.raises(RetryLater, match="not asked for"):
        open_fetcher().get(site.origin + "/a")


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(b"texte" * 1000)[:-20]], ids=["other", "short"])
def test_a_broken_gzip_body_is_tried_later_and_the_host_stays_open(
    site: Site, open_fetcher: Opener, body: bytes
) -> None:
    site.pages["/a"] = Page(body, headers={"content-encoding": "gzip"})
    fetcher = open_fetcher()
    with pytest.raises(RetryLater, match="gzip"):
        fetcher.get(site.origin + "/a")
    assert fetcher.get(site.origin + "/b").status == 404


def test_an_answer_cut_off_in_the_middle_is_tried_later(site: Site, open_fetcher: Opener) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"le debut")
        handler.close_connection = True

    site.pages["/a"] = hang_up
    with pytest.raises(RetryLater, match="cannot be fetched"):
        open_fetcher().get(site.origin + "/a")


def test_a_site_that_drips_is_cut_off_in_time(site: Site, open_fetcher: Opener) -> None:
    gone = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while not gone.wait(0.02):
                handler.wfile.write(b"x")
        except OSError:
            gone.set()

    site.pages["/a"] = drip
    began = time.monotonic()
    try:
        with pytest.raises(RetryLater, match="still answering"):
            open_fetcher(SystemClock(), timeout=0.4).get(site.origin + "/a")
    finally:
        gone.set()
    assert time.monotonic() - began < 10


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


@given(
    st.lists(st.binary(max_size=200_000), max_size=3),
    st.lists(st.integers(0, 5000), max_size=5),
    st.integers(0, 250_000),
    st.integers(0, 3),
)
def test_gzip_of_any_size_and_cut_comes_out_as_it_went_in(
    parts: list[bytes], sizes: list[int], limit: int, zeros: int
) -> None:
    packed, whole = b"".join(map(gzip.compress, parts)) + bytes(zeros if parts else 0), b"".join(parts)
    got = b"".join(inflate(cut(packed, sizes), "gzip", limit))
    assert got[:limit] == whole[:limit]
    assert (len(got) > limit) == (len(whole) > limit)
    assert len(got) <= limit + 2 * 64 * 1024


@given(st.binary(max_size=500))
def test_bytes_that_are_no_gzip_are_broken_and_nothing_else(noise: bytes) -> None:
    try:
        got = b"".join(inflate(iter([noise]), "gzip", 1000))
    except Broken:
        return
    assert got == (zlib.decompressobj(31).decompress(noise, 1000) if noise else b"")
