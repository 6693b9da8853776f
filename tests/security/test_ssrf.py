"""No spelling, no name, no redirect and no change of mind of a resolver leads the fetcher into a private network."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpcore
import pytest
from protego import Protego

from pipeline.adapters.http import HttpFetcher
from pipeline.adapters.memory import MemoryClock
from pipeline.adapters.memory_http import Page
from pipeline.adapters.public_only import is_public
from pipeline.errors import RetryLater
from tests.fixtures.site import Site

PUBLIC = "93.184.215.14"
"""Looked up, never connected to: each test proves it."""


@pytest.fixture
def inside() -> Iterator[Site]:
    """A service of the own network, which must not hear anything."""
    with Site() as site:
        site.pages["/secret"] = Page(b"inside")
        yield site


@pytest.fixture
def fetcher() -> Iterator[HttpFetcher]:
    with closing(HttpFetcher(MemoryClock(), user_agent="depeche", delay=0)) as strict:
        yield strict


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Return a table to fill: a name → what it leads to at each look, the last one for ever."""
    table: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in table:
            return real(host, port, *rest, **more)
        answers = table[name]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port or 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return table


def port_of(site: Site) -> str:
    return site.host.partition(":")[2]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ],
)
def test_no_spelling_of_loopback_gets_there(fetcher: HttpFetcher, inside: Site, host: str) -> None:
    with contextlib.suppress(RetryLater):  # on this machine it is no address at all
        response = fetcher.get(f"http://{host}:{port_of(inside)}/secret")
        assert (response.status, response.body) == (0, b"")
    assert inside.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "240.0.0.1",
        "0.1.2.3",
        "::1",
        "::",
        "64:ff9b:1::1",
        "fe80::1",
        "fe80::1%lo",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_addresses_of_private_networks_are_known_as_such(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are_known_as_such(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254"], ids=["loopback", "own network", "metadata"]
)
def test_a_name_that_leads_into_a_private_network_is_refused(
    fetcher: HttpFetcher, inside: Site, names: dict[str, list[list[str]]], address: str
) -> None:
    names["interne.example"] = [[address]]
    response = fetcher.get(f"http://interne.example:{port_of(inside)}/secret")
    assert "private network" in response.headers["x-error"]
    assert inside.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    fetcher: HttpFetcher, inside: Site, names: dict[str, list[list[str]]]
) -> None:
    names["melange.example"] = [[PUBLIC, "127.0.0.1"]]
    assert fetcher.get(f"http://melange.example:{port_of(inside)}/secret").status == 0
    assert inside.asked == []


def test_a_name_bound_anew_between_look_and_connection_gets_nowhere(
    fetcher: HttpFetcher, inside: Site, names: dict[str, list[list[str]]]
) -> None:
    origin = f"http://tournant.example:{port_of(inside)}"
    host = fetcher._host(origin)
    host.robots, host.robots_until = Protego.parse(""), float("inf")
    names["tournant.example"] = [[PUBLIC], ["127.0.0.1"]]
    response = fetcher.get(f"{origin}/secret")
    assert response.headers["x-error"].endswith("leads into a private network")
    assert inside.asked == []


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    fetcher: HttpFetcher, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looks: before the page, before robots.txt, for the connection. Whoever looked again would be led inside.
    names["tournant.example"] = [[PUBLIC], [PUBLIC], [PUBLIC], ["127.0.0.1"]]
    connected: list[str] = []

    def connect(_: Any, host: str, *__: Any, **___: Any) -> Any:
        connected.append(host)
        raise httpcore.ConnectError("no packet leaves this machine")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    with pytest.raises(RetryLater, match="cannot be reached"):
        fetcher.get("http://tournant.example/secret")
    assert connected == [PUBLIC]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://interne.example:{port}/secret",
    ],
)
def test_a_redirect_leads_nowhere_inside(inside: Site, names: dict[str, list[list[str]]], target: str) -> None:
    names["interne.example"] = [["127.0.0.1"]]
    with (
        Site() as outside,
        closing(
            HttpFetcher(MemoryClock(), user_agent="depeche", delay=0, trusted=frozenset({outside.host}))
        ) as fetcher,
    ):
        outside.pages["/a"] = Page(status=302, headers={"location": target.format(port=port_of(inside))})
        assert fetcher.get(outside.origin + "/a").status == 0
    assert inside.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://exemple.fr@127.0.0.1:{port}/secret",
        "http://exemple.fr:80@127.0.0.1:{port}/secret",
        "http://127.0.0.1:{port}@exemple.invalid/secret",
        "http://exemple.fr\\@127.0.0.1:{port}/secret",
        "http://127.0.0.1:{port}\\.exemple.invalid/secret",
        "http://127.0.0.1:{port}#@exemple.invalid/secret",
        "http://127.0.0.1:{port}?@exemple.invalid/secret",
        "http://exemple.invalid/\r\nHost:127.0.0.1",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_GET%20/secret",
        "dict://127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "jar:http://127.0.0.1:{port}!/",
        "unix:///run/docker.sock",
        "http+unix://%2Frun%2Fdocker.sock/",
    ],
)
def test_tricks_with_schemes_and_names_get_nowhere(fetcher: HttpFetcher, inside: Site, url: str) -> None:
    assert fetcher.get(url.format(port=port_of(inside))).status == 0
    assert inside.asked == []


def test_a_password_in_an_address_is_neither_sent_nor_told(inside: Site) -> None:
    with closing(HttpFetcher(MemoryClock(), user_agent="depeche", delay=0, allow_private=True)) as open_one:
        response = open_one.get(f"http://lecteur:s3same@{inside.host}/secret")
    assert response.status == 0
    assert "s3same" not in f"{response}"
    assert inside.asked == []


@pytest.mark.parametrize("port", [22, 25, 53, 445])
def test_ports_of_other_services_are_not_asked(
    fetcher: HttpFetcher, names: dict[str, list[list[str]]], port: int
) -> None:
    names["exemple.fr"] = [[PUBLIC]]
    assert "none of the web" in fetcher.get(f"http://exemple.fr:{port}/").headers["x-error"]


def test_whom_it_is_allowed_may_go_inside_and_takes_nobody_along(inside: Site) -> None:
    with closing(HttpFetcher(MemoryClock(), user_agent="depeche", delay=0)) as strict:
        assert strict.behaving(allow_private=True).get(inside.origin + "/secret").body == b"inside"
        asked = len(inside.asked)
        assert strict.get(inside.origin + "/secret").status == 0
        assert len(inside.asked) == asked
