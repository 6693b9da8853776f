"""What was turned down, wired."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from pipeline.adapters.kafka import KafkaWriter
from pipeline.bootstrap.wiring import browser, kafka, settings, store
from pipeline.errors import Fenced
from pipeline.history import History
from pipeline.operate import rejected


@contextmanager
def rejections() -> Iterator[History]:
    """Yield the log and, behind what retention took from it, its archive."""
    s = settings()
    with browser(s) as looking:
        yield History(looking, store(s))


def retry_rejected(choose: Callable[[History], Callable[[rejected.Entry], bool]]) -> rejected.Report:
    """Try again what `choose` chooses, each rejection at most once in its life. Raises `Fenced`, `RetryLater`."""
    with rejections() as looking, closing(KafkaWriter(kafka(settings()), rejected.RETRY_ID)) as writer:
        try:
            return rejected.retry(looking, writer, choose(looking))
        except Fenced as error:
            raise Fenced(
                "another retry began meanwhile and took over; run yours again: nothing is tried twice"
            ) from error
