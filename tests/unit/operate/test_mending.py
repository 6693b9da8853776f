from collections.abc import Sequence
from datetime import UTC, datetime

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

    def decided(self, transaction: LeftOpen) -> bool | None:
        return self._decided[transaction.producer_id]

    def end(self, transaction: LeftOpen, *, commit: bool) -> None:
        self.written[transaction.producer_id] = commit


def test_each_end_is_written_as_it_was_decided_and_none_is_guessed() -> None:
    ends = Ends({0: True, 1: False, 2: None})
    assert mend(ends, ["t"]) == [
        Mended(opened(0), "commit"),
        Mended(opened(1), "abort"),
        Mended(opened(2), "nothing"),
    ]
    assert ends.written == {0: True, 1: False}
    assert mend(ends, ["t"]) == [Mended(opened(2), "nothing")]


def test_the_doctor_names_every_place_and_the_remedy() -> None:
    found = ends_found(Ends({0: True, 3: None}), ["t"])
    assert found.level == "error"
    assert "t[0] from offset 7 on, t[3] from offset 7 on" in found.detail
    assert "`depeche mend`" in found.detail
    assert ends_found(Ends({0: True}), ["other"]).level == "ok"
