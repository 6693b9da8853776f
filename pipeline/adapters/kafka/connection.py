"""What every user of Kafka shares: limits, errors turned into ours, a consumer of committed records."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    IllegalSaslStateError,
    InvalidProducerEpochError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    ProducerFencedError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from pipeline.adapters.kafka.access import KafkaAccess
from pipeline.adapters.kafka.handshake import WRONG_MECHANISM, WRONG_PASSWORD, misunderstanding
from pipeline.errors import Fenced, Misconfigured, RetryLater
from pipeline.ports import Record

T = TypeVar("T")

MAX_MESSAGE_BYTES = 16 * 2**20
# A killed worker's open transaction hides what follows it from readers until this long has passed.
TRANSACTION_TIMEOUT_MS = 15_000
SESSION_TIMEOUT_MS = 10_000
# A broker that is up answers at once; whoever waits for one that is not yet asks again.
BOOTSTRAP_MS = 5_000
# kafka-python waits up to 30 s before it asks a broker again that was away; one that was restarted is back in five.
RECONNECT_MS = 1_000
# kafka-python's transaction calls wait without a limit; past this one the worker is failed instead.
ANSWER_TIMEOUT_S = 60.0
_TAKEN_OVER = (ProducerFencedError, InvalidProducerEpochError, FencedInstanceIdError)


@contextmanager
def foreign_errors(doing: str, where: KafkaAccess) -> Iterator[None]:
    """Turn kafka-python's errors into `Fenced`, `Misconfigured` and `RetryLater`, saying what was being done."""
    try:
        yield
    except _TAKEN_OVER as error:
        raise Fenced(f"{doing}: another instance of this worker took over ({error})") from error
    except SaslAuthenticationFailedError as error:
        raise Misconfigured(f"{doing}: Kafka at {where}: {WRONG_PASSWORD}") from error
    except (UnsupportedSaslMechanismError, IllegalSaslStateError) as error:
        raise Misconfigured(f"{doing}: Kafka at {where}: {WRONG_MECHANISM}") from error
    except AuthorizationError as error:
        raise Misconfigured(
            f"{doing}: Kafka at {where} does not allow it ({type(error).__name__});"
            " grant what infra/kafka/acls.txt lists for this step"
        ) from error
    except (KafkaError, OSError) as error:
        # Of a producer that failed for good, kafka-python tells the reason in the text alone.
        if any(kind.__name__ in str(error) for kind in _TAKEN_OVER):
            raise Fenced(f"{doing}: another instance of this worker took over ({error})") from error
        unanswered = isinstance(error, (KafkaTimeoutError, KafkaConnectionError))
        if unanswered and (told := misunderstanding(where)):
            raise Misconfigured(f"{doing}: Kafka at {where}: {told}") from error
        # Once it knows that it is fenced, kafka-python says so only in the text of whatever it is asked for next.
        if "ProducerFenced" in str(error):
            raise Fenced(f"{doing}: another instance of this worker took over ({error})") from error
        raise RetryLater(f"{doing}: Kafka at {where} did not do it ({error!r}); is the broker up?") from error


def within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """Return what `call` returns, or raise `RetryLater` when it takes longer; it is then left behind."""
    box: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            box.append(call())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, whatever it is
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if thread.is_alive():
        raise RetryLater(f"{what}: no answer from Kafka in {seconds:.0f} s")
    return box[0]


def asked(access: KafkaAccess, doing: str, ask: Callable[[Any], T], *, seconds: float) -> T:
    """Return what `ask` returns of an admin client that is opened for it. Raises `RetryLater` when it takes longer."""

    def opened() -> T:
        with KafkaAdminClient(**access.arguments(), bootstrap_timeout_ms=BOOTSTRAP_MS) as admin:
            return ask(admin)

    with foreign_errors(doing, access):
        return within(seconds, doing, opened)


def record(raw: Any) -> Record:
    """Return kafka-python's record as ours."""
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp=datetime.fromtimestamp(raw.timestamp / 1000, tz=UTC),
        key=raw.key or b"",
        headers=tuple([(name, value or b"") for name, value in raw.headers]),  # Kafka knows headers without a value
        value=raw.value or b"",
    )


def consumer(access: KafkaAccess, **more: Any) -> Any:
    """Return a consumer that sees committed records only, from the beginning on, and commits nothing by itself."""
    settings: dict[str, Any] = {
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "reconnect_backoff_max_ms": RECONNECT_MS,
        "isolation_level": "read_committed",
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "max_partition_fetch_bytes": MAX_MESSAGE_BYTES,
        # What has been fetched waits in memory; a batch that is larger comes all the same.
        "fetch_max_bytes": MAX_MESSAGE_BYTES,
    }
    return KafkaConsumer(**access.arguments() | settings | more)


def require_sight(reader: Any) -> None:
    """Raise kafka-python's error for topics that the broker hides from us; it would wait for them for ever."""
    if hidden := reader._cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError(", ".join(sorted(hidden)))
