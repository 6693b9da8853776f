"""Kafka behind the ports `EventLog` and `LogBrowser`. The only folder that imports kafka-python."""

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.browser import KafkaBrowser, create_topics
from pipeline.adapters.kafka.log import KafkaLog, KafkaWriter

__all__ = ["KafkaAccess", "KafkaBrowser", "KafkaLog", "KafkaWriter", "create_topics"]
