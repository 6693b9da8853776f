"""Transactions of one writer.

Promise of `KafkaWriter.write`: the messages, and the group's new positions with them, become visible together or
not at all, and a second writer with the same id makes the first one `Fenced`.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.connection import (
    ANSWER_TIMEOUT_S,
    BOOTSTRAP_MS,
    MAX_MESSAGE_BYTES,
    RECONNECT_MS,
    TRANSACTION_TIMEOUT_MS,
    foreign_errors,
    within,
)
from pipeline.errors import RetryLater
from pipeline.ports import Message

# A transaction that takes longer than its timeout is the broker's to end; ours is given up before that.
_FLUSH_S = TRANSACTION_TIMEOUT_MS / 1000 * 2 / 3


class KafkaWriter:
    """Writes messages in transactions under one `transactional_id`, which also fences its earlier bearers."""

    def __init__(self, bootstrap: KafkaAccess | str, transactional_id: str) -> None:
        self._bootstrap = KafkaAccess.of(bootstrap)
        self._transactional_id = transactional_id
        self._producer: Any = None
        self._dropped = 0

    def write(self, messages: Sequence[Message], offsets: Mapping[Any, Any] | None = None, member: Any = None) -> None:
        """Commit the messages, and the offsets of `member`'s group with them. Raises `RetryLater`, `Fenced`."""
        with foreign_errors("writing", self._bootstrap):
            try:
                within(ANSWER_TIMEOUT_S, "Kafka transaction", lambda: self._transact(messages, offsets, member))
            except BaseException:
                self._drop()
                raise

    def claim(self) -> None:
        """Fence every earlier bearer of the id, and return when what he was committing is decided."""
        with foreign_errors("claiming", self._bootstrap):
            try:
                within(ANSWER_TIMEOUT_S, "Kafka transaction", self._ready)
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    def _transact(self, messages: Sequence[Message], offsets: Mapping[Any, Any] | None, member: Any) -> None:
        producer = self._ready()
        producer.begin_transaction()
        try:
            sent = [
                producer.send(m.topic, value=m.value, key=m.key, headers=list(m.headers), partition=m.partition)
                for m in messages
            ]
            producer.flush(timeout=_FLUSH_S)
            for future in sent:
                future.get(timeout=0)
            if offsets:
                producer.send_offsets_to_transaction(dict(offsets), member)
            producer.commit_transaction()
        except (ProducerFencedError, InvalidProducerEpochError):
            raise
        except KafkaError:
            producer.abort_transaction()
            raise

    def _ready(self) -> Any:
        if self._producer is None:
            turn = self._dropped
            producer = KafkaProducer(
                **self._bootstrap.arguments(),
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=RECONNECT_MS,
                transactional_id=self._transactional_id,
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
                linger_ms=5,
                compression_type="zstd",
                max_request_size=MAX_MESSAGE_BYTES,
                max_block_ms=30_000,
            )
            try:
                producer.init_transactions()
                if turn != self._dropped:
                    # `within` left us behind: what goes on now has a producer of its own.
                    raise RetryLater("this turn was given up")
            except BaseException:
                _close(producer)
                raise
            self._producer = producer
        return self._producer

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        self._dropped += 1
        if producer is not None:
            _close(producer)


def _close(producer: Any) -> None:
    # In its own thread: closing a producer whose broker is gone can wait for ever.
    threading.Thread(target=lambda: producer.close(timeout=2), daemon=True).start()
