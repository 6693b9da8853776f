"""The client of Airflow's REST API against a small stand-in that answers as Airflow 3.3 does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pipeline.adapters.airflow import Airflow, TaskState
from pipeline.errors import Misconfigured, RetryLater

TASK: dict[str, Any] = {"map_index": -1, "rendered_map_index": None, "try_number": 1, "note": None}


class StandIn:
    """One DAG, `night`, one user, and a run that is one step further at each look."""

    def __init__(self, states: tuple[str, ...] = ("queued", "running", "running", "success")) -> None:
        self.tokens: set[str] = set()
        self.states: Iterator[str] = iter(states)
        self.paused = False
        self.confs: list[dict[str, Any]] = []
        self.notes: dict[str, str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return self._login(json.loads(request.content))
        if request.headers["authorization"].removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401, json={"detail": "Invalid JWT token"})
        match (
            request.method,
            request.url.raw_path.decode().split("?")[0].removeprefix("/api/v2/dags/night").split("/"),
        ):
            case "GET", [""]:
                return httpx.Response(200, json={"is_paused": self.paused})
            case "POST", ["", "dagRuns"]:
                return self._trigger(json.loads(request.content))
            case "GET", ["", "dagRuns", "run%2B1"]:
                return httpx.Response(200, json={"state": next(self.states)})
            case "GET", ["", "dagRuns", "run%2B1", "taskInstances"]:
                return httpx.Response(200, json={"task_instances": list(self._tasks())})
            case "PATCH", ["", "dagRuns", "run%2B1", "taskInstances", task]:
                assert request.url.params["update_mask"] == "note"
                self.notes[task] = json.loads(request.content)["note"]
                return httpx.Response(200, json={})
            case "GET", ["", "dagRuns", "run%2B1", "taskInstances", task]:
                return httpx.Response(200, json={"note": self.notes.get(task)})
        return httpx.Response(404, json={"detail": f"{request.url.path} was not found"})

    def _login(self, body: dict[str, str]) -> httpx.Response:
        if body != {"username": "admin", "password": "sésame"}:
            return httpx.Response(401, json={"detail": "Invalid credentials"})
        self.tokens = {f"token-{len(self.tokens)}"}
        return httpx.Response(201, json={"access_token": next(iter(self.tokens))})

    def _trigger(self, body: dict[str, Any]) -> httpx.Response:
        assert body["logical_date"] is None  # Airflow demands the field
        if body["conf"].get("date") == "hier":
            return httpx.Response(400, json={"detail": "Invalid input for param date: 'hier' is not a 'date'"})
        self.confs.append(body["conf"])
        return httpx.Response(200, json={"dag_run_id": "run+1"})

    def _tasks(self) -> Iterator[dict[str, Any]]:
        yield TASK | {"task_id": "load", "state": None, "start_date": None, "try_number": 0}
        yield TASK | {
            "task_id": "fetch",
            "state": "failed",
            "start_date": "2026-11-20T03:00:02Z",
            "map_index": 1,
        }
        yield TASK | {
            "task_id": "fetch",
            "state": "success",
            "start_date": "2026-11-20T03:00:01Z",
            "map_index": 0,
            "rendered_map_index": "presse.example",
        }


def client(stand_in: StandIn, password: str = "sésame") -> Airflow:
    return Airflow("http://airflow.test/", "admin", password, transport=httpx.MockTransport(stand_in))


def test_a_run_is_started_with_its_conf_and_followed_to_its_end_change_by_change() -> None:
    stand_in, naps = StandIn(), list[float]()
    with client(stand_in) as airflow:
        run = airflow.trigger("night", {"date": "2026-11-20"})
        seen = list(airflow.follow("night", run, sleep=naps.append, every=2.5))

    assert stand_in.confs == [{"date": "2026-11-20"}]
    assert [state.state for state in seen] == ["queued", "running", "success"]
    assert [state.ended for state in seen] == [False, False, True]
    assert naps == [2.5] * 3
    assert seen[-1].tasks == (
        TaskState("fetch", "presse.example", "success", 1, None),
        TaskState("fetch", "1", "failed", 1, None),
        TaskState("load", "", "waiting", 0, None),
    )


def test_a_note_is_written_and_read_back_and_cut_where_airflow_would_refuse_it() -> None:
    stand_in = StandIn()
    with client(stand_in) as airflow:
        assert airflow.note("night", "run+1", "summarise") is None
        airflow.annotate("night", "run+1", "summarise", "**40** articles")
        assert airflow.note("night", "run+1", "summarise") == "**40** articles"
        airflow.annotate("night", "run+1", "summarise", "é" * 1001)
    assert stand_in.notes["summarise"] == "é" * 999 + "…"


def test_a_token_that_ran_out_is_renewed_once_without_a_word() -> None:
    stand_in = StandIn()
    with client(stand_in) as airflow:
        airflow.note("night", "run+1", "summarise")
        stand_in.tokens = {"another", "and another"}
        assert airflow.note("night", "run+1", "summarise") is None
        assert stand_in.tokens == {"token-2"}


def test_what_may_pass_is_tried_again_later() -> None:
    with client(StandIn()) as airflow, pytest.raises(RetryLater, match=r"404: .*dags/unparsed was not found"):
        airflow.trigger("unparsed")

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    down = httpx.MockTransport(refuse)
    with (
        Airflow("http://airflow.test", "a", "b", down) as airflow,
        pytest.raises(RetryLater, match="api-server up"),
    ):
        airflow.trigger("night")
    busy = httpx.MockTransport(lambda _: httpx.Response(503, text="starting"))
    with (
        Airflow("http://airflow.test", "a", "b", busy) as airflow,
        pytest.raises(RetryLater, match="503: starting"),
    ):
        airflow.trigger("night")


def test_what_will_not_pass_names_the_setting_or_the_remedy() -> None:
    stand_in = StandIn()
    with (
        client(stand_in, "faux") as airflow,
        pytest.raises(Misconfigured, match="DEPECHE_AIRFLOW_PASSWORD"),
    ):
        airflow.trigger("night")
    with client(stand_in) as airflow, pytest.raises(Misconfigured, match="'hier' is not a 'date'"):
        airflow.trigger("night", {"date": "hier"})
    stand_in.paused = True
    with client(stand_in) as airflow, pytest.raises(Misconfigured, match="airflow dags unpause night"):
        airflow.trigger("night")
    with (
        Airflow("airflow.test:8080", "a", "b") as airflow,
        pytest.raises(Misconfigured, match="DEPECHE_AIRFLOW_URL"),
    ):
        airflow.trigger("night")
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with (
        Airflow("http://other.test", "a", "b", page) as airflow,
        pytest.raises(Misconfigured, match="no Airflow"),
    ):
        airflow.trigger("night")
