"""The default French model behind the port `Model`: tokenizer of transformers, graph of onnxruntime, in-process.

Each sentence is one run of the graph. Dynamic int8 quantisation gives all activations of a batch one scale,
so a sentence's reading would depend on its neighbours; alone, it cannot.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.adapters.onnx_decoding import Heads, Scheme, Tokens, read
from pipeline.errors import Misconfigured
from pipeline.ports import EntitySpan, EventSpan, ModelInfo, ModelReading, Span

_FILES = ("model.onnx", "tokenizer.json", "config.json")
_LONGEST_PIECE = 2_000
"""Characters given to the tokenizer at once; its time is not linear in the length of one text."""


class OnnxModel:
    """`Model` over a folder with model.onnx, tokenizer.json and config.json.

    Raises `Misconfigured` when the folder is not one.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        for name in _FILES:
            if not (folder / name).is_file():
                raise Misconfigured(f"{folder} has no {name}: set DEPECHE_MODEL to the folder of a model")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._scheme = _scheme(config)
        self._most_tokens = int(config["max_tokens"])
        self._tokenizer = _tokenizer(folder)
        self._session = _session(folder / "model.onnx", threads)
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
        self._info = ModelInfo(name=config["name"], version=config["version"], sha256=digest)

    @property
    def info(self) -> ModelInfo:
        """See `Model.info`."""
        return self._info

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        """See `Model.read`."""
        return [self._read(sentence) for sentence in sentences]

    def _read(self, sentence: str) -> ModelReading:
        entities: list[EntitySpan] = []
        events: list[EventSpan] = []
        for start, piece in _pieces(sentence):
            # Typographic and straight apostrophes are one to a reader, but not to the vocabulary.
            encoding = self._tokenizer.encode(piece.replace("’", "'"))
            spans = [_without_blanks(piece, a, b) for a, b in encoding.offsets]
            for first in range(0, len(spans), self._most_tokens):
                window = slice(first, first + self._most_tokens)
                found = self._window(encoding.ids[window], Tokens(piece, spans[window]))
                entities += (_moved_entity(e, start) for e in found.entities)
                events += (_moved_event(e, start) for e in found.events)
        return ModelReading(tuple(entities), tuple(events))

    def _window(self, ids: Sequence[int], tokens: Tokens) -> ModelReading:
        batch = np.array([ids], dtype=np.int64)
        outputs = self._session.run(list(Heads._fields), {"ids": batch, "mask": np.ones_like(batch)})
        return read(Heads(*(output[0] for output in outputs)), self._scheme, tokens)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokenizer(folder: Path) -> Any:
    # AutoTokenizer would guess a tokenizer from config.json; this file is the one it was trained with.
    # Without PyTorch, which nothing here needs, its import prints an advice to install it.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(folder / "tokenizer.json")
    ).backend_tokenizer


def _scheme(config: dict[str, Any]) -> Scheme:
    labels, thresholds = config["labels"], config["thresholds"]
    return Scheme(
        **{name: labels[name] for name in ("entity", "trigger", "status", "mode", "context", "argument")},
        modes_of=config["modes_of"],
        entity_threshold=thresholds["entity"],
        context_threshold=thresholds["context"],
        argument_threshold=thresholds["argument"],
        event_thresholds=thresholds["event"],
    )


def _pieces(sentence: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, text) of pieces of bounded length, cut at blanks where there are any."""
    start = 0
    while start < len(sentence):
        end = min(start + _LONGEST_PIECE, len(sentence))
        if end < len(sentence):
            blank = sentence.rfind(" ", start + 1, end)
            end = blank if blank > start else end
        yield start, sentence[start:end]
        start = end


def _without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the offsets without the blank that a SentencePiece token begins with."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)


def _moved_entity(entity: EntitySpan, by: int) -> EntitySpan:
    return EntitySpan(entity.start + by, entity.end + by, entity.type, entity.confidence)


def _moved_event(event: EventSpan, by: int) -> EventSpan:
    return EventSpan(
        type=event.type,
        mode=event.mode,
        status=event.status,
        contexts=event.contexts,
        confidence=event.confidence,
        trigger=_moved(event.trigger, by),
        actors=tuple(_moved(s, by) for s in event.actors),
        recipients=tuple(_moved(s, by) for s in event.recipients),
        places=tuple(_moved(s, by) for s in event.places),
    )
