"""Bytes to characters, characters to clean text, text to sentences."""

import pytest

from pipeline.normalise.charset import decode
from pipeline.normalise.sentences import cut
from pipeline.normalise.text import clean, paragraphs

ACCENTED = "Été à Orléans, cœur déçu"


@pytest.mark.parametrize("declared", [None, "utf-8", "iso-8859-1", "nonsense", "rot13"])
@pytest.mark.parametrize("stored", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_accents_survive_whatever_the_header_says(stored: str, declared: str | None) -> None:
    assert decode(ACCENTED.encode(stored), declared).text == ACCENTED


def test_utf_16_without_a_mark_is_seen() -> None:
    assert decode(ACCENTED.encode("utf-16-le")).text == ACCENTED
    assert decode(ACCENTED.encode("utf-16-be")).text == ACCENTED


def test_a_declared_charset_that_fits_breaks_the_tie() -> None:
    assert decode("Łódź".encode("iso-8859-2"), "iso-8859-2").text == "Łódź"


def test_bytes_that_cp1252_leaves_undefined_do_not_stop_it() -> None:
    assert decode(b"\x81caf\xe9").text.endswith("café")


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("e\u0301te\u0301", "été"),
        ("a\u200bb\u00adc\ufeffd", "abcd"),
        ("10\u00a0000\u202feuros", "10 000 euros"),
        ("5 \x80", "5 €"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a \t b", "a b"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("a\0b\x07", "ab"),
    ],
)
def test_dirt_is_cleaned(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected
    assert clean(expected) == expected


def test_wrapped_lines_are_one_paragraph_where_empty_lines_part_them() -> None:
    assert paragraphs("un\ndeux\n\ntrois") == ["un deux", "trois"]
    assert paragraphs("un\ndeux") == ["un", "deux"]


def pieces(*given: str, titled: bool = False) -> list[tuple[str, str]]:
    text, sentences = cut(given, titled=titled)
    return [(s.kind, text[s.start : s.end]) for s in sentences]


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("Un mot. Deux mots.", ["Un mot.", "Deux mots."]),
        ("M. Stoltenberg est à Kiev. Il y reste.", ["M. Stoltenberg est à Kiev.", "Il y reste."]),
        ("Selon Mme. Dupont, J. Martin et le Dr. No. Fin.", ["Selon Mme. Dupont, J. Martin et le Dr. No.", "Fin."]),
        ("Il a dit « non ». Puis rien.", ["Il a dit « non ».", "Puis rien."]),
        ("« Non ! » Elle part.", ["« Non ! »", "Elle part."]),
        ("Vraiment ?! 20 morts.", ["Vraiment ?!", "20 morts."]),
        ("Le pib a cru de 2.5 % en 2017. Bien.", ["Le pib a cru de 2.5 % en 2017.", "Bien."]),
        ("C'est fini.Le lendemain tout recommence.", ["C'est fini.", "Le lendemain tout recommence."]),
        ("Les Etats-Unis et l'O.N.U. se taisent.", ["Les Etats-Unis et l'O.N.U. se taisent."]),
        ("et puis… rien d'autre", ["et puis… rien d'autre"]),
    ],
)
def test_sentences_are_cut_by_the_rule_of_the_annotated_data(paragraph: str, expected: list[str]) -> None:
    assert [text for _, text in pieces(paragraph)] == expected


@pytest.mark.parametrize(
    ("paragraph", "kind"),
    [
        ('- "Tous ensemble" -', "heading"),
        ("Le président à Kiev, le 20 avril 2023 ( Service de presse / Handout )", "caption"),
        ("Carte de la ligne de front ( AFP / )", "caption"),
        ('"Nous avons affaire à un bloc agressif".', "quote"),
        ("« Nous ne céderons pas. »", "quote"),
        ("Les alliés sont réunis vendredi.", "body"),
    ],
)
def test_a_sentence_knows_its_kind(paragraph: str, kind: str) -> None:
    assert [k for k, _ in pieces(paragraph)] == [kind]


@pytest.mark.parametrize(
    "head",
    [
        "PARIS -",
        "PARIS (AFP) -",
        "NOUAKCHOTT, 12 mars 2024 (AFP) -",
        "Paris, 12 mars 2024 (AFP) -",
        "ANCHORAGE (Etats-Unis), 15 août 2025 (AFP) -",
        "LA HAYE, 25 juin 2025 (Belga) -",
    ],
)
def test_a_dateline_stands_apart(head: str) -> None:
    assert pieces(f"{head} Le ministre est parti. Il revient.") == [
        ("dateline", head),
        ("body", "Le ministre est parti."),
        ("body", "Il revient."),
    ]


def test_a_title_is_a_heading_and_no_sentence_crosses_a_paragraph() -> None:
    assert pieces("Un titre sans point", "Le texte sans point", "la suite", titled=True) == [
        ("heading", "Un titre sans point"),
        ("body", "Le texte sans point"),
        ("body", "la suite"),
    ]
