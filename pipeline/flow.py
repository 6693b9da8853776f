"""The table of contents: every step of the line, what it reads and what it writes. What is not here is not.

sources → fetch → normalise → enrich → archive → load → tables
"""

from typing import NamedTuple

FETCHED = "news.article.fetched"
NORMALISED = "news.article.normalised"
ENRICHED = "news.article.enriched"
ARTICLE_STATE = "news.article.state"
SOURCE_STATE = "news.source.state"


class Step(NamedTuple):
    """One room of the house: `handler` names the function that does its work."""

    name: str
    reads: str
    writes: str
    handler: str
    remembers: str | None = None
    """The compacted topic that holds what the step must know of earlier inputs."""


STEPS = (
    Step("fetch", "sources", FETCHED, "pipeline.fetch:pull", SOURCE_STATE),
    Step("normalise", FETCHED, NORMALISED, "pipeline.normalise:normalise", ARTICLE_STATE),
    Step("enrich", NORMALISED, ENRICHED, "pipeline.enrich:enrich"),
    Step("archive", ENRICHED, "segments", "pipeline.store:segment"),
    Step("load", "segments", "tables", "pipeline.load:load"),
)


def rejected(topic: str) -> str:
    """Return the topic that keeps the inputs of `topic` that were turned down."""
    return f"{topic}.rejected"


FACTS = (FETCHED, NORMALISED, ENRICHED)
REJECTED = tuple(rejected(topic) for topic in FACTS)
STATES = (ARTICLE_STATE, SOURCE_STATE)
ARCHIVED = (FETCHED, ENRICHED, *REJECTED)
"""Topics whose every record ends in a segment. Normalised articles are not: enriched ones contain them."""


def step(name: str) -> Step:
    """Return the step called `name`. Raises KeyError."""
    return {each.name: each for each in STEPS}[name]


def group(name: str) -> str:
    """Return the consumer group of a step."""
    return f"depeche.{name}"
