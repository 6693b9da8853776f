"""The default French model behind the port `Model`: tokenizer of transformers, graph of onnxruntime, in-process.

Each window of an article is one run of the graph. Dynamic int8 quantisation gives all activations of a run one
scale, so what is read would depend on whatever else is in the batch; a window holds nothing but its article.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.adapters.onnx_decoding import Grammar, Heads, Scheme, Tokens
from pipeline.adapters.onnx_decoding import read as decode
from pipeline.adapters.onnx_windows import Frame, Window, windows
from pipeline.errors import Misconfigured
from pipeline.ports import EntitySpan, EventSpan, ModelInfo, ModelReading

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
        self._frame = Frame(self._tokenizer.token_to_id("<s>"), self._tokenizer.token_to_id("</s>"))
        self._session = _session(folder / "model.onnx", threads)
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
        self._info = ModelInfo(name=config["name"], version=config["version"], sha256=digest)

    @property
    def info(self) -> ModelInfo:
        """See `Model.info`."""
        return self._info

    def read(self, sentences: Sequence[str]) -> list[ModelReading]:
        """See `Model.read`."""
        read = [self._tokens(sentence) for sentence in sentences]
        entities: list[list[EntitySpan]] = [[] for _ in sentences]
        events: list[list[EventSpan]] = [[] for _ in sentences]
        for window in windows([ids for ids, _ in read], self._frame, self._most_tokens):
            heads = self._heads(window)
            for (number, first, ids), start, end in window.seats:
                spans = read[number][1][first : first + len(ids)]
                found = decode(heads.cut(start, end), self._scheme, Tokens(sentences[number], spans))
                # A sentence read in pieces may be cut inside a name; its first half stands.
                taken = entities[number][-1].end if entities[number] else 0
                entities[number] += (each for each in found.entities if each.start >= taken)
                events[number] += found.events
        return [ModelReading(tuple(a), tuple(b)) for a, b in zip(entities, events, strict=True)]

    def _tokens(self, sentence: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a sentence's tokens and their offsets in it, without the blanks around them."""
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        for start, piece in _pieces(sentence):
            # Typographic and straight apostrophes are one to a reader, but not to the vocabulary.
            encoding = self._tokenizer.encode(piece.replace("’", "'"), add_special_tokens=False)
            ids += encoding.ids
            spans += (_without_blanks(sentence, start + a, start + b) for a, b in encoding.offsets)
        return (ids, spans) if any(a < b for a, b in spans) else ([], [])

    def _heads(self, window: Window) -> Heads:
        batch = np.array([window.ids], dtype=np.int64)
        outputs = self._session.run(list(Heads._fields), {"ids": batch, "mask": np.ones_like(batch)})
        return Heads(*(output[0] for output in outputs))


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tokenizer(folder: Path) -> Any:
    # The engine under transformers' fast tokenizers: to import transformers takes longer than to read an article.
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _scheme(config: dict[str, Any]) -> Scheme:
    labels, thresholds, calibration = config["labels"], config["thresholds"], config["calibration"]
    return Scheme(
        entity=Grammar.of(labels["entity"], config["transitions"]["entity"]),
        argument=Grammar.of(labels["argument"], config["transitions"]["argument"]),
        **{name: labels[name] for name in ("trigger", "status", "mode", "context")},
        modes_of=config["modes_of"],
        context_threshold=thresholds["context"],
        argument_threshold=thresholds["argument"],
        event_thresholds=thresholds["event"],
        event_calibration={kind: (a, b) for kind, (a, b) in calibration["event"].items()},
        entity_calibration=(calibration["entity"][0], calibration["entity"][1]),
        second_threshold=thresholds["second"],
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
