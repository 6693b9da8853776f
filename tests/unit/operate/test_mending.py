from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.errors import RetryLater
from pipeline.operate.mending import Mended, ends_found, mend
from pipeline.ports import LeftOpen, Partition


def opened(number: int) -> LeftOpen:
    return LeftOpen(Partition("t", number), 7, datetime(2026, 11, 28, tzinfo=UTC), number, 0, 0)


class Ends:
    """`TransactionEnds` of what is given: which producer's transaction was decided how."""

    def __init__(self, decided: dict[int, bool | None]) -> None:
        self._decided = decided
        self.written: dict[int, bool] = {}

    def left_open(self, topics: Sequence[str]) -> list[LeftOpen]:
        return [opened(number) for number in self._decided if number not in self.written and "t" in topics]

    writes_on: frozenset[int] = frozenset()
    """Producers that write again while it is looked what was decided."""

    def decided(self, transaction: LeftOpen) -> bool | None:
        decided = self._decided[transaction.producer_id]
        if transaction.producer_id in self.writes_on:
            del self._decided[transaction.producer_id]
        return decided

    def end(self, transaction: LeftOpen, *, commit: bool) -> None:
        self.written[transaction.producer_id] = commit


def test_each_end_is_written_as_it_was_decided_and_none_is_guessed() -> None:
    ends = Ends({0: True, 1: False, 2: None})
    assert [(each.transaction, each.wrote) for each in mend(ends, ["t"])] == [
        (opened(0), "commit"),
        (opened(1), "abort"),
        (opened(2), "nothing"),
    ]
    assert ends.written == {0: True, 1: False}
    (left,) = mend(ends, ["t"])
    assert left == Mended(opened(2), "nothing", "what was decided is nowhere kept any more")


def test_what_its_producer_goes_on_with_is_left_to_it() -> None:
    ends = Ends({0: True, 1: True})
    ends.writes_on = frozenset({0})
    assert [each.wrote for each in mend(ends, ["t"])] == ["nothing", "commit"]
    assert ends.written == {1: True}


def test_one_end_that_is_refused_does_not_keep_the_others_from_being_written() -> None:
    class Refusing(Ends):
        def end(self, transaction: LeftOpen, *, commit: bool) -> None:
            if transaction.producer_id == 0:
                raise RetryLater("refused")
            super().end(transaction, commit=commit)

    assert mend(Refusing({0: True, 1: True}), ["t"]) == [
        Mended(opened(0), "nothing", "refused"),
        Mended(opened(1), "commit"),
    ]


def test_the_doctor_names_every_place_and_the_remedy() -> None:
    found = ends_found(Ends({0: True, 3: None}), ["t"])
    assert found.level == "error"
    assert "t[0] from offset 7 on, t[3] from offset 7 on" in found.detail
    assert "`depeche mend`" in found.detail
    assert ends_found(Ends({0: True}), ["other"]).level == "ok"
