"""What the doctor says of a broker, and what promise it draws from everything found."""

from collections.abc import Mapping

import pytest

from pipeline.adapters.memory_probes import MemoryBrokerProbe
from pipeline.operate.doctor import Finding, promise
from pipeline.operate.doctor_log import broker_findings, weakest_replication
from pipeline.ports import TopicFacts

WANTED = {"facts": {"retention.ms": "-1", "max.message.bytes": "1000"}}
RIGHT = {"retention.ms": "-1", "max.message.bytes": "1000", "min.insync.replicas": "2"}


def facts(settings: Mapping[str, str] = RIGHT, replicas: int = 3, lagging: int = 0) -> TopicFacts:
    return TopicFacts(4, replicas, lagging, settings)


def found(
    topic: TopicFacts | None,
    settings: Mapping[str, str] | None = None,
    brokers: tuple[int, int] = (3, 2),
    ahead: float = 0,
) -> dict[str, Finding]:
    topics = {} if topic is None else {"facts": topic}
    probe = MemoryBrokerProbe(topics, settings or {}, brokers=brokers, ahead=ahead)
    return {each.subject: each for each in broker_findings(probe, WANTED, transaction_timeout_ms=15_000)}


def test_a_well_kept_broker_has_nothing_but_good_findings() -> None:
    assert {each.level for each in found(facts()).values()} == {"ok"}


@pytest.mark.parametrize(
    ("topic", "level", "words"),
    [
        (None, "error", "it is missing"),
        (facts(RIGHT | {"retention.ms": "604800000"}), "error", "retention.ms is 604800000, not -1"),
        (facts(RIGHT | {"max.message.bytes": "999"}), "error", "max.message.bytes is 999"),
        (facts(RIGHT | {"max.message.bytes": "1001"}), "ok", "3 replicas of which 2"),
        (facts(lagging=2), "warning", "2 of 4 partitions"),
        (facts(RIGHT | {"unclean.leader.election.enable": "true"}), "warning", "unclean.leader.election.enable=false"),
        (facts(replicas=1), "warning", "a lost disk loses it"),
        (facts(RIGHT | {"min.insync.replicas": "1"}), "warning", "set it to 2"),
        (facts(RIGHT | {"min.insync.replicas": "3"}), "warning", "one broker down stops all writing"),
    ],
)
def test_each_way_a_topic_may_be_kept_has_its_words(topic: TopicFacts | None, level: str, words: str) -> None:
    finding = found(topic)["topic facts"]
    assert finding.level == level
    assert words in finding.detail


@pytest.mark.parametrize(
    ("settings", "brokers", "level", "words"),
    [
        ({"transaction.max.timeout.ms": "14999"}, (3, 2), "error", "no worker can write"),
        ({"transactional.id.expiration.ms": "3600000"}, (3, 2), "warning", "after 1.0 h"),
        ({}, (3, 1), "warning", "KIP-890"),
    ],
)
def test_what_transactions_need_of_the_broker_is_asked(
    settings: dict[str, str], brokers: tuple[int, int], level: str, words: str
) -> None:
    finding = found(facts(), settings, brokers)["Kafka transactions"]
    assert finding.level == level
    assert words in finding.detail


def test_a_broker_whose_clock_is_off_is_named() -> None:
    assert found(facts(), ahead=-120)["Kafka clock"].level == "warning"


def test_the_weakest_topic_counts() -> None:
    probe = MemoryBrokerProbe({"a": facts(), "__transaction_state": facts(replicas=1)}, {})
    assert weakest_replication(probe, {"a": {}}) == (1, 2)


OVERWRITES = Finding("S3 If-None-Match", "error", "…")


@pytest.mark.parametrize(
    ("errors", "replicas", "in_sync", "delivery", "level", "words"),
    [
        ([], 3, 2, "exactly_once", "ok", "exactly once from log to log and from log to store; 2 brokers"),
        ([], 1, 1, "exactly_once", "warning", "a lost disk loses the log"),
        ([], 3, 1, "exactly_once", "warning", "stands on one broker"),
        ([OVERWRITES], 3, 2, "exactly_once", "error", "nothing is promised before this is mended: S3 If-None-Match"),
        ([OVERWRITES], 3, 2, "at_least_once", "warning", "an article may stand twice"),
        ([Finding("topic facts", "error", "…")], 3, 2, "at_least_once", "error", "topic facts"),
        ([Finding("Airflow", "error", "…")], 3, 2, "exactly_once", "ok", "exactly once"),
    ],
)
def test_the_promise_is_what_was_found(
    errors: list[Finding], replicas: int, in_sync: int, delivery: str, level: str, words: str
) -> None:
    said = promise(errors, replicas=replicas, in_sync=in_sync, delivery=delivery)
    assert said.level == level
    assert words in said.detail
