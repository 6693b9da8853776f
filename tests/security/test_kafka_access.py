"""Kafka with TLS and passwords, on a real broker: the right ones work, and each wrong one ends in a sentence."""

import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.adapters.kafka import KafkaAccess, KafkaBrowser, KafkaLog, KafkaWriter, create_topics
from pipeline.errors import Misconfigured
from pipeline.ports import Message, Partition, Record
from tests.fixtures.secure_kafka import PASSWORD, PLAIN_USER, Everything, SecureKafka


def consume_transform_produce(access: KafkaAccess, count: int = 20) -> list[bytes]:
    """Write, read as a group, write on in a transaction, and return what a browser sees in the end."""
    name = uuid4().hex[:8]
    source, target = f"in-{name}", f"out-{name}"
    create_topics(access, [source, target], compacted=[], partitions=1, replication=1)
    with closing(KafkaWriter(access, f"seed-{name}")) as writer:
        writer.write([Message(source, b"k", (), b"%d" % n) for n in range(count)])
    with closing(
        KafkaLog(access, group=f"g-{name}", topics=[source], instance="one", rebalance=Everything())
    ) as event_log:
        records: list[Record] = []
        deadline = time.monotonic() + 60
        while len(records) < count:
            assert time.monotonic() < deadline
            records += event_log.poll(0.5, 100)
        out = [Message(target, r.key, (), r.value + b"!") for r in records]
        event_log.commit(out, {Partition(source, 0): records[-1].offset + 1})
    with closing(KafkaBrowser(access)) as browser:
        ((partition, (first, end)),) = browser.bounds(target).items()
        assert browser.committed(f"g-{name}", source) == {Partition(source, 0): records[-1].offset + 1}
        return [record.value for record in browser.read(partition, first, end)]


def ask(access: KafkaAccess | str) -> object:
    with closing(KafkaBrowser(access)) as browser:
        return browser.bounds("never.was")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256"])
def test_the_whole_way_works_over_tls_with_a_password(secure_kafka: SecureKafka, mechanism: str) -> None:
    found = consume_transform_produce(secure_kafka.access(mechanism=mechanism))
    assert found == [b"%d!" % n for n in range(20)]


def test_plain_passwords_work_over_tls(secure_kafka: SecureKafka) -> None:
    assert ask(secure_kafka.access(user=PLAIN_USER, mechanism="PLAIN")) == {}


def test_the_whole_way_works_with_a_client_certificate(secure_kafka: SecureKafka) -> None:
    files = secure_kafka.certificates
    access = KafkaAccess(
        secure_kafka.mutual,
        security="ssl",
        ca_file=files.ca,
        certificate_file=files.client_certificate,
        key_file=files.client_key,
    )
    assert len(consume_transform_produce(access)) == 20


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_wrong_password_is_refused_whatever_the_mechanism(secure_kafka: SecureKafka, mechanism: str) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_PASSWORD"):
        ask(secure_kafka.access(password="not-the-password", mechanism=mechanism))


def test_a_wrong_password_ends_each_client_with_a_sentence_and_is_not_tried_for_ever(secure_kafka: SecureKafka) -> None:
    wrong = secure_kafka.access(password="not-the-password")
    began = time.monotonic()
    for attempt in (
        lambda: create_topics(wrong, ["a"], compacted=[], partitions=1, replication=1),
        lambda: KafkaWriter(wrong, "t").write([Message("a", b"", (), b"")]),
        lambda: KafkaLog(wrong, group="g", topics=["a"], instance="i", rebalance=Everything()),
    ):
        with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_PASSWORD") as told:
            attempt()
        assert "not-the-password" not in str(told.value)
    assert time.monotonic() - began < 60


def test_a_password_under_the_wrong_mechanism_is_refused(secure_kafka: SecureKafka) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_SASL_MECHANISM"):
        ask(secure_kafka.access(user="nobody", mechanism="PLAIN"))


@pytest.mark.parametrize("change", [{"ca_file": "stranger"}, {"ca_file": None}])
def test_a_certificate_of_a_stranger_is_refused(secure_kafka: SecureKafka, change: dict[str, Any]) -> None:
    ca = change["ca_file"] and getattr(secure_kafka.certificates, change["ca_file"])
    with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_CA_FILE"):
        ask(replace(secure_kafka.access(), ca_file=ca))


def test_speaking_plainly_to_a_port_with_tls_is_told(secure_kafka: SecureKafka) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_SECURITY to ssl or sasl_ssl"):
        ask(secure_kafka.client)


def test_a_client_without_a_certificate_does_not_get_in_where_one_is_asked_for(secure_kafka: SecureKafka) -> None:
    from pipeline.errors import DepecheError

    with pytest.raises(DepecheError):
        ask(KafkaAccess(secure_kafka.mutual, security="ssl", ca_file=secure_kafka.certificates.ca))


def test_who_was_granted_nothing_is_told_where_the_grants_stand(secure_kafka: SecureKafka) -> None:
    secure_kafka.add_users("stranger")
    create_topics(secure_kafka.access(), ["secret"], compacted=[], partitions=1, replication=1)
    with pytest.raises(Misconfigured, match=r"infra/kafka/acls"):
        KafkaWriter(secure_kafka.access(user="stranger"), "depeche.x").write([Message("secret", b"", (), b"")])


WRONG = {
    "DEPECHE_KAFKA_USER": {"security": "sasl_ssl", "password": PASSWORD},
    "DEPECHE_KAFKA_PASSWORD": {"security": "sasl_plaintext", "user": "u"},
    "DEPECHE_KAFKA_SECURITY": {"user": "u", "password": PASSWORD},
    "DEPECHE_KAFKA_CA_FILE": {"security": "sasl_plaintext", "user": "u", "password": "p", "ca_file": Path("ca.pem")},
    "DEPECHE_KAFKA_KEY_FILE": {"security": "ssl", "certificate_file": Path("c.pem")},
    "names nowhere.pem": {"security": "ssl", "ca_file": Path("nowhere.pem")},
}


@pytest.mark.parametrize("told", WRONG)
def test_settings_that_do_not_fit_together_are_named(told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        KafkaAccess("127.0.0.1:1", **WRONG[told])  # type: ignore[arg-type]


def test_a_file_that_is_no_pem_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(Misconfigured, match="DEPECHE_KAFKA_CA_FILE cannot be used as PEM"):
        KafkaAccess("127.0.0.1:1", security="ssl", ca_file=file)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(Misconfigured) as told:
        KafkaAccess(f"user:{PASSWORD}@127.0.0.1:9092")
    assert PASSWORD not in str(told.value)


def test_the_password_shows_nowhere(secure_kafka: SecureKafka) -> None:
    access = secure_kafka.access()
    assert PASSWORD not in f"{access} {access!r}"


def test_a_peer_that_goes_away_without_a_word_is_noticed() -> None:
    with socket.socket() as opened:
        for option in KafkaAccess("broker:9092").arguments()["socket_options"]:
            opened.setsockopt(*option)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        kept = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
        idle, interval, count = (opened.getsockopt(socket.IPPROTO_TCP, each) for each in kept)
        assert idle + interval * count <= 30
