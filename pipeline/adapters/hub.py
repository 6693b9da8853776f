"""Any Hugging Face token-classification model for the entities, beside the default model for the events.

The only file that imports `transformers`. It needs PyTorch, which the product does not install: a folder or a hub
name in DEPECHE_ENTITY_MODEL is for those who have it. Each sentence is read on its own, so nothing depends on what
else is in a batch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pipeline.errors import Misconfigured
from pipeline.ports import EntitySpan, Model, ModelInfo, ModelReading

# How label sets in use name what we name: CoNLL, OntoNotes, CamemBERT-NER. What is not here is not taken.
_OURS = {
    "PER": "PER",
    "PERSON": "PER",
    "PERS": "PER",
    "LOC": "LOC",
    "LOCATION": "LOC",
    "GPE": "LOC",
    "ORG": "ORG",
    "ORGANIZATION": "ORG",
    "DATE": "DATE",
    "TIME": "TIME",
    "EVENT": "EVENT",
    "PRODUCT": "PRODUCT",
}


class HubEntities:
    """`Model`: events of `events`, entities of the token-classification model `name`, a folder or a hub name.

    Of entity types that `name` does not have, those of `events` stay, where they overlap nothing. Raises
    `Misconfigured` when PyTorch is missing or `name` cannot be loaded.
    """

    def __init__(self, events: Model, name: str) -> None:
        self._events = events
        self._pipeline = _pipeline(name)
        labels: Mapping[int, str] = self._pipeline.model.config.id2label
        self._types = {ours for label in labels.values() if (ours := _type_of(label))}
        if not self._types:
            raise Misconfigured(f"{name} has none of our entity types among {sorted(set(labels.values()))}")
        own = events.info
        self._info = ModelInfo(
            name=f"{own.name}+{Path(name).name}", version=own.version, sha256=_digest(own.sha256, self._pipeline)
        )

    @property
    def info(self) -> ModelInfo:
        """See `Model.info`."""
        return self._info

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        """See `Model.read`."""
        return [
            replace(reading, entities=self._entities(sentence, reading))
            for sentence, reading in zip(sentences, self._events.read(sentences), strict=True)
        ]

    def _entities(self, sentence: str, reading: ModelReading) -> tuple[EntitySpan, ...]:
        found = [span for each in self._raw(sentence) if (span := _span(sentence, each))]
        kept = [
            each
            for each in reading.entities
            if each.type not in self._types and not any(each.start < o.end and o.start < each.end for o in found)
        ]
        return tuple(sorted([*found, *kept], key=lambda each: each.start))

    def _raw(self, sentence: str) -> list[Mapping[str, Any]]:
        return list(self._pipeline(sentence)) if sentence.strip() else []


def _pipeline(name: str) -> Any:
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise Misconfigured("DEPECHE_ENTITY_MODEL needs PyTorch: install torch, or unset it") from error
    try:
        return transformers.pipeline("token-classification", model=name, aggregation_strategy="first")
    except (OSError, ValueError, KeyError) as error:
        raise Misconfigured(
            f"DEPECHE_ENTITY_MODEL: {name} is no token-classification model that can be loaded ({error})"
        ) from error


def _type_of(label: str) -> str | None:
    return _OURS.get(label.removeprefix("B-").removeprefix("I-").upper())


def _span(sentence: str, raw: Mapping[str, Any]) -> EntitySpan | None:
    kind = _type_of(str(raw["entity_group"]))
    start, end = int(raw["start"]), int(raw["end"])
    while start < end and sentence[start].isspace():
        start += 1
    while end > start and sentence[end - 1].isspace():
        end -= 1
    return EntitySpan(start, end, kind, round(float(raw["score"]), 4)) if kind and start < end else None


def _digest(base: str, pipeline: Any) -> str:
    """Return what tells this pair of models from any other: the weights' own sum, not their place."""
    digest = hashlib.sha256(base.encode())
    for key, tensor in sorted(pipeline.model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
