"""Plain texts and pages become articles with the right title, date and text; what changed is seen."""

from datetime import UTC, datetime

import msgspec
import pytest

from pipeline.errors import Flaw
from pipeline.events import Article, ArticleState, Withdrawn
from pipeline.normalise import clean
from pipeline.normalise.revise import revise, withdraw
from pipeline.outcome import Emitted, Unchanged
from tests.fixtures.seeds import SEEDS
from tests.unit.normalise.test_bad_input import FRENCH, NOW, check_offsets, raw

SEED = SEEDS / "articles" / "000_e533717fe8e3d753.txt"


def article(body: str, media_type: str = "text/plain", **more: object) -> Article:
    found = clean(raw(body.encode(), media_type, **more), NOW)
    assert isinstance(found, Article), found
    check_offsets(found)
    return found


def test_the_seeds_month_becomes_a_day_from_its_own_caption() -> None:
    found = clean(raw(SEED.read_bytes()), NOW)
    assert isinstance(found, Article)
    assert found.published_at == datetime(2023, 4, 21, tzinfo=UTC)
    assert found.published_precision == "day"
    kinds = [s.kind for s in found.sentences]
    assert kinds.count("caption") == 2
    assert kinds.count("heading") == 2
    assert not found.text.startswith("date")


@pytest.mark.parametrize(
    ("body", "day"),
    [
        ("Il est arrivé jeudi à Kiev.", 20),
        ("Il est arrivé jeudi à Kiev et repart vendredi.", 21),
        ("Il a visité la ville.", 20),
    ],
)
def test_a_day_is_taken_where_weekdays_agree(body: str, day: int) -> None:
    found = article(f" date 2023-04 Le président, le 20 avril 2023 ( AFP / )\n\n{body} {FRENCH.replace('mardi ', '')}")
    assert found.published_at == datetime(2023, 4, day, tzinfo=UTC)


@pytest.mark.parametrize(
    "head",
    [
        "Le président, le 20 avril 2023 ( AFP / )\n\nIl est venu lundi.",  # the weekday says another day
        "Le président, le 20 mars 2023 ( AFP / )\n\nIl est venu.",  # another month
        "Le 20 avril 2023 ( AFP / )\n\nLe 21 avril 2023 ( AFP / )\n\nIl est venu.",  # two days
        "Le président ( AFP / )\n\nIl est venu.",  # none
    ],
)
def test_a_day_is_not_guessed(head: str) -> None:
    found = article(f" date 2023-04 {head} {FRENCH.replace('mardi ', '')}")
    assert found.published_at == datetime(2023, 4, 1, tzinfo=UTC)
    assert found.published_precision == "month"


def test_a_first_line_that_can_only_be_a_headline_is_the_title() -> None:
    found = article(f"Paris reprend les négociations\n\n{FRENCH}")
    assert found.title == "Paris reprend les négociations"
    assert found.sentences[0].kind == "heading"
    assert article(f"{FRENCH}\n\n{FRENCH}").title is None


PAGE = """<!doctype html><html lang="fr"><head><title>Négociations : Paris cède - Le Fil</title>
<meta property="og:title" content="Négociations : Paris cède - Le Fil"><meta property="og:site_name" content="Le Fil">
<meta property="og:type" content="{kind}">
<meta property="article:published_time" content="2024-03-12T07:08:09+01:00">{head}</head><body>
<nav><a href="/">Accueil</a><a href="/monde">Monde</a></nav><article><h1>Négociations : Paris cède</h1>
<p>AFP, publié le mardi 12 mars 2024 à 07h08</p>{body}</article>
<footer>Tous droits réservés</footer></body></html>"""
BODY = f"<p>{FRENCH * 2}</p><h2>Un recul</h2><p>{FRENCH * 2}</p>"


def page(kind: str = "article", head: str = "", body: str = BODY) -> str:
    return PAGE.format(kind=kind, head=head, body=body)


