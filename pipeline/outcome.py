"""What a step says of each input: exactly one outcome, in the order of the inputs."""

from typing import NamedTuple

from pipeline.errors import Flaw
from pipeline.events import ArticleState, Payload


class Emitted(NamedTuple):
    """The input became the next event; `state` is what the step will remember of the article."""

    data: Payload
    state: ArticleState | None = None


class Unchanged(NamedTuple):
    """The input said nothing new about its article: counted in `state`, not emitted."""

    state: ArticleState


Outcome = Emitted | Unchanged | Flaw
