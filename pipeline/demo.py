"""`depeche demo`: the whole line shown on real parts, from an empty machine to an answer in SQL.

Services up, one night through Airflow, then what it brought: articles, who did what to whom, objects in the
bucket, a query. It leaves everything running.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.text import Text

from pipeline import bootstrap, flow
from pipeline.errors import DepecheError, RetryLater
from pipeline.render.tabular import rich_table, text

_PARSE_PATIENCE_S = 60.0
_SHOWN = 8

ARTICLES = """
SELECT strftime(published_at, '%Y-%m-%d') AS published, source, revision, left(coalesce(title, text), 70) AS article,
       (SELECT count(*) FROM mentions m WHERE m.article_id = a.article_id) AS mentions,
       (SELECT count(*) FROM events e WHERE e.article_id = a.article_id) AS events,
       left(article_id, 8) AS id
FROM articles a WHERE NOT withdrawn ORDER BY source, published_at, article_id
"""
EVENTS = """
SELECT type || coalesce(' ' || mode, '') AS event, status,
       list_aggregate(list_transform(actors, x -> coalesce(x.name, x.text)), 'string_agg', ', ') AS who,
       list_aggregate(list_transform(recipients, x -> coalesce(x.name, x.text)), 'string_agg', ', ') AS to_whom,
       coalesce(place_name, place_text) AS place, place_country AS country, date_from AS date, trigger AS evidence
FROM events WHERE len(actors) > 0 ORDER BY confidence DESC LIMIT 15
"""
ENTITIES = """
SELECT type, name, country, count(DISTINCT article_id) AS articles FROM entities WHERE name IS NOT NULL
GROUP BY ALL ORDER BY articles DESC, name LIMIT 12
"""
QUESTION = """
SELECT e.type, count(*) AS events, count(DISTINCT e.article_id) AS articles,
       round(avg(e.plover_score), 1) AS mean_score, mode(e.place_country) AS most_often_in
FROM events e WHERE e.status = 'asserted' GROUP BY e.type ORDER BY events DESC, e.type LIMIT 10
"""

Say = Callable[[str], None]


def demo(say: Say) -> None:
    """Run and show the line. Raises `DepecheError` with one sentence when a part of it fails."""
    began = time.monotonic()
    s = bootstrap.settings()
    bootstrap.services_up(say)
    up = time.monotonic()
    known = _known_ids()
    _night(say)
    night = time.monotonic()
    ids = _known_ids()
    _show_tables()
    _show_objects(s)
    changed = {name for name in known if known[name] != ids.get(name)}
    print()
    print(f"{len(ids)} articles in the warehouse, {len(set(ids) - set(known))} of them new in this run.")
    if known:
        same = "identical" if not changed and set(known) <= set(ids) else f"{len(changed)} of them changed"
        print(f"The ids of the {len(known)} articles that were there before are {same}.")
    print(f"Services up in {up - began:.0f} s, the night took {night - up:.0f} s.")
    print()
    print("Where to look")
    print(f"  Airflow     {s.airflow_url}  (user {s.airflow_user}, password {bootstrap.secret(s, 'airflow_password')})")
    print(f"  bucket      {s.s3_bucket} at {s.s3_endpoint}  (keys in {s.home / 'secrets.json'})")
    print(f'  warehouse   {s.warehouse_path}  (`.venv/bin/depeche sql "SELECT …"`)')
    print("  the line    .venv/bin/depeche status | verify | rejected list")
    print("  stop it     make down")


def _known_ids() -> dict[str, str]:
    """Return article id → content hash of what the warehouse holds; empty before its first load."""
    try:
        _, rows = bootstrap.query("SELECT article_id, coalesce(content_hash, '') FROM articles")
    except DepecheError:
        return {}
    return {str(name): str(mark) for name, mark in rows}


def _night(say: Say) -> None:
    with bootstrap.airflow(bootstrap.settings()) as client:
        run_id = _trigger(client, say)
        shown: dict[tuple[str, str], str] = {}
        for state in client.follow(bootstrap.NIGHT, run_id, sleep=time.sleep, every=0.5):
            for task in state.tasks:
                name = (task.task, task.label)
                if shown.get(name) != task.state and task.state not in ("waiting", "scheduled", "queued"):
                    say(f"  {task.task}{f' [{task.label}]' if task.label else ''}: {task.state}")
                shown[name] = task.state
        if state.state != "success":
            raise DepecheError(
                f"the run {run_id} of {bootstrap.NIGHT} ended as {state.state}; Airflow shows the log of each task"
            )


def _trigger(client: Any, say: Say) -> str:
    """Start the night; on a fresh machine Airflow first has to read the DAG."""
    deadline = time.monotonic() + _PARSE_PATIENCE_S
    say(f"starting {bootstrap.NIGHT} in Airflow")
    while True:
        try:
            return str(client.trigger(bootstrap.NIGHT))
        except RetryLater:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _rows(sql: str) -> list[dict[str, Any]]:
    columns, rows = bootstrap.query(sql)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print()
    print(text(rich_table(rows, title)) if rows else f"{title}: none")


def _show_tables() -> None:
    _show("Articles", _rows(ARTICLES))
    _show("Entities named in most articles", _rows(ENTITIES))
    _show("Events, the surest first: who did what to whom, where and when", _rows(EVENTS))
    print()
    print(text(Text("A question in SQL", style="bold")))
    print(QUESTION.strip())
    _show("Its answer", _rows(QUESTION))


def _show_objects(s: Any) -> None:
    store = bootstrap.store(s)
    found = [*store.list(f"log/topic={flow.ENRICHED}/"), *store.list(f"data/topic={flow.ENRICHED}/")]
    rows = [{"object": info.key, "bytes": info.size} for info in found[:_SHOWN]]
    total = sum(1 for _ in store.list(""))
    _show(f"Objects in the bucket ({total} in all; the first of the enriched articles)", rows)
