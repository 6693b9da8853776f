"""The command line: data on stdout, a sentence on stderr, and the right exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.seeds import BAD, SEEDS

ROOT = Path(__file__).parent.parent.parent
COMMANDS = [
    "extract",
    "fetch",
    "sources",
    "run",
    "status",
    "load",
    "verify",
    "doctor",
    "sql",
    "up",
    "down",
    "demo",
    "prepare",
    "rejected",
    "replay",
]


def depeche(*words: str, given: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words],
        cwd=ROOT,
        env=os.environ | environment,
        input=given,
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


def test_help_lists_every_command() -> None:
    ran = depeche("--help")
    assert ran.returncode == 0
    assert all(f" {name} " in ran.stdout for name in COMMANDS)


def test_version_is_printed() -> None:
    assert depeche("--version").stdout.startswith("depeche 0.")


def test_extract_prints_one_json_object_per_article_whose_spans_slice_its_text() -> None:
    ran = depeche(
        "extract", str(SEEDS / "articles" / "000_e533717fe8e3d753.txt"), str(SEEDS / "archives" / "agenda.jsonl")
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(found) == 9
    for one in found:
        assert set(one) == {"article", "mentions", "entities", "times", "events", "model", "processed_at", "quotes"}
        text = one["article"]["text"]
        spans = [*one["mentions"], *one["times"]]
        for event in one["events"]:
            spans += [event["sentence"], event["trigger"], *event["actors"], *event["recipients"]]
            spans += [event["place"]] if event["place"] else []
        assert spans
        assert all(text[s["start"] : s["end"]] == s["text"] for s in spans)
        entities = {e["entity_id"] for e in one["entities"]}
        assert {m["entity_id"] for m in one["mentions"] if m["entity_id"]} <= entities


def test_extract_reads_stdin_and_prints_tables_and_pages() -> None:
    text = (SEEDS / "articles" / "000_e533717fe8e3d753.txt").read_bytes()
    table = depeche("extract", "--format", "table", given=text)
    assert "Entities" in table.stdout
    page = depeche("extract", "-", "--format", "html", given=text)
    assert page.stdout.lower().startswith("<!doctype html>")
    assert "Stoltenberg" in page.stdout


def test_a_bad_file_is_one_sentence_and_the_others_go_on() -> None:
    good = str(SEEDS / "articles" / "000_e533717fe8e3d753.txt")
    ran = depeche("extract", str(BAD / "english.txt"), good, str(BAD / "not-json.jsonl"))
    assert ran.returncode == 1
    assert len(ran.stdout.splitlines()) == 1
    assert "not_french" in ran.stderr
    assert ran.stderr.count("malformed_json") == 3
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("words", "environment", "says"),
    [
        (["extract", "nowhere.txt"], {}, "nowhere.txt cannot be read"),
        (["extract"], {"DEPECHE_MODEL": "nowhere"}, "DEPECHE_MODEL"),
        (["fetch", "unknown"], {}, "declared are agence-textes"),
        (["fetch"], {}, "--all"),
        (["fetch", "agence-textes", "--date", "soon"], {}, "no day"),
        (["sources"], {"DEPECHE_SOURCES": "nowhere.yaml"}, "DEPECHE_SOURCES"),
        (["status"], {"DEPECHE_KAFKA_PORT": "many"}, "DEPECHE_KAFKA_PORT"),
        (["load"], {"DEPECHE_BATCH_RECORDS": "0"}, "DEPECHE_BATCH_RECORDS"),
        (["dance"], {}, "No such command"),
    ],
)
def test_a_wrong_setting_or_word_is_one_sentence_and_exit_code_2(
    words: list[str], environment: dict[str, str], says: str, tmp_path: Path
) -> None:
    ran = depeche(*words, given=b"Bonjour", DEPECHE_HOME=str(tmp_path), **environment)
    assert ran.returncode == 2, ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stdout == ""


def test_a_broker_that_is_away_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    ran = depeche("sources", DEPECHE_KAFKA_BOOTSTRAP="127.0.0.1:9", DEPECHE_HOME=str(tmp_path))
    assert ran.returncode == 1
    assert "is the broker up?" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_doctor_finds_what_is_away_and_prints_no_secret(tmp_path: Path) -> None:
    ran = depeche(
        "doctor",
        "--json",
        DEPECHE_KAFKA_BOOTSTRAP="127.0.0.1:9",
        DEPECHE_S3_ENDPOINT="http://127.0.0.1:9",
        DEPECHE_S3_ACCESS_KEY="visible-key",
        DEPECHE_S3_SECRET_KEY="hidden-secret",
        DEPECHE_AIRFLOW_URL="http://127.0.0.1:9",
        DEPECHE_AIRFLOW_PASSWORD="hidden-password",
        DEPECHE_HOME=str(tmp_path),
    )
    assert ran.returncode == 1
    levels = {row["subject"]: row["level"] for row in json.loads(ran.stdout)}
    assert (levels["Kafka"], levels["S3"], levels["Airflow"]) == ("error", "error", "error")
    assert (levels["model"], levels["sources"]) == ("ok", "ok")
    assert "hidden" not in ran.stdout + ran.stderr


def test_down_says_when_nothing_was_running(tmp_path: Path) -> None:
    ran = depeche("down", DEPECHE_HOME=str(tmp_path))
    assert ran.returncode == 0
    assert "nothing was running" in ran.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = "('kafka', 'boto3', 'onnxruntime', 'pyarrow', 'httpx')"
    code = f"import sys, pipeline.cli; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
