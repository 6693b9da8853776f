"""What articles say is shown and never done: not by a browser, not by a terminal."""

import io
import sys
from typing import Any

import msgspec
import pytest
from lxml import html as lxml_html

from pipeline.cli.output import say
from pipeline.enrich import read_article
from pipeline.events import EnrichedArticle
from pipeline.render import html_page, terminal_text
from pipeline.render.tabular import table
from tests.unit.enrich.examples import NOW, article, model
from training.evaluation import page as evaluation

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<!--<script>",
    "]]><script>",
    "<iframe srcdoc='&lt;script&gt;'>",
    "&lt;script&gt;",
    "&#x3c;script&#x3e;",
    "<math><mi//xlink:href='data:x,<script>'>",
    "\x00<scr\x00ipt>",
    "\u202egpj.exe\u2066\u2069",
]
URLS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "http://exemple.fr/\"onmouseover='alert(1)",
    "https://exemple.fr/<script>",
]
ALLOWED_ATTRIBUTES = {
    *("aria-label", "aria-labelledby", "charset", "class", "content", "href", "http-equiv", "id", "lang", "name"),
    *("rel", "role", "scope", "tabindex", "title"),
}
ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "a", "h1", "h2", "nav", "ol", "li", "main", "article", "p"),
    *("div", "mark", "sub", "sup", "table", "caption", "thead", "tbody", "tr", "th", "td"),
}


def poisoned(attack: str, url: str | None = None) -> EnrichedArticle:
    """Return an article in which everything that is text says `attack`, as if every cleaning before had failed."""
    text = "Kiev a dit jeudi que Lyon attaque."
    read = read_article(
        article(text, title="Titre"), model=model({"Kiev": "LOC", "Lyon": "LOC"}, {"attaque": "ASSAULT"}), now=NOW
    )
    assert read.events
    assert read.entities
    assert read.times

    def poison(value: Any, name: str = "") -> Any:
        if isinstance(value, str) and name in {"text", "title", "name", "source", "url", "version"}:
            return attack
        if isinstance(value, dict):
            return {key: poison(each, key) for key, each in value.items()}
        return [poison(each) for each in value] if isinstance(value, list) else value

    whole = poison(msgspec.to_builtins(read))
    whole["article"]["text"] = attack.ljust(len(text), attack[-1])
    whole["article"]["url"] = url or "https://exemple.fr/a"
    return msgspec.convert(whole, EnrichedArticle)


def elements(page: str) -> list[Any]:
    return [each for each in lxml_html.document_fromstring(page).iter() if isinstance(each.tag, str)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_page_holds_its_own_tags_and_attributes_and_no_others(attack: str) -> None:
    found = elements(html_page([poisoned(attack)]))
    assert {each.tag for each in found} <= ALLOWED_TAGS
    assert {name for each in found for name in each.attrib} <= ALLOWED_ATTRIBUTES
    assert sum(each.tag == "style" for each in found) == 1


@pytest.mark.parametrize("attack", ATTACKS[:6])
def test_what_an_attack_says_is_shown_as_it_stands(attack: str) -> None:
    (title,) = [each for each in elements(html_page([poisoned(attack)])) if each.tag == "h2"]
    assert title.text_content() == attack


@pytest.mark.parametrize("url", URLS)
def test_links_lead_to_the_web_or_into_the_page(url: str) -> None:
    for each in elements(html_page([poisoned("x", url)])):
        assert each.get("href", "#").startswith(("#", "http://", "https://"))
        assert not any(name.startswith("on") for name in each.attrib)


def test_nothing_that_turns_letters_around_or_is_not_seen_comes_into_a_page() -> None:
    page = html_page([poisoned("a\u202eb\u2066c\u2069d\x00e\x1b[31mf")])
    assert not set(page) & set("\u202e\u2066\u2069\x00\x1b")


def test_the_policy_of_a_page_lets_its_own_style_in_and_no_script() -> None:
    found = elements(html_page([poisoned("x")]))
    (policy,) = [each.get("content") for each in found if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_page_of_scores_holds_no_foreign_tags(attack: str) -> None:
    wrong = evaluation.Error(attack, [attack], [attack], 0.5)
    pictures = evaluation.Pictures([(attack, 1, 0.5, 0.5, 0.5)], {(attack, attack): 1}, {}, [], [wrong])
    found = elements(evaluation.render(attack, {attack: []}, {attack: pictures}))
    assert not {each.tag for each in found} & {"script", "img", "iframe", "math", "mi", "object", "link"}
    assert not any(name.startswith("on") or name in {"src", "href"} for each in found for name in each.attrib)


ESCAPES = ["\x1b[2J\x1b[31mrouge", "\x1b]0;titre\x07", "\x9b31m", "a\rb", "a\x08b", "\u202eabc"]


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_article_cannot_steer_a_terminal(escape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = terminal_text(poisoned(escape)) + table([{"detail": escape}])
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    say(f"x: {escape}")
    assert not set(printed + told.getvalue()) & set("\x1b\x9b\x07\x08\r\u202e")


@pytest.mark.parametrize("markup", ["[bold]x[/bold]", "[/]", "[link=https://exemple.fr]x[/link]", "[red"])
def test_a_table_shows_what_looks_like_markup_as_it_stands(markup: str) -> None:
    assert markup in table([{"detail": markup}])
