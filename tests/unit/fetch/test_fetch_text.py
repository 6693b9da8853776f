"""Text files as a source."""

import pytest

from pipeline.adapters.memory_store import MemoryStore
from pipeline.errors import RetryLater
from pipeline.fetch import Source
from pipeline.identity import article_id
from tests.fixtures.fetching import START, Pulled, articles, days, spoiled

SEED = " date 2023-04 Un ministre à Kiev ( AFP / X )\n\nLe ministre est arrivé."


@pytest.fixture
def agency() -> Pulled:
    pulled = Pulled(Source(name="agence", kind="text", path="articles/*.txt"))
    pulled.write("articles/b.txt", SEED)
    pulled.write("articles/a.txt", "Autre texte.")
    pulled.write("articles/notes.md", "pas un article")
    pulled.write("ailleurs/c.txt", "ailleurs")
    return pulled


def test_each_file_is_an_article_with_its_bytes_untouched(agency: Pulled) -> None:
    first, second = articles(agency.pull())
    assert (first.position, second.position) == ("articles/a.txt", "articles/b.txt")
    assert second.body == SEED.encode()
    assert second.article_id == article_id(source="agence", own_id="articles/b.txt")
    assert (second.media_type, second.url, second.published_at) == ("text/plain", None, None)
    assert second.fetched_at == agency.clock.now()


def test_a_second_pull_gives_only_what_is_new_or_changed(agency: Pulled) -> None:
    agency.pull()
    assert agency.pull() == []
    agency.write("articles/b.txt", SEED + " Il repart.")
    agency.write("articles/c.txt", "Nouveau.")
    assert [item.position for item in articles(agency.pull())] == ["articles/b.txt", "articles/c.txt"]
    assert agency.pull() == []


def test_a_file_that_was_only_touched_is_not_new(agency: Pulled) -> None:
    agency.pull()
    assert agency.state is not None
    etagged = {key: f"older {note.split()[1]}" for key, note in agency.state.cursor.items()}
    agency.state = type(agency.state)(source="agence", cursor=etagged, fetched_at=START)
    assert agency.pull() == []
    assert not any(note.startswith("older") for note in agency.state.cursor.values())


def test_files_that_are_gone_leave_the_cursor(agency: Pulled) -> None:
    agency.pull()
    del agency.files.objects["articles/a.txt"]
    assert agency.pull() == []
    assert agency.state is not None
    assert set(agency.state.cursor) == {"articles/b.txt"}


def test_a_folder_that_vanished_fails_the_source_and_forgets_nothing(agency: Pulled) -> None:
    agency.pull()
    before = agency.state
    agency.files.objects.clear()
    with pytest.raises(RetryLater, match="names no file"):
        agency.pull()
    assert agency.state == before


def test_a_file_taken_away_since_it_was_listed_does_not_stop_the_others(agency: Pulled) -> None:
    class Thief(MemoryStore):
        def get(self, key: str, length: int | None = None) -> bytes:
            if key == "articles/a.txt":
                raise KeyError(key)
            return super().get(key, length)

    thief = Thief()
    thief.objects = agency.files.objects
    agency.files = thief
    assert [item.position for item in articles(agency.pull())] == ["articles/b.txt"]


def test_a_window_gives_every_file_again_for_none_has_a_date(agency: Pulled) -> None:
    agency.pull()
    before = agency.state
    assert len(articles(agency.pull(days(START, 1)))) == 2
    assert before is not None
    assert agency.state is not None
    assert agency.state.cursor == before.cursor


@pytest.mark.parametrize("body", [b"", b" \n\t\r\n", b"\0\0\0"])
def test_a_file_of_nothing_is_rejected_as_empty_once(agency: Pulled, body: bytes) -> None:
    agency.write("articles/a.txt", body)
    (bad,) = spoiled(agency.pull())
    assert (bad.flaw.reason, bad.position, bad.original, bad.size) == ("empty", "articles/a.txt", body, len(body))
    assert agency.pull() == []


def test_fifty_megabytes_are_rejected_with_their_first_one_and_true_size(agency: Pulled) -> None:
    agency.write("articles/a.txt", b"a" * 50 * 2**20)
    (bad,) = spoiled(agency.pull())
    assert (bad.flaw.reason, len(bad.original), bad.size) == ("oversize", 2**20, 50 * 2**20)
    assert bad.article_id == article_id(source="agence", own_id="articles/a.txt")
    assert agency.pull() == []


def test_hauls_are_small_and_each_can_be_resumed_from() -> None:
    agency = Pulled(Source(name="agence", kind="text", path="a/*.txt"))
    for number in range(120):
        agency.write(f"a/{number:03}.txt", f"Texte {number}.")
    whole = agency.hauls()
    assert [len(haul.items) for haul in whole] == [50, 50, 20]
    assert [haul.state.succeeded_at is not None for haul in whole] == [False, False, True]
    agency.state = whole[0].state
    rest = [item.position for item in articles(agency.pull())]
    assert rest == [f"a/{number:03}.txt" for number in range(50, 120)]


def test_large_bodies_make_smaller_hauls() -> None:
    agency = Pulled(Source(name="agence", kind="text", path="a/*.txt"))
    for number in range(4):
        agency.write(f"a/{number}.txt", b"a" * 9 * 2**20)
    assert [len(haul.items) for haul in agency.hauls()] == [1, 1, 1, 1]
