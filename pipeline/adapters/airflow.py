"""Airflow behind its REST API (v2): start a run, watch it, leave a note on a task.

Promise: an answer that may come later (api-server down or starting, a DAG that is not parsed yet) is
`RetryLater`; a wrong address, login or name is `Misconfigured`. Nothing is tried again here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx

from pipeline.errors import Misconfigured, RetryLater

_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_NOTE_LIMIT = 1000  # characters, by Airflow's own schema
_ENDED = frozenset({"success", "failed"})
# A DAG that was just installed is not found until it has been parsed.
_MAY_PASS = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


class TaskState(NamedTuple):
    """Where one task of a run stands; `label` is what its map index is shown as, else empty."""

    task: str
    label: str
    state: str
    tries: int
    note: str | None


class RunState(NamedTuple):
    """Where a run and its tasks stand, in the order in which they started."""

    run_id: str
    state: str
    tasks: tuple[TaskState, ...]

    @property
    def ended(self) -> bool:
        """Tell whether the run will not change any more by itself."""
        return self.state in _ENDED


class Airflow:
    """A logged-in client; logs in on the first call and again when its token has run out."""

    def __init__(self, url: str, user: str, password: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url, self._user, self._password = url.rstrip("/"), user, password
        self._http = httpx.Client(base_url=self._url, timeout=_TIMEOUT, transport=transport)
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def health(self) -> str:
        """Return which parts of Airflow are well. Raises `RetryLater` naming those that are not (yet)."""
        parts = self._checked(self._send("GET", "/api/v2/monitor/health"), "health")
        sick = [name for name in ("metadatabase", "scheduler", "dag_processor") if parts[name]["status"] != "healthy"]
        if sick:
            raise RetryLater(f"Airflow at {self._url}: {', '.join(sick)} not healthy yet")
        return f"api-server, scheduler and dag-processor are well at {self._url}"

    def trigger(self, dag: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of `dag` and return its id.

        Raises `RetryLater` while Airflow does not know the DAG yet, `Misconfigured` when it is paused (the
        run would wait for ever) or does not take this `conf`.
        """
        if self._call("GET", f"/dags/{quote(dag)}")["is_paused"]:
            raise Misconfigured(f"The DAG {dag} is paused; `airflow dags unpause {dag}` lets it run.")
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self._call("POST", f"/dags/{quote(dag)}/dagRuns", json=body)["dag_run_id"])

    def next_run(self, dag: str) -> str | None:
        """Return when the schedule starts `dag` next, in ISO 8601; None where nothing is scheduled."""
        found = self._call("GET", f"/dags/{quote(dag)}")["next_dagrun_run_after"]
        return None if found is None else str(found)

    def run(self, dag: str, run_id: str) -> RunState:
        """Return where the run and its tasks stand now."""
        path = _run_path(dag, run_id)
        state = self._call("GET", path)["state"]
        tasks = self._call("GET", f"{path}/taskInstances", params={"limit": 1000})["task_instances"]
        tasks.sort(key=lambda each: (each["start_date"] is None, each["start_date"] or ""))
        return RunState(run_id, str(state), tuple(_task_state(each) for each in tasks))

    def follow(
        self, dag: str, run_id: str, *, sleep: Callable[[float], None], every: float = 1.0
    ) -> Iterator[RunState]:
        """Yield the run's state now and at each change, ending with the state in which it ended."""
        last: RunState | None = None
        while last is None or not last.ended:
            now = self.run(dag, run_id)
            if now != last:
                yield now
                last = now
            if not now.ended:
                sleep(every)

    def annotate(self, dag: str, run_id: str, task: str, note: str) -> None:
        """Set the note of an unmapped task, in Markdown; what passes Airflow's 1000 characters is cut."""
        text = note if len(note) <= _NOTE_LIMIT else note[: _NOTE_LIMIT - 1] + "…"
        path = f"{_run_path(dag, run_id)}/taskInstances/{quote(task)}"
        self._call("PATCH", path, json={"note": text}, params={"update_mask": "note"})

    def note(self, dag: str, run_id: str, task: str) -> str | None:
        """Return the note of an unmapped task."""
        found = self._call("GET", f"{_run_path(dag, run_id)}/taskInstances/{quote(task)}")["note"]
        return None if found is None else str(found)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        fresh = self._token is None
        answer = self._send_as_user(method, path, **more)
        if answer.status_code == HTTPStatus.UNAUTHORIZED and not fresh:
            self._token = None  # it has run out
            answer = self._send_as_user(method, path, **more)
        return self._checked(answer, f"{method} {path}")

    def _send_as_user(self, method: str, path: str, **more: Any) -> httpx.Response:
        self._token = self._token or self._log_in()
        return self._send(method, f"/api/v2{path}", headers={"Authorization": f"Bearer {self._token}"}, **more)

    def _log_in(self) -> str:
        answer = self._send("POST", "/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Misconfigured(
                f"Airflow at {self._url} does not accept the login of {self._user!r}: "
                "check DEPECHE_AIRFLOW_USER and DEPECHE_AIRFLOW_PASSWORD."
            )
        return str(self._checked(answer, "login")["access_token"])

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.UnsupportedProtocol as error:
            remedy = "it must begin with http:// or https://"
            raise Misconfigured(f"DEPECHE_AIRFLOW_URL is {self._url!r}; {remedy}.") from error
        except httpx.HTTPError as error:
            asks = "is its api-server up?"
            raise RetryLater(f"Airflow at {self._url} does not answer ({error!r}); {asks}") from error

    def _checked(self, answer: httpx.Response, what: str) -> Any:
        code = answer.status_code
        if answer.is_success:
            try:
                return answer.json()
            except json.JSONDecodeError as error:
                raise Misconfigured(f"{self._url} is no Airflow: it answers {what} with no JSON.") from error
        said = f"Airflow at {self._url} answered {what} with {code}: {_detail(answer)}"
        if answer.is_server_error or code in _MAY_PASS:
            raise RetryLater(said)
        raise Misconfigured(said)


def _task_state(task: Mapping[str, Any]) -> TaskState:
    index = task["map_index"]
    return TaskState(
        task=task["task_id"],
        label=task["rendered_map_index"] or ("" if index < 0 else str(index)),
        state=task["state"] or "waiting",
        tries=task["try_number"],
        note=task["note"],
    )


def _run_path(dag: str, run_id: str) -> str:
    return f"/dags/{quote(dag)}/dagRuns/{quote(run_id, safe='')}"


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