def test_a_page_gives_title_instant_and_text_without_its_furniture() -> None:
    found = article(page(), "text/html")
    assert found.title == "Négociations : Paris cède"
    assert found.published_at == datetime.fromisoformat("2024-03-12T07:08:09+01:00")
    assert found.published_precision == "instant"
    assert "publié le" not in found.text
    assert "Accueil" not in found.text
    assert "Tous droits" not in found.text
    assert found.text.startswith("Négociations : Paris cède\n\nLe ministre")


def test_text_the_extractor_loses_is_taken_from_what_the_page_says_itself() -> None:
    whole = " ".join([FRENCH.strip()] * 12)
    data = {"@type": "NewsArticle", "headline": "Titre", "articleBody": whole}
    head = f"<script type='application/ld+json'>{msgspec.json.encode(data).decode()}</script>"
    found = article(page(head=head, body=f"<p>{FRENCH * 3}</p>"), "text/html")
    assert found.text.count("Le ministre a annoncé") == 12


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (page(kind="video.other", body="<p>Regardez notre reportage en vidéo.</p>"), "not_an_article"),
        (page(head='<script type="application/ld+json">{"@type": "ImageGallery"}</script>'), "not_an_article"),
        (page(body=f"<p>{FRENCH}</p>"), "not_an_article"),
        (
            PAGE.replace("Négociations : Paris cède", "Page introuvable").format(kind="website", head="", body=BODY),
            "not_an_article",
        ),
        ("<html><body></body></html>", "no_text"),
        ("<!-- -->", "no_text"),
    ],
)
def test_what_is_no_article_is_turned_down(source: str, reason: str) -> None:
    found = clean(raw(source.encode(), "text/html"), NOW)
    assert isinstance(found, Flaw)
    assert found.reason == reason


def test_a_page_in_cp1252_that_declares_utf_8_keeps_its_accents() -> None:
    body = page(head='<meta charset="utf-8">').encode("cp1252")
    found = clean(raw(body, "text/html", charset="utf-8"), NOW)
    assert isinstance(found, Article)
    assert "annoncé" in found.text
    assert found.notes == ("declared utf-8, read as cp1252",)


def known(found: Article) -> ArticleState:
    outcome = revise(found, None, NOW)
    assert isinstance(outcome, Emitted)
    assert outcome.state is not None
    return outcome.state


def test_the_first_time_is_revision_1_and_changed_text_the_next() -> None:
    first, changed = article(FRENCH * 2), article(FRENCH * 3)
    state = known(first)
    assert (state.revision, state.inputs, state.unchanged) == (1, 1, 0)
    again = revise(first, state, NOW)
    assert isinstance(again, Unchanged)
    assert (again.state.revision, again.state.inputs, again.state.unchanged) == (1, 2, 1)
    second = revise(changed, again.state, NOW)
    assert isinstance(second, Emitted)
    assert isinstance(second.data, Article)
    assert (second.data.revision, second.state and second.state.inputs) == (2, 3)


def test_page_furniture_that_changes_is_no_revision() -> None:
    one = article(page(), "text/html")
    other = article(page().replace("Tous droits réservés", "© 2027"), "text/html")
    assert isinstance(revise(other, known(one), NOW), Unchanged)


def test_a_withdrawn_article_that_returns_is_a_revision() -> None:
    first = article(FRENCH * 2)
    gone = Withdrawn(article_id="a", revision=0, source="s", url=None, reason="410", fetched_at=NOW)
    outcome = withdraw(gone, known(first), NOW)
    assert isinstance(outcome, Emitted)
    assert outcome.state is not None
    assert outcome.state.withdrawn
    assert isinstance(withdraw(gone, outcome.state, NOW), Unchanged)
    back = revise(first, outcome.state, NOW)
    assert isinstance(back, Emitted)
    assert isinstance(back.data, Article)
    assert back.data.revision == 3


def test_an_author_of_the_source_is_kept_where_the_page_names_none() -> None:
    found = article(FRENCH * 2, authors=(" Awa  Diallo ",))
    assert found.authors == ("Awa Diallo",)
