"""What a worker says of itself over HTTP."""

import json
import socket
import threading
from http.client import HTTPConnection

import pytest

from pipeline.adapters.health import served
from pipeline.adapters.memory import MemoryClock
from pipeline.errors import Misconfigured
from pipeline.pulse import Pulse
from tests.fixtures.servers import free_ports


def ask(port: int, path: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, json.loads(body) if body.startswith(b"{") else {}


def test_a_worker_is_ready_when_its_turn_did_its_work_and_alive_while_it_turns() -> None:
    clock = MemoryClock()
    pulse = Pulse(clock)
    (port,) = free_ports(1)
    with served("127.0.0.1", port, pulse, 300):
        assert ask(port, "/healthz")[0] == 200
        status, said = ask(port, "/readyz")
        assert (status, said["trouble"]) == (503, "it is still starting")
        pulse.beat()
        assert ask(port, "/readyz")[0] == 200
        pulse.beat("the broker is down")
        status, said = ask(port, "/readyz")
        assert (status, said["trouble"], said["turns"]) == (503, "the broker is down", 2)
        assert ask(port, "/healthz")[0] == 200, "to start it again would not bring the broker back"
        pulse.beat()
        clock.sleep(301)
        assert ask(port, "/healthz")[0] == ask(port, "/readyz")[0] == 503
        assert ask(port, "/elsewhere")[0] == 404


def test_a_taken_port_is_a_setting_to_mend() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(Misconfigured, match="DEPECHE_HEALTH_PORT"),
            served("127.0.0.1", taken.getsockname()[1], Pulse(MemoryClock()), 300),
        ):
            pass


def test_without_a_port_nothing_listens() -> None:
    before = threading.enumerate()
    with served("no such host", 0, Pulse(MemoryClock()), 300):
        assert threading.enumerate() == before
