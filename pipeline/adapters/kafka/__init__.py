"""Kafka behind the ports `EventLog` and `LogBrowser`. The only folder that imports kafka-python."""

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.browser import KafkaBrowser, create_topics, topic_settings
from pipeline.adapters.kafka.ends import KafkaEnds
from pipeline.adapters.kafka.log import KafkaLog
from pipeline.adapters.kafka.probe import KafkaProbe
from pipeline.adapters.kafka.writer import KafkaWriter

__all__ = [
    "KafkaAccess",
    "KafkaBrowser",
    "KafkaEnds",
    "KafkaLog",
    "KafkaProbe",
    "KafkaWriter",
    "create_topics",
    "topic_settings",
]
