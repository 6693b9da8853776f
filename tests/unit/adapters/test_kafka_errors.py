"""kafka-python's errors become ours, whichever way it tells them."""

import pytest
from kafka.errors import KafkaError, ProducerFencedError, TopicAuthorizationFailedError

from pipeline.adapters.kafka import KafkaAccess
from pipeline.adapters.kafka.connection import foreign_errors
from pipeline.errors import DepecheError, Fenced, Misconfigured, RetryLater

HERE = KafkaAccess("127.0.0.1:1")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (ProducerFencedError(), Fenced),
        (KafkaError(f"Cannot execute transactional method: {ProducerFencedError()}"), Fenced),
        (TopicAuthorizationFailedError("a"), Misconfigured),
        (KafkaError("anything"), RetryLater),
        (ConnectionResetError(), RetryLater),
    ],
)
def test_an_error_says_who_has_to_act(theirs: Exception, ours: type[DepecheError]) -> None:
    with pytest.raises(ours) as told, foreign_errors("writing", HERE):
        raise theirs
    assert type(told.value) is ours
    assert told.value.__cause__ is theirs
