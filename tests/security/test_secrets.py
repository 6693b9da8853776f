"""Secrets come from the environment or from files, and are shown nowhere, whatever goes wrong."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.memory_store import MemoryStore
from pipeline.adapters.supervisor import LocalServices
from pipeline.errors import Misconfigured
from pipeline.events import RawArticle
from pipeline.fetch import KINDS, Source, pull, read_catalogue
from pipeline.fetch.feed_xml import read_feed
from pipeline.identity import article_id, bare
from pipeline.operate import doctor
from pipeline.ports import Response
from pipeline.settings import Settings, secret_names
from tests.fixtures.secure_kafka import PLAIN_USER, SecureKafka
from tests.fixtures.secure_s3 import SecureS3

ROOT = Path(__file__).parent.parent.parent
MARKER = "ma1n-dans-le-sac"


@pytest.fixture
def marked(secure_kafka: SecureKafka, secure_s3: SecureS3, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which every secret is marked, and wrong."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("DEPECHE_", "AWS_"))}
    return plain | {
        "DEPECHE_HOME": str(tmp_path / "home"),
        "DEPECHE_KAFKA_BOOTSTRAP": secure_kafka.client,
        "DEPECHE_KAFKA_SECURITY": "sasl_ssl",
        "DEPECHE_KAFKA_SASL_MECHANISM": "PLAIN",
        "DEPECHE_KAFKA_CA_FILE": str(secure_kafka.certificates.ca),
        "DEPECHE_KAFKA_USER": PLAIN_USER,
        "DEPECHE_S3_ENDPOINT": secure_s3.endpoint,
        "DEPECHE_S3_CA_FILE": str(secure_s3.certificates.ca),
        **{f"DEPECHE_{name.upper()}": f"{MARKER}-{name}" for name in secret_names()},
    }


def ran(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (["--verbose", "doctor"], 1, "DEPECHE_KAFKA_PASSWORD"),
        (["--verbose", "run", "normalise"], 2, "DEPECHE_KAFKA_PASSWORD"),
        (["--verbose", "status"], 2, "DEPECHE_KAFKA_PASSWORD"),
        (["--verbose", "prepare"], 2, "DEPECHE_S3_SECRET_KEY"),
    ],
)
def test_no_command_shows_a_secret_and_a_wrong_one_ends_in_a_sentence(
    marked: dict[str, str], command: list[str], code: int, told: str
) -> None:
    done = ran(marked, *command)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert MARKER not in done.stdout + done.stderr


def test_a_crash_shows_no_secret(marked: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    done = ran(marked | {"DEPECHE_KAFKA_SECURITY": "plaintext"} | {"DEPECHE_KAFKA_USER": ""}, "run", "archive")
    assert done.returncode != 0
    assert MARKER not in done.stdout + done.stderr


def test_secrets_are_in_no_file_and_no_command_line_of_the_local_services(
    marked: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in marked.items():
        monkeypatch.setenv(name, value)
    local = LocalServices(Settings.from_env(), SystemClock())
    local.environment()
    rendered = local._rendered()
    known = json.loads((tmp_path / "home" / "secrets.json").read_text())
    assert (tmp_path / "home" / "secrets.json").stat().st_mode & 0o077 == 0
    for secret in (MARKER, *known.values()):
        assert secret not in rendered


def test_a_running_worker_shows_no_secret_in_its_command_line(marked: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pipeline.cli", "run", "normalise"]
    with subprocess.Popen(command, cwd=ROOT, env=marked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        shown = b""
        while process.poll() is None:
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() or shown
            time.sleep(0.05)
    assert b"normalise" in shown
    assert MARKER.encode() not in shown


_AT_DEBUG = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from pipeline import bootstrap
from pipeline.adapters.kafka import KafkaBrowser
from pipeline.errors import DepecheError
from pipeline.bootstrap.wiring import kafka
settings = bootstrap.settings()
look, read = KafkaBrowser(kafka(settings)).bounds, bootstrap.store(settings).get
for ask in (lambda: look("a"), lambda: read("data/a")):
    try:
        ask()
    except DepecheError as error:
        logging.exception("as it was expected")
print(settings, repr(settings), kafka(settings))
assert False, "a crash with all that in scope"
"""


def test_libraries_that_log_everything_log_no_secret(marked: dict[str, str]) -> None:
    marked["DEPECHE_S3_ACCESS_KEY"] = "known"  # an access key is sent in the open: it names, and proves nothing
    done = subprocess.run(
        [sys.executable, "-c", _AT_DEBUG], cwd=ROOT, env=marked, capture_output=True, text=True, check=False
    )
    assert "a crash with all that in scope" in done.stderr
    assert "DEBUG:botocore" in done.stderr
    assert MARKER not in done.stdout + done.stderr


def test_settings_hide_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(secret_names()) == {
        "kafka_password", "s3_access_key", "s3_secret_key", "s3_session_token", "airflow_password"
    }  # fmt: skip
    for name in secret_names():
        monkeypatch.setenv(f"DEPECHE_{name.upper()}", MARKER)
    settings = Settings.from_env()
    assert MARKER not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("name", secret_names())
