"""Annotated texts are written by people: what they mean, and what is refused, line by line."""

from pathlib import Path

import pytest

from training.notation import check, read_texts

TEXT = """\
### t-001 2024-03-12
titre| [Mauritanie]L : la cheffe de la diplomatie sénégalaise reçue à [Nouakchott]L
  * CONSULT visit | reçue | a: cheffe de la diplomatie sénégalaise =SEN GOV | p: Mauritanie; Nouakchott | c: diplomatic
corps| Elle a vu le ministre et le ministre l'a raccompagnée.
  * CONSULT historical | a vu | a: Elle | r: le ministre#2 | d: 2024-03-11
"""


def texts(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_sentences_entities_and_events_slice_the_text(tmp_path: Path) -> None:
    found = read_texts(texts(tmp_path, TEXT))
    assert found.faults == []
    (document,) = found.documents
    cut = lambda span: document["text"][span["start"] : span["end"]]  # noqa: E731
    assert [cut(e) for e in document["entities"]] == ["Mauritanie", "Nouakchott"]
    visit, seen = document["events"]
    assert (visit["type"], visit["mode"], visit["status"]) == ("CONSULT", "visit", "asserted")
    assert [cut(p) for p in visit["places"]] == ["Mauritanie", "Nouakchott"]
    assert visit["actors"][0]["country"] == "SEN"
    assert visit["actors"][0]["sector"] == ["GOV"]
    assert (seen["status"], seen["date"], seen["sentence"]) == ("historical", "2024-03-11", 1)
    assert seen["recipients"][0]["start"] > document["text"].index("le ministre")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("corps| Un [nom]Q inconnu.", "followed by 'Q'"),
        ("corps| Un [nom sans fin.", "bracket"),
        ("phrase| Une phrase.", "starts with its kind"),
        ("  * INVADE | reçue", "no PLOVER type"),
        ("  * CONSULT drone | raccompagnée", "neither a status nor a mode"),
        ("  * CONSULT | absente", "not in its sentence"),
        ("  * CONSULT | accompagnée", "not a whole word"),
        ("  * CONSULT | raccompagnée | z: rien", "none of a: r: p: d: c:"),
        ("  * CONSULT | raccompagnée | d: hier", "no ISO date"),
        ("  * CONSULT | raccompagnée | c: cuisine", "no PLOVER context"),
        ("  * CONSULT | raccompagnée | a: Elle =FRANCE", "three letters"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named_with_its_number(tmp_path: Path, line: str, why: str) -> None:
    (fault,) = read_texts(texts(tmp_path, f"{TEXT}{line}\n")).faults
    assert (fault.file, fault.line) == ("t.txt", 6)
    assert why in fault.why


def test_a_doubled_sentence_or_document_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check([texts(tmp_path, f"{TEXT}\n{TEXT}")]) == 3
    assert "document t-001 is there 2 times" in capsys.readouterr().out


def test_a_line_before_any_document_is_a_fault(tmp_path: Path) -> None:
    (fault,) = read_texts(texts(tmp_path, "corps| Une phrase seule.\n")).faults
    assert "no document" in fault.why
