"""The kinds of source: one small file each. A new kind is a new file and a line here."""

from collections.abc import Callable, Iterator, Mapping

from pipeline.events import SourceState
from pipeline.fetch.catalogue import Source
from pipeline.fetch.haul import Context, Step
from pipeline.fetch.sources import feed, jsonl, text

Kind = Callable[[Source, Mapping[str, str], Context], Iterator[Step]]

KINDS: Mapping[str, Kind] = {"text": text.steps, "jsonl": jsonl.steps, "feed": feed.steps}

__all__ = ["KINDS", "Kind", "SourceState"]
