"""The `Model` port's memory twin: reads only the names and triggers it was given, always in the same way."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline.ports import EntitySpan, EventSpan, ModelInfo, ModelReading, Span


class MemoryModel:
    """A gazetteer: `names` gives the type of each name, `triggers` the PLOVER type of each event word.

    Entities before a trigger are its actors, those behind it its recipients; a LOC is also its place.
    """

    def __init__(self, names: Mapping[str, str], triggers: Mapping[str, str]) -> None:
        self._names = names
        self._triggers = triggers
        known = repr((sorted(names.items()), sorted(triggers.items())))
        self.info = ModelInfo("memory", "1", hashlib.sha256(known.encode()).hexdigest())

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        """Return one reading per sentence, in the same order."""
        return [self._read(sentence) for sentence in sentences]

    def _read(self, sentence: str) -> ModelReading:
        entities = tuple(
            EntitySpan(span.start, span.end, self._names[name], 0.9)
            for name, span in _occurrences(sentence, self._names)
        )
        events = tuple(self._event(trigger, span, entities) for trigger, span in _occurrences(sentence, self._triggers))
        return ModelReading(entities, events)

    def _event(self, trigger: str, at: Span, entities: tuple[EntitySpan, ...]) -> EventSpan:
        acting = [each for each in entities if each.type in ("PER", "ORG", "LOC")]
        return EventSpan(
            type=self._triggers[trigger],
            mode=None,
            status="asserted",
            contexts=(),
            confidence=0.8,
            trigger=at,
            actors=tuple(Span(each.start, each.end) for each in acting if each.end <= at.start),
            recipients=tuple(Span(each.start, each.end) for each in acting if each.start >= at.end),
            places=tuple(Span(each.start, each.end) for each in acting if each.type == "LOC"),
        )


def _occurrences(sentence: str, words: Mapping[str, str]) -> Iterator[tuple[str, Span]]:
    """Yield the words found, from left to right, the longest first where several begin."""
    if not words:
        return
    longest_first = sorted(words, key=len, reverse=True)
    for match in re.finditer(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", sentence):
        yield match[0], Span(match.start(), match.end())
