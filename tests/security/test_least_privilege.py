"""The whole line over TLS, each part with its own name and no more than infra/ grants it, on real servers."""

import argparse
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from pipeline import bootstrap, flow
from pipeline.adapters.kafka import KafkaBrowser, KafkaEnds, KafkaLog, KafkaWriter, create_topics
from pipeline.errors import Misconfigured
from pipeline.ports import LeftOpen, Message, Partition
from pipeline.settings import secret_names
from tests.fixtures.secure_kafka import PASSWORD, Everything, SecureKafka
from tests.fixtures.secure_s3 import SecureS3
from tests.fixtures.seeds import SEEDS

INFRA = Path(__file__).parent.parent.parent / "infra"
STEPS = ("fetch", "normalise", "enrich", "archive", "reader", "retry", "prepare")


def grants() -> list[argparse.Namespace]:
    """Return the lines of acls.txt as Kafka's own tool reads them."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    for kind in ("topic", "group", "transactional-id"):
        parser.add_argument(f"--{kind}", action="append", default=[])
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--resource-pattern-type", choices=["literal", "prefixed"], default="literal")
    lines = (INFRA / "kafka" / "acls.txt").read_text(encoding="utf-8").splitlines()
    return [parser.parse_args(shlex.split(line)) for line in lines if line.strip() and not line.startswith("#")]


def as_acls(grant: argparse.Namespace) -> Iterator[ACL]:
    pattern = ACLResourcePatternType[grant.resource_pattern_type.upper()]
    kinds = {ResourceType.TOPIC: grant.topic, ResourceType.GROUP: grant.group}
    kinds[ResourceType.TRANSACTIONAL_ID] = grant.transactional_id
    kinds[ResourceType.CLUSTER] = ["kafka-cluster"] if grant.cluster else []
    for kind, names in kinds.items():
        for name in names:
            for operation in grant.operation:
                resource = ResourcePattern(kind, name, pattern)
                allow = ACLPermissionType.ALLOW
                # Kafka's own tool writes DescribeConfigs.
                named = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()
                yield ACL(grant.allow_principal, "*", ACLOperation[named], allow, resource)


@pytest.fixture(scope="module")
def granted(secure_kafka: SecureKafka) -> SecureKafka:
    """Give everybody his name, his password, and what acls.txt lists."""
    secure_kafka.add_users(*(f"depeche-{step}" for step in STEPS))
    with closing(KafkaAdminClient(bootstrap_servers=secure_kafka.internal)) as admin:
        told = admin.create_acls([acl for grant in grants() for acl in as_acls(grant)])
    assert not told["failed"]
    return secure_kafka


As = Callable[..., None]


@pytest.fixture
def become(granted: SecureKafka, secure_s3: SecureS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> As:
    """Return a way to put on the name of a part of the line, in Kafka and in S3."""
    fixed = {
        "HOME": str(tmp_path),
        "KAFKA_BOOTSTRAP": granted.client,
        "KAFKA_SECURITY": "sasl_ssl",
        "KAFKA_CA_FILE": str(granted.certificates.ca),
        "KAFKA_PASSWORD": PASSWORD,
        "S3_ENDPOINT": secure_s3.endpoint,
        "S3_CA_FILE": str(secure_s3.certificates.ca),
        "SOURCES": str(SEEDS / "sources.yaml"),
        "SEGMENT_SECONDS": "1",
    }
    for name, value in fixed.items():
        monkeypatch.setenv(f"DEPECHE_{name}", value)

    def put_on(step: str, policy: str = "reader") -> None:
        monkeypatch.setenv("DEPECHE_KAFKA_USER", f"depeche-{step}")
        monkeypatch.setenv("DEPECHE_S3_ACCESS_KEY", policy)
        monkeypatch.setenv("DEPECHE_S3_SECRET_KEY", policy * 2)

    return put_on


def test_each_part_of_the_line_gets_by_with_what_it_is_granted(become: As) -> None:
    become("prepare", "prepare")
    assert set(bootstrap.prepare(bootstrap.settings())) == {*flow.FACTS, *flow.REJECTED, *flow.STATES}
    become("fetch", "nobody")
    (report,) = bootstrap.fetch_sources(["archives-jsonl"])
    assert report["ok"], report
    for step in ("normalise", "enrich", "archive"):
        become(step, step if step == "archive" else "nobody")
        bootstrap.run_step(step, until_caught_up=True, stop=lambda: False)
    become("reader")
    assert bootstrap.load_warehouse()["articles"] == report["items"] > 0
    verdict = bootstrap.verdict(lambda _: None)
    assert verdict.sound, verdict.faults
    assert bootstrap.line_status()["topics"][flow.ENRICHED] == report["items"]
    log = [each for each in bootstrap.diagnosis() if each.subject.startswith(("Kafka", "topic "))]
    assert {each.subject for each in log if each.level == "error"} == set()
    become("retry", "reader")
    assert bootstrap.retry_rejected(lambda _: lambda _: True).written == 0
    become("reader", "replay")
    bootstrap.start_replay("again", stop=lambda: False)
    bootstrap.switch_version("again")
    become("fetch", "nobody")
    assert bootstrap.fetch_sources(["agence-textes"])[0]["ok"]
    become("reader", "night")
    assert bootstrap.load_warehouse()["articles"] > report["items"]


FORBIDDEN = [
    ("normalise", flow.ENRICHED, "depeche.normalise.x"),
    ("enrich", flow.FETCHED, "depeche.enrich.x"),
    ("enrich", flow.ENRICHED, "depeche.fetch.x"),
    ("fetch", flow.ARTICLE_STATE, "depeche.fetch.x"),
    ("archive", flow.ENRICHED, "depeche.archive.x"),
    ("reader", flow.ENRICHED, "depeche.reader.x"),
    ("prepare", flow.ENRICHED, "depeche.fetch.x"),
]


@pytest.mark.parametrize(("step", "topic", "own"), FORBIDDEN)
def test_nobody_writes_what_is_not_his(granted: SecureKafka, step: str, topic: str, own: str) -> None:
    topics = [*flow.FACTS, *flow.REJECTED]
    create_topics(granted.access(), topics, compacted=flow.STATES, partitions=3, replication=1)
    writer = KafkaWriter(granted.access(f"depeche-{step}"), own)
    with closing(writer), pytest.raises(Misconfigured, match=r"infra/kafka/acls"):
        writer.write([Message(topic, b"k", (), b"v")])


def test_nobody_but_who_prepares_creates_topics(granted: SecureKafka) -> None:
    for step in STEPS[:-1]:
        with pytest.raises(Misconfigured, match=r"infra/kafka/acls"):
            create_topics(granted.access(f"depeche-{step}"), ["news.more"], compacted=[], partitions=1, replication=1)


def test_who_enriches_does_not_even_see_that_articles_were_fetched(granted: SecureKafka) -> None:
    create_topics(granted.access(), flow.FACTS, compacted=flow.STATES, partitions=3, replication=1)
    with closing(KafkaBrowser(granted.access("depeche-enrich"))) as browser:
        assert browser.bounds(flow.FETCHED) == {}
        assert len(browser.bounds(flow.NORMALISED)) == 3


def test_who_only_reads_sees_what_is_under_way_and_ends_nothing(granted: SecureKafka) -> None:
    create_topics(granted.access(), flow.FACTS, compacted=flow.STATES, partitions=3, replication=1)
    with ExitStack() as stack:
        under_way = KafkaProducer(
            **granted.access("depeche-enrich").arguments(), transactional_id="depeche.enrich.under-way"
        )
        stack.callback(under_way.close, timeout=5)
        under_way.init_transactions()
        under_way.begin_transaction()
        under_way.send(flow.ENRICHED, b"v", partition=0).get(timeout=10)
        browser = stack.enter_context(closing(KafkaBrowser(granted.access())))
        assert browser.committed("depeche.nobody", flow.NORMALISED) == {}  # makes the topic of group positions
        ends = KafkaEnds(granted.access("depeche-reader"))
        assert ends.left_open(flow.FACTS) == []
        with pytest.raises(Misconfigured, match=r"infra/kafka/acls"):
            ends.left_open(["__consumer_offsets"])
        opened = LeftOpen(Partition(flow.ENRICHED, 0), 0, datetime.now(UTC), 0, 0, 0)
        with pytest.raises(Misconfigured, match="ClusterAction"):
            ends.end(opened, commit=True)
        under_way.abort_transaction()


def test_the_grants_are_those_of_the_table_of_contents() -> None:
    named = {topic for grant in grants() for topic in grant.topic if grant.resource_pattern_type == "literal"}
    assert named == {*flow.FACTS, *flow.REJECTED, *flow.STATES}
    assert {grant.allow_principal for grant in grants()} == {f"User:depeche-{step}" for step in STEPS}
    assert not any(operation in ("All", "Alter", "Delete") for grant in grants() for operation in grant.operation)


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((INFRA / "kubernetes" / "workers.yaml").read_text(encoding="utf-8")))


def test_workers_in_kubernetes_may_do_nothing_but_their_work() -> None:
    sets = [each for each in manifests() if each["kind"] == "StatefulSet"]
    assert {each["metadata"]["name"] for each in sets} == {"depeche-normalise", "depeche-enrich", "depeche-archive"}
    for each in sets:
        pod = each["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "envFrom" in container
        assert "secretRef" not in str(container["envFrom"]), "secrets are files: an environment shows in crash dumps"
        own = each["metadata"]["name"]
        assert [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume] == [own]
        settings = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert settings["DEPECHE_KAFKA_USER"] == own
        assert settings["DEPECHE_KAFKA_PASSWORD_FILE"].startswith("/run/secrets/depeche/")
        assert any("S3" in name for name in settings) == (own == "depeche-archive")
        assert "memory" in container["resources"]["limits"]


def test_workers_in_kubernetes_are_asked_nothing_and_ask_kafka_and_s3_only() -> None:
    (policy,) = [each for each in manifests() if each["kind"] == "NetworkPolicy"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy["spec"]
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, 443, 9093}
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in manifests() if each["kind"] == "StatefulSet"]
    wanted = policy["spec"]["podSelector"]["matchLabels"].items()
    assert all(wanted <= each.items() for each in labels)


def test_workers_in_compose_may_do_nothing_but_their_work() -> None:
    found = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
    ours = {name: each for name, each in found["services"].items() if name not in {"kafka", "s3"}}
    assert set(ours) == {"prepare", "normalise", "enrich", "archive"}
    for each in ours.values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert not [name for name in each["environment"] if name in {f"DEPECHE_{s.upper()}" for s in secret_names()}]
        assert each["environment"]["DEPECHE_S3_SECRET_KEY_FILE"] == "/run/secrets/s3_secret_key"
        assert set(each["secrets"]) == set(found["secrets"])
    assert all("ports" not in each and "privileged" not in each for each in found["services"].values())


@pytest.mark.parametrize(("group", "topic"), [("depeche.enrich", flow.FETCHED), ("depeche.normalise", flow.NORMALISED)])
def test_a_worker_that_may_not_read_is_told_and_does_not_wait_for_ever(
    granted: SecureKafka, group: str, topic: str
) -> None:
    create_topics(granted.access(), flow.FACTS, compacted=flow.STATES, partitions=3, replication=1)
    access = granted.access("depeche-enrich")

    def read() -> None:
        with closing(KafkaLog(access, group=group, topics=[topic], instance="x", rebalance=Everything())) as member:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                member.poll(0.5, 10)

    with pytest.raises(Misconfigured, match=r"infra/kafka/acls"):
        read()
