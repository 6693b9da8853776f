"""S3 with TLS and users that may do little, on a real server: enough for each step, and a sentence for the rest."""

import ast
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline import bootstrap, flow
from pipeline.adapters import s3
from pipeline.adapters.duckdb import DuckDbWarehouse
from pipeline.adapters.s3 import S3Store
from pipeline.adapters.s3_probe import S3Probe
from pipeline.archive import close_segment
from pipeline.errors import Misconfigured, RetryLater
from pipeline.load import load
from pipeline.operate import nightly
from pipeline.operate.doctor_store import require_conditional_writes, store_findings
from pipeline.settings import Settings
from pipeline.store import File, Segment
from tests.fixtures.secure_s3 import BUCKET, POLICIES, SecureS3
from tests.flow.world import World, drain

ACTIONS = {
    "head_bucket": "s3:ListBucket",
    "create_bucket": "s3:CreateBucket",
    "list_objects_v2": "s3:ListBucket",
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
}
"""What IAM calls the right to do what boto3 offers; from the Service Authorization Reference for Amazon S3."""


def statements() -> list[dict[str, Any]]:
    return [each for file in POLICIES for each in json.loads(file.read_text(encoding="utf-8"))["Statement"]]


def calls() -> set[str]:
    """Return the operations of boto3's client that the adapter uses."""
    found = set()
    for node in ast.walk(ast.parse(Path(s3.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "_client":
            found.add(node.attr)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_paginator":
            found.add(ast.literal_eval(node.args[0]))
    return found - {"get_paginator", "close", "exceptions"}


def test_the_policies_allow_what_the_code_calls_and_nothing_more() -> None:
    assert calls()
    needed = {ACTIONS[name] for name in calls()}
    allowed = {each["Action"] for each in statements()}
    assert needed <= allowed
    # Large files are created in parts, and parts that are given up are taken away: allowed before it is needed.
    assert allowed - needed <= {"s3:AbortMultipartUpload"}


def test_no_policy_lets_anyone_overwrite_delete_or_leave_the_bucket() -> None:
    for each in statements():
        assert each["Effect"] == "Allow"
        assert "*" not in each["Action"]
        assert "Delete" not in each["Action"]
        resources = each["Resource"] if isinstance(each["Resource"], list) else [each["Resource"]]
        assert all(resource.startswith(f"arn:aws:s3:::{BUCKET}") for resource in resources)
        if each["Action"] == "s3:PutObject":
            conditional = {"Null": {"s3:if-none-match": "false"}}
            assert each["Condition"] in (conditional, {"Bool": {"s3:ObjectCreationOperation": "false"}})


def test_each_step_gets_by_with_its_own_policy(secure_s3: SecureS3, tmp_path: Path) -> None:
    world = World()
    world.publish([world.raw(n) for n in range(5)])
    for name in ("normalise", "enrich"):
        drain(world.transform(name))
    world.store = secure_s3.store("archive")  # type: ignore[assignment]
    drain(world.archive())
    assert secure_s3.store("archive").create("data/large", bytes(20 * 2**20))
    # Where the answer to the first was lost, it is asked again, and finds its own file there.
    lost = Segment((File("data/lost-answer", b"f"),), "log/lost-answer", b"m")
    assert [close_segment(secure_s3.store("archive"), lost) for _ in range(2)] == [None, None]
    warehouse = DuckDbWarehouse(None)
    assert load(secure_s3.store("reader"), warehouse, topic=flow.ENRICHED).articles == 5
    warehouse.close()
    night = {"date": date(2026, 2, 3).isoformat(), "sources": []}
    for _ in range(2):
        kept = nightly.keep(night, store=secure_s3.store("night"), folder=tmp_path)
        assert kept == "reports/nightly/2026-02-03.json"
    for _ in range(2):
        require_conditional_writes(secure_s3.store("archive"))
    asking = secure_s3.store("doctor")
    found = {f.subject: f for f in store_findings(asking, S3Probe(asking), now=lambda: datetime.now(UTC))}
    assert found["S3 If-None-Match"].level == "ok", found
    assert secure_s3.store("prepare").ensure_bucket() is False


FORBIDDEN: dict[str, tuple[str, Callable[[S3Store], object]]] = {
    "a reader writes": ("reader", lambda s: s.create("data/a", b"")),
    "a reader writes a manifest": ("reader", lambda s: s.create("log/a", b"")),
    "the archive writes reports": ("archive", lambda s: s.create("reports/a", b"")),
    "the archive reads reports": ("archive", lambda s: s.get("reports/a")),
    "the doctor reads data": ("doctor", lambda s: s.get("data/a")),
    "a reader lists all": ("reader", lambda s: list(s.list(""))),
    "whoever prepares reads": ("prepare", lambda s: s.get("data/a")),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_step_has_no_business_with_is_refused_with_a_sentence(secure_s3: SecureS3, what: str) -> None:
    user, attempt = FORBIDDEN[what]
    with pytest.raises(Misconfigured, match=r"does not allow it .*infra/s3/policies/") as told:
        attempt(secure_s3.store(user))
    assert user * 2 not in str(told.value)


@pytest.mark.parametrize("user", [file.stem for file in POLICIES])
def test_nobody_may_delete(secure_s3: SecureS3, user: str) -> None:
    secure_s3.store("admin").create("data/kept", b"kept")
    with pytest.raises(ClientError, match="AccessDenied"):
        secure_s3.store(user)._client.delete_object(Bucket=BUCKET, Key="data/kept")


@pytest.mark.parametrize("wrong", [{"secret_key": "wrong-secret"}, {"access_key": "nobody"}])
def test_wrong_credentials_are_named_by_their_settings(secure_s3: SecureS3, wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"refused these credentials .*DEPECHE_S3_SECRET_KEY") as told:
        secure_s3.store("admin", **wrong).create("data/x", b"")
    assert "wrong-secret" not in str(told.value)


@pytest.mark.parametrize("trusted", ["stranger", None])
def test_a_certificate_of_a_stranger_is_refused(secure_s3: SecureS3, trusted: str | None) -> None:
    ca = trusted and getattr(secure_s3.certificates, trusted)
    with pytest.raises(Misconfigured, match="DEPECHE_S3_CA_FILE"):
        secure_s3.store("admin", ca_file=ca).get("data/a")


def test_a_server_that_speaks_no_tls_is_no_matter_of_settings_alone(s3_port: int, secure_s3: SecureS3) -> None:
    with pytest.raises(RetryLater):
        secure_s3.store("admin", endpoint=f"https://127.0.0.1:{s3_port}").get("data/a")


def test_settings_that_do_not_fit_together_are_named(secure_s3: SecureS3, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_S3_CA_FILE"):
        secure_s3.store("admin", endpoint="http://127.0.0.1:1")
    with pytest.raises(Misconfigured, match="DEPECHE_S3_CA_FILE"):
        secure_s3.store("admin", ca_file=tmp_path / "nowhere.pem")
    with pytest.raises(Misconfigured, match="DEPECHE_S3_SECRET_KEY"):
        secure_s3.store("admin", secret_key=None)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secure_s3: SecureS3) -> pytest.MonkeyPatch:
    """Point the settings at the server, without credentials and without any that may lie on this machine."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "DEPECHE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("DEPECHE_HOME", str(tmp_path))
    monkeypatch.setenv("DEPECHE_S3_ENDPOINT", secure_s3.endpoint)
    monkeypatch.setenv("DEPECHE_S3_CA_FILE", str(secure_s3.certificates.ca))
    return monkeypatch


def test_without_credentials_the_settings_are_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=r"there are no credentials .*DEPECHE_S3_ACCESS_KEY"):
        bootstrap.store(Settings.from_env()).get("data/a")


def test_credentials_come_from_settings_from_files_or_from_where_boto3_finds_them(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def works() -> bool:
        return bootstrap.store(Settings.from_env()).ensure_bucket() is False

    with bare.context() as given:
        given.setenv("DEPECHE_S3_ACCESS_KEY", "prepare")
        given.setenv("DEPECHE_S3_SECRET_KEY", "prepare" * 2)
        assert works()
    with bare.context() as given:
        for name, value in {"access_key": "prepare\n", "secret_key": "prepare" * 2}.items():
            (tmp_path / name).write_text(value)
            given.setenv(f"DEPECHE_S3_{name.upper()}_FILE", str(tmp_path / name))
        assert works()
    # The chain's own file stands here for a role: both are found by boto3, and not by us.
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id=prepare\naws_secret_access_key={'prepare' * 2}\n"
    )
    assert works()


def test_keys_of_the_local_server_are_not_shown_to_another(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"s3_access_key": "local", "s3_secret_key": "local"}')
    with pytest.raises(Misconfigured, match="there are no credentials"):
        bootstrap.store(Settings.from_env()).get("data/a")


def test_a_session_token_is_sent(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("DEPECHE_S3_ACCESS_KEY", "prepare")
    bare.setenv("DEPECHE_S3_SECRET_KEY", "prepare" * 2)
    bare.setenv("DEPECHE_S3_SESSION_TOKEN", "token-of-the-role")
    sent: list[str | None] = []
    store = bootstrap.store(Settings.from_env())
    store._client.meta.events.register(
        "before-send.s3", lambda request, **_: sent.append(request.headers.get("x-amz-security-token"))
    )
    with pytest.raises((Misconfigured, RetryLater)):
        store.get("data/a")
    assert sent[0] in ("token-of-the-role", b"token-of-the-role")