def test_every_secret_may_stand_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"DEPECHE_{name.upper()}", raising=False)
    file = tmp_path / name
    file.write_text(MARKER + "\n")
    monkeypatch.setenv(f"DEPECHE_{name.upper()}_FILE", str(file))
    assert getattr(Settings.from_env(), name).get_secret_value() == MARKER


WRONG: dict[str, Callable[[Path, pytest.MonkeyPatch], None]] = {
    "cannot be read": lambda file, _: None,
    "is empty": lambda file, _: file.write_text("\n") and None,
    "are both set": lambda file, patch: patch.setenv("DEPECHE_KAFKA_PASSWORD", MARKER),
    "UnicodeDecodeError": lambda file, _: file.write_bytes(b"\xff\xfe" + MARKER.encode()) and None,
}


@pytest.mark.parametrize("told", WRONG)
def test_a_file_that_holds_no_secret_is_named_and_not_quoted(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    monkeypatch.delenv("DEPECHE_KAFKA_PASSWORD", raising=False)
    monkeypatch.setenv("DEPECHE_KAFKA_PASSWORD_FILE", str(file))
    WRONG[told](file, monkeypatch)
    with pytest.raises(Misconfigured, match=told) as error:
        Settings.from_env()
    assert "DEPECHE_KAFKA_PASSWORD_FILE" in str(error.value)
    assert MARKER not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP", f"user:{MARKER}@127.0.0.1:9092"),
        ("S3_ENDPOINT", f"https://key:{MARKER}@s3.example"),
        ("FEED_URL", f"http://{MARKER}@127.0.0.1"),
        ("AIRFLOW_URL", f"https://admin:{MARKER}@airflow.example/"),
    ],
)
def test_an_address_with_a_password_is_no_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"DEPECHE_{name}", value)
    with pytest.raises(Misconfigured, match=f"DEPECHE_{name}") as told:
        Settings.from_env()
    chain: BaseException | None = told.value
    while chain is not None:
        assert MARKER not in f"{chain} {chain!r}"
        chain = chain.__cause__


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"https://moi:{MARKER}@exemple.fr/a?b=c@d", "https://exemple.fr/a?b=c@d"),
        (f"ftp://{MARKER}@exemple.fr", "ftp://exemple.fr"),
        (f"HTTPS://a:{MARKER}:@b@exemple.fr/", "HTTPS://exemple.fr/"),
        (f"two: http://{MARKER}@a.fr and http://u:{MARKER}@b.fr", "two: http://a.fr and http://b.fr"),
        ("https://exemple.fr/@auteur", "https://exemple.fr/@auteur"),
        ("redaction@exemple.fr", "redaction@exemple.fr"),
    ],
)
def test_addresses_lose_their_passwords_and_nothing_else(text: str, clean: str) -> None:
    assert bare(text) == clean


def test_what_is_logged_holds_no_password_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.telemetry import configure

    before = structlog.get_config()
    try:
        configure()
        try:
            raise ValueError(f"no answer from https://moi:{MARKER}@exemple.fr/")
        except ValueError:
            structlog.get_logger("test").exception("failed", reason=f"https://moi:{MARKER}@exemple.fr/ is down")
    finally:
        structlog.configure(**before)
    shown = capsys.readouterr().err
    assert "https://exemple.fr/ is down" in shown
    assert "ValueError" in shown
    assert MARKER not in shown


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o440, "ok"), (0o644, "warning"), (0o602, "warning")])
def test_the_doctor_warns_of_a_secret_that_every_user_may_read(mode: int, level: str) -> None:
    (found,) = doctor.secret_files({"DEPECHE_KAFKA_PASSWORD_FILE": mode})
    assert (found.subject, found.level) == ("DEPECHE_KAFKA_PASSWORD_FILE", level)


def test_a_feed_whose_links_hold_passwords_gives_entries_without_them() -> None:
    item = f"<item><guid>https://moi:{MARKER}@exemple.fr/a</guid><link>https://moi:{MARKER}@exemple.fr/a</link></item>"
    feed = f"<rss version='2.0'><channel>{item}</channel></rss>".encode()
    page = read_feed(Response(200, "https://exemple.fr/", {}, feed))
    assert [entry.link for entry in page.entries] == ["https://exemple.fr/a"]
    assert MARKER not in str(page.entries)


def test_an_archived_line_with_a_password_in_its_address_gives_an_article_without_it() -> None:
    files = MemoryStore()
    files.create("a.jsonl", f'{{"url": "https://moi:{MARKER}@exemple.fr/a", "text": "Un texte."}}'.encode())
    source = Source(name="a", kind="jsonl", path="a.jsonl")
    now = datetime(2026, 2, 3, tzinfo=UTC)
    (haul,) = pull(source, None, fetcher=files, files=files, now=now)  # type: ignore[arg-type]
    (item,) = haul.items
    assert isinstance(item, RawArticle)
    assert item.url == "https://exemple.fr/a"
    assert item.article_id == article_id(url="https://exemple.fr/a")
    assert MARKER not in str(item)


def test_a_source_with_a_password_in_its_address_is_refused_and_not_quoted() -> None:
    text = f"sources: [{{name: a, kind: feed, url: 'https://moi:{MARKER}@exemple.fr/'}}]"
    with pytest.raises(Misconfigured, match="must not hold a name or a password") as told:
        read_catalogue(text, where="sources.yaml", variables={}, kinds=KINDS)
    assert MARKER not in str(told.value)
