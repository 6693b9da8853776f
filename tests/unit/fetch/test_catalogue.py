"""The YAML file of sources: what it means, and how its mistakes are told."""

from pathlib import Path

import pytest

from pipeline.errors import Misconfigured
from pipeline.fetch import KINDS, Source, read_catalogue

WHERE = "conf/sources.yaml"


def read(text: str, **variables: str) -> list[Source]:
    return read_catalogue(text, where=WHERE, variables=variables, kinds=KINDS)


def test_sources_are_read_in_order_with_their_variables_filled_in() -> None:
    text = """
    # costs $5 a month
    sources:
      - name: fil
        kind: feed
        url: ${FEED}/feed.xml
        delay_seconds: 2.5
        allow_private: true
        max_items: 20
        pages: 3
      - {name: textes, kind: text, path: "a/*.txt"}
    """
    assert read(text, FEED="http://127.0.0.1:8090") == [
        Source(
            name="fil",
            kind="feed",
            url="http://127.0.0.1:8090/feed.xml",
            delay_seconds=2.5,
            allow_private=True,
            max_items=20,
            pages=3,
        ),
        Source(name="textes", kind="text", path="a/*.txt"),
    ]


def test_every_file_below_sources_is_a_kind() -> None:
    assert set(KINDS) == {"text", "jsonl", "feed"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources: [", ["no YAML"]),
        ("", ["one key, `sources`"]),
        ("sources: {a: 1}", ["one key, `sources`"]),
        ("sources: []\nmore: 1", ["one key, `sources`"]),
        ("sources: [5]", ["source number 1", "Expected `object`"]),
        ("sources: [{kind: text, path: a}]", ["source number 1", "`name`"]),
        ("sources: [{name: a b, kind: text, path: a}]", ["source 'a b'", "$.name"]),
        ("sources: [{name: a, kind: text, path: a, colour: red}]", ["source 'a'", "`colour`", "delay_seconds"]),
        ("sources: [{name: a, kind: text, path: a, pages: many}]", ["source 'a'", "$.pages"]),
        ("sources: [{name: a, kind: text, path: a, delay_seconds: -1}]", ["source 'a'", "$.delay_seconds"]),
        ("sources: [{name: a, kind: gopher, path: a}]", ["source 'a'", "'gopher'", "feed, jsonl, text"]),
        ("sources: [{name: a, kind: text, url: 'http://x'}]", ["source 'a'", "`path`"]),
        ("sources: [{name: a, kind: feed}]", ["source 'a'", "`url`"]),
        ("sources: [{name: a, kind: feed, url: 'http://x', path: b}]", ["source 'a'", "no `path`"]),
        ("sources: [{name: a, kind: feed, url: 'x/feed.xml'}]", ["source 'a'", "http"]),
        ("sources: [{name: a, kind: feed, url: '${NOWHERE}/f'}]", ["source 'a'", "NOWHERE", "known are: FEED"]),
        ("sources: [{name: a, kind: feed, url: 'http://x/$'}]", ["source 'a'", "'http://x/$'", "write `$$`"]),
        ("sources: [{name: a, kind: text, path: /etc/passwd}]", ["source 'a'", "below the folder"]),
        ("sources: [{name: a, kind: text, path: ../b/*.txt}]", ["source 'a'", "below the folder"]),
        (
            "sources: [{name: a, kind: text, path: x}, {name: a, kind: text, path: y}]",
            ["source 'a'", "taken by another"],
        ),
    ],
)
def test_a_mistake_is_told_with_file_source_and_field(text: str, told: list[str]) -> None:
    with pytest.raises(Misconfigured) as error:
        read(text, FEED="http://x")
    for part in [WHERE, *told]:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


DOCS = Path(__file__).parents[3] / "docs" / "sources.md"


def test_the_documentation_names_every_field_and_kind_and_its_example_is_the_demo() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for field in Source.__struct_fields__:
        assert f"| `{field}` |" in text
    for kind in KINDS:
        assert f"**{kind}**" in text
    example = text.split("```yaml\n")[1].split("```")[0]
    demo = (DOCS.parents[1] / "seeds" / "sources.yaml").read_text(encoding="utf-8")
    assert read(example, DEPECHE_FEED_URL="http://x") == read(demo, DEPECHE_FEED_URL="http://x")
