"""What a run writes into the first topic: articles, revisions, repetitions, withdrawals, other languages, poison."""

import contextlib
import queue
import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from pipeline import codec, flow
from pipeline.adapters.kafka import KafkaBrowser, KafkaWriter
from pipeline.errors import RetryLater
from pipeline.events import Event, Payload, RawArticle, Withdrawn
from pipeline.identity import article_id
from pipeline.ports import Message, Record

_TEXTS = (
    "Le ministre {n} a accusé mardi la Russie d'avoir attaqué Kiev, selon un communiqué publié à Paris.",
    "Le ministre {n} a démenti mercredi avoir accusé la Russie, selon son cabinet à Paris.",
    "The minister number {n} accused Russia on Tuesday of having attacked the city, a statement said.",
)
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def inputs(seed: int, count: int) -> list[Message]:
    """Return `count` inputs over half as many articles; no two are at one instant, so that each has its own id."""
    chance = random.Random(seed)
    out = []
    for n in range(count):
        number = chance.randrange(max(1, count // 2))
        at = _BEGIN + timedelta(milliseconds=n)
        name = article_id(source="chaos", own_id=str(number))
        data: Payload
        if chance.random() < 0.04:
            data = Withdrawn(article_id=name, revision=0, source="chaos", url=None, reason="gone", fetched_at=at)
        else:
            data = RawArticle(
                article_id=name,
                source="chaos",
                url=None,
                position=f"input {n}",
                body=chance.choices(_TEXTS, (6, 3, 1))[0].format(n=number).encode(),
                media_type="text/plain",
                fetched_at=at,
            )
        wire = codec.encode(Event(codec.envelope(data, time=at, cause=None), data))
        out.append(Message(flow.FETCHED, wire.key, wire.headers, wire.value))
    return out


def poison(chance: random.Random) -> list[Message]:
    """Return records that no step can read: noise, nothing but zeros, an event cut in half."""
    told = (
        ("ce_type", b"news.article.fetched"),
        ("ce_specversion", b"1.0"),
        ("ce_id", chance.randbytes(8).hex().encode()),
    )
    return [
        Message(flow.FETCHED, chance.randbytes(6), (), chance.randbytes(40)),
        Message(flow.FETCHED, chance.randbytes(6), (), chance.randbytes(9) + bytes(50_000)),
        Message(flow.FETCHED, chance.randbytes(6), told, b'{"article_id": ' + chance.randbytes(4)),
    ]


def identity(message: Message | Record) -> bytes:
    """Return what tells an input from any other."""
    return dict(message.headers).get("ce_id") or message.value


class Publisher:
    """Writes batches in its own thread, each exactly once, whatever happens to the broker meanwhile."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._queue: queue.Queue[Sequence[Message] | None] = queue.Queue()
        self.written: list[Message] = []
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def write(self, batch: Sequence[Message]) -> None:
        """Write the batch behind those before it."""
        self._queue.put(batch)

    def finish(self, meanwhile: Callable[[], None]) -> None:
        """Return when everything is written."""
        self._queue.put(None)
        while self._thread.is_alive():
            meanwhile()
            self._thread.join(0.1)

    def _work(self) -> None:
        with contextlib.closing(KafkaWriter(self._bootstrap, "chaos")) as writer:
            while (batch := self._queue.get()) is not None:
                left = list(batch)
                while left:
                    try:
                        writer.write(left)
                        left = []
                    except RetryLater:
                        left = self._missing(left, writer)
                self.written += batch

    def _missing(self, batch: Sequence[Message], writer: KafkaWriter) -> list[Message]:
        """Return what of a batch is not there: a commit without an answer may have happened.

        The empty transaction comes first: it fences the producer that failed, whose bytes may still be on their way.
        """
        while True:
            with contextlib.suppress(RetryLater), contextlib.closing(KafkaBrowser(self._bootstrap)) as browser:
                writer.write([])
                there = {
                    identity(record)
                    for partition, (start, end) in browser.bounds(flow.FETCHED).items()
                    for record in browser.read(partition, start, end)
                }
                return [message for message in batch if identity(message) not in there]
