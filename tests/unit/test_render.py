"""What a person or program sees of an enriched article: a line of JSON, tables, a page."""

import html
import io
import json
import re
from html.parser import HTMLParser

import msgspec
from rich.console import Console

from pipeline.enrich import read_article
from pipeline.events import EnrichedArticle
from pipeline.render import html_page, json_line, tables
from pipeline.render.words import headline
from tests.unit.enrich.examples import NOW, article, model

MODEL = model(
    {"Otan": "ORG", "Kiev": "LOC", "Jens Stoltenberg": "PER", "M. Stoltenberg": "PER"},
    {"attaque": "ASSAULT", "entretenu": "CONSULT"},
)
TEXT = "Jens Stoltenberg s'est entretenu jeudi à Kiev. Une attaque a visé Kiev, dit M. Stoltenberg."


def _enriched(text: str = TEXT, title: str | None = "Otan & Kiev") -> EnrichedArticle:
    return read_article(article(text, title=title), model=MODEL, now=NOW)


def test_json_is_the_contract_on_one_line() -> None:
    enriched = _enriched()
    line = json_line(enriched)
    assert "\n" not in line
    assert list(json.loads(line)) == [
        "article",
        "mentions",
        "entities",
        "times",
        "events",
        "model",
        "processed_at",
        "quotes",
    ]
    assert msgspec.json.decode(line, type=EnrichedArticle) == enriched


def test_tables_show_events_entities_and_times_without_reading_markup_in_them() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(tables(_enriched(title="[red]Alerte[/red] à Kiev")))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[red]Alerte[/red] à Kiev" in shown
    assert "M. Stoltenberg" in shown
    for each in ("CONSULT", "ASSAULT", "Jens Stoltenberg", "UKR", "703448", "2023-04-20"):
        assert each in shown


def test_an_article_without_a_title_is_headed_by_its_first_sentence() -> None:
    assert headline(_enriched(title=None)) == "Jens Stoltenberg s'est entretenu jeudi à Kiev."
    assert headline(_enriched("", title=None)) == ""


class _Reader(HTMLParser):
    """Collects tags and text, and checks that what opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _page(*articles: EnrichedArticle) -> _Reader:
    reader = _Reader()
    reader.feed(html_page(articles))
    assert reader.open == []
    return reader


def test_the_page_stands_alone() -> None:
    page = _page(_enriched())
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
    assert all("src" not in attrs and not any(name.startswith("on") for name in attrs) for _, attrs in page.tags)
    assert "@import" not in html_page([_enriched()])
    assert "url(" not in html_page([_enriched()])


def test_the_page_escapes_what_articles_say() -> None:
    hostile = '<script>alert("1")</script> & <b onclick=x>Kiev</b> attaque.'
    source = html_page([_enriched(hostile, title="</title><script>x</script>")])
    assert "<script" not in source
    assert html.escape("</title><script>x</script>") in source
    page = _page(_enriched(hostile, title="</title><script>x</script>"))
    assert not {tag for tag, _ in page.tags} & {"script", "b"}


def test_the_page_marks_entities_events_their_arguments_and_times_in_words() -> None:
    page = _page(_enriched())
    titles = [attrs["title"] for tag, attrs in page.tags if tag == "mark"]
    assert "person: Jens Stoltenberg" in titles
    assert "event 1: CONSULT" in titles
    assert "time: 2023-04-20" in titles
    assert "of event: who 1" in titles
    assert "of event: to whom 1, where 1" in titles


def test_an_argument_holds_the_names_in_it_and_every_letter_stands_once() -> None:
    source = html_page([_enriched()])
    assert source.index('title="place: Kiev"') > source.index('title="of event: to whom 1, where 1"')
    text = source[source.index('<p class="body">') :]
    without_marks = re.sub(r"<su[bp].*?</su[bp]>|<a .*?</a>|<[^>]*>", "", text)
    assert without_marks.startswith(html.escape(TEXT.splitlines()[0]))


def test_every_link_inside_the_page_has_its_target_and_ids_are_unique() -> None:
    page = _page(_enriched(), _enriched("Kiev attaque l'Otan."))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert targets
    assert {str(target).removeprefix("#") for target in targets} <= set(ids)


def test_the_page_is_made_for_screen_readers_and_keyboards() -> None:
    page = _page(_enriched())
    tags = dict(page.tags)
    assert tags["html"]["lang"] == "en"
    assert any(tag == "div" and attrs.get("lang") == "fr" for tag, attrs in page.tags)
    assert {"main", "nav", "h1", "h2", "caption"} <= {tag for tag, _ in page.tags}
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")
    assert all(
        attrs.get("tabindex") == "0" and attrs.get("aria-label")
        for tag, attrs in page.tags
        if attrs.get("role") == "region"
    )


def test_the_text_of_the_article_is_whole_in_the_page() -> None:
    reader = _Reader()
    reader.feed(html_page([_enriched()]))
    shown = "".join(reader.text)
    for word in TEXT.replace(".", "").split():
        assert word in shown


def test_an_address_that_is_no_web_page_is_not_linked() -> None:
    enriched = _enriched()
    bad = msgspec.structs.replace(enriched, article=msgspec.structs.replace(enriched.article, url="javascript:x()"))
    assert "javascript:" not in html_page([bad])
