"""Three nights of a line, built once; each test breaks it as it likes and leaves it as it was."""

from collections.abc import Iterator

import pytest

from pipeline import flow
from pipeline.events import Withdrawn
from tests.flow.broken import records
from tests.flow.line import Line

DATED = "Le 12 mars 2024, « nous refusons cette attaque », a déclaré le ministre, qui a accusé la Russie à Paris."


def withdrawal(line: Line, n: int) -> Withdrawn:
    """Return what fetch says when the page of an article is gone."""
    return Withdrawn(
        article_id=line.raw(n).article_id,
        revision=0,
        source="test",
        url=None,
        reason="410 Gone",
        fetched_at=line.clock.now(),
    )


@pytest.fixture(scope="module")
def built() -> Line:
    """Three nights: new articles, one unchanged, one revised, one withdrawn, one in English, one that is no event."""
    line = Line()
    for night in range(3):
        line.publish([line.raw(night * 15 + n, DATED if n == 14 else None) for n in range(15)])
        if night == 2:
            text = "Le ministre a démenti mardi avoir accusé la Russie, selon son cabinet à Paris."
            line.publish([line.raw(1), line.raw(2, text), line.raw(90, "The minister said this in London on Monday.")])
            line.publish([withdrawal(line, 3)])
            line.broker.append(records(line, flow.FETCHED)[0]._replace(headers=(), value=b"\xff"))  # type: ignore[arg-type]
        line.steps()
    return line


@pytest.fixture
def line(built: Line) -> Iterator[Line]:
    """The line, for one test to break; afterwards it is as it was."""
    objects = dict(built.store.objects)
    log = {partition: list(held) for partition, held in built.broker._records.items()}
    positions = {group: dict(at_) for group, at_ in built.broker._positions.items()}
    built.warehouse._db.execute("BEGIN")
    yield built
    built.warehouse._db.execute("ROLLBACK")
    built.store.objects = objects
    built.broker._records = log
    built.broker._positions.clear()
    built.broker._positions.update(positions)
