"""PLOVER's facts and the rules that hold for every event."""

import pytest

from pipeline.enrich.plover import code, known_contexts, ontology


def test_the_ontology_is_whole() -> None:
    facts = ontology()
    assert len(facts.types) == 16
    assert sum(len(each.modes) for each in facts.types.values()) == 67
    assert (len(facts.contexts), len(facts.sectors)) == (37, 25)


@pytest.mark.parametrize("type_", ["CONSULT", "SUPPORT", "COOPERATE", "AID"])
def test_announced_cooperation_is_an_agreement(type_: str) -> None:
    coding = code(type_, "visit", "future")
    assert (coding.type, coding.mode, coding.status, coding.quad_class) == ("AGREE", None, "asserted", 1)


def test_an_announced_retreat_is_a_concession() -> None:
    assert code("RETREAT", "withdraw", "future")[:3] == ("CONCEDE", None, "asserted")
    assert code("RETREAT", "withdraw", "asserted")[:3] == ("RETREAT", "withdraw", "asserted")


def test_a_future_protest_stays_a_protest() -> None:
    assert code("PROTEST", "strike", "future")[:3] == ("PROTEST", "strike", "future")


def test_the_mode_decides_the_score_and_the_type_where_there_is_none() -> None:
    assert code("ASSAULT", "drone", "asserted").score == -9.5
    assert code("ASSAULT", None, "asserted").score == -9.0
    assert code("PROTEST", "vandalize", "asserted").score == -5.0


def test_a_mode_of_another_type_is_left_out() -> None:
    assert code("CONSULT", "drone", "asserted").mode is None


@pytest.mark.parametrize(
    ("type_", "mode", "root", "goldstein"),
    [
        ("CONSULT", "visit", "04", 1.0),
        ("ACCUSE", "investigate", "09", -2.0),
        ("ACCUSE", "disapprove", "11", -2.0),
        ("ACCUSE", None, None, None),
        ("ASSAULT", "aerial", "19", -10.0),
        ("ASSAULT", None, None, None),
    ],
)
def test_the_cameo_root_is_given_only_where_there_is_one_answer(
    type_: str, mode: str | None, root: str | None, goldstein: float | None
) -> None:
    coding = code(type_, mode, "asserted")
    assert (coding.cameo_root, coding.goldstein) == (root, goldstein)


def test_every_row_of_the_way_back_to_cameo_is_a_mode_plover_has() -> None:
    for type_, facts in ontology().types.items():
        for mode in facts.modes:
            coding = code(type_, mode, "asserted")
            assert coding.mode == mode
            assert (coding.cameo_root is None) == (coding.goldstein is None)


def test_an_unknown_type_or_status_is_an_error() -> None:
    with pytest.raises(ValueError, match="no event type"):
        code("DISCUSS", None, "asserted")
    with pytest.raises(ValueError, match="no event status"):
        code("CONSULT", None, "maybe")


def test_contexts_plover_does_not_have_are_left_out() -> None:
    assert known_contexts(("military", "weather", "military", "terrorism")) == ("military", "terrorism")
