"""What `depeche doctor` asks of a broker: its settings, its topics', its clock. Changes nothing that is ours."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import uuid4

from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import ClusterAuthorizationFailedError, KafkaError

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import BOOTSTRAP_MS, asked
from pipeline.ports import TopicFacts

T = TypeVar("T")

_PATIENCE_S = 30.0


class KafkaProbe:
    """`BrokerProbe` over an admin client that is opened for each question."""

    def __init__(self, bootstrap: KafkaAccess | str) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)

    def brokers(self) -> tuple[int, int]:
        """See `BrokerProbe.brokers`; KIP-890 calls the protocols transaction.version 1 (or 0) and 2."""

        def ask(admin: Any) -> tuple[int, int]:
            count = len(admin.describe_cluster()["brokers"])
            try:
                features = admin.describe_features()
            except KafkaError:
                return count, 0
            levels = features.get("transaction.version", {}).get("finalized", (0,))
            return count, 2 if max(levels) >= 2 else 1

        return self._asked("asking for the brokers", ask)

    def topics(self, names: Sequence[str]) -> dict[str, TopicFacts]:
        """See `BrokerProbe.topics`."""

        def ask(admin: Any) -> dict[str, TopicFacts]:
            found = {t["name"]: t["partitions"] for t in admin.describe_topics(list(names)) if not t["error_code"]}
            settings = self._described(admin, ConfigResourceType.TOPIC, list(found))
            return {name: _facts(partitions, settings[name]) for name, partitions in found.items()}

        return self._asked("asking for the topics", ask)

    def settings(self) -> Mapping[str, str]:
        """See `BrokerProbe.settings`."""

        def ask(admin: Any) -> Mapping[str, str]:
            first = str(admin.describe_cluster()["brokers"][0]["broker_id"])
            return self._described(admin, ConfigResourceType.BROKER, [first])[first]

        return self._asked("asking for the broker's settings", ask)

    def ahead(self) -> float:
        """See `BrokerProbe.ahead`: one record in a topic of its own, stamped by the broker, removed at once."""

        def ask(admin: Any) -> float:
            topic = f"depeche.doctor.{uuid4().hex[:8]}"
            wanted = {
                "num_partitions": 1,
                "replication_factor": 1,
                "configs": {"message.timestamp.type": "LogAppendTime"},
            }
            admin.create_topics({topic: wanted}, wait_for_metadata=True)
            producer = None
            try:
                producer = KafkaProducer(**self._bootstrap.arguments(), bootstrap_timeout_ms=BOOTSTRAP_MS)
                producer.send(topic, b"first").get(timeout=10)  # whatever is slow only once
                before = time.time()
                stamped = producer.send(topic, b"what time is it?").get(timeout=10).timestamp / 1000
                return float(stamped - (before + time.time()) / 2)
            finally:
                if producer is not None:
                    producer.close(timeout=2)
                with suppress(KafkaError):
                    admin.delete_topics([topic])

        return self._asked("asking for the time", ask)

    def _described(self, admin: Any, kind: Any, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        wanted = [ConfigResource(kind, name) for name in names]
        found = admin.describe_configs(wanted, config_filter="all")[kind.name.lower()]
        if hidden := [name for name in names if not found.get(name)]:
            # kafka-python says nothing of what it may not read.
            raise ClusterAuthorizationFailedError(f"DescribeConfigs of {kind.name.lower()} {', '.join(hidden)}")
        return {name: {key: str(entry["value"]) for key, entry in found[name].items()} for name in names}

    def _asked(self, doing: str, ask: Callable[[Any], T]) -> T:
        return asked(self._bootstrap, doing, ask, seconds=_PATIENCE_S)


def _facts(partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str]) -> TopicFacts:
    return TopicFacts(
        partitions=len(partitions),
        replicas=min(len(p["replica_nodes"]) for p in partitions),
        lagging=sum(len(p["isr_nodes"]) < len(p["replica_nodes"]) for p in partitions),
        settings=settings,
    )
