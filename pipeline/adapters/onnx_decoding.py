"""Logits → spans. Pure functions on arrays: no session, no tokenizer."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.ports import EntitySpan, EventSpan, ModelReading, Span

Logits = npt.NDArray[np.float32]
_CERTAIN = 0.98
_FORBIDDEN = -50.0
_CONCEIVABLE = 0.05
"""Below this confidence a type is no rival of another."""
_TRIGGER_SHARE = 0.5
"""A token belongs to a trigger when it has at least this share of the surest token's probability."""


# What a name does not begin or end with. A token of the vocabulary may hold a word and the mark behind it ("2016,").
_BEFORE = re.compile(r"(?:[\s,.;:!?()\[\]«»\"“”…'’–—-]|(?:le|la|les|de|du|des|à|au|aux|et|en|qu|l|d)(?:['’]|\s))+")
_BEHIND = re.compile(r"(?:[\s,;:?(\[«\"“”»…'’–—-]|(?<![A-Z])\.|\s(?:le|la|les|de|du|des|à|au|aux|et|en|d['’]|l['’]))+$")


class Heads(NamedTuple):
    """The model's outputs for n tokens. `asks` (n, roles x size) of a trigger and `answers` (n, size) of each token
    multiply to the token's role in that trigger's event; `alone` (n, roles) is added whatever the trigger."""

    entity: Logits
    trigger: Logits
    status: Logits
    mode: Logits
    context: Logits
    asks: Logits
    answers: Logits
    alone: Logits

    def cut(self, start: int, end: int) -> "Heads":
        """Return the outputs of tokens start ≤ i < end."""
        return Heads(*(each[start:end] for each in self))


class Grammar(NamedTuple):
    """Labels, "O" first, and how likely one follows another: log-probabilities (from, to), damped as the config says.

    An I-x that follows neither B-x nor I-x is as good as forbidden.
    """

    labels: Sequence[str]
    transitions: Logits

    @classmethod
    def of(cls, labels: Sequence[str], transitions: Sequence[Sequence[float]]) -> "Grammar":
        """Return the grammar with what BIO forbids made so."""
        kinds = np.array([label[2:] for label in labels])
        inside = np.array([label.startswith("I-") for label in labels])
        forbidden = inside[None, :] & (kinds[:, None] != kinds[None, :])
        return cls(labels, np.where(forbidden, _FORBIDDEN, np.array(transitions)).astype(np.float32))

    @property
    def nothing(self) -> Logits:
        """Return the probabilities of a token that is no text."""
        only: Logits = np.eye(1, len(self.labels), dtype=np.float32)[0]
        return only


class Scheme(NamedTuple):
    """The label of each column, how sure to be, and from which probability on a finding counts."""

    entity: Grammar
    argument: Grammar
    trigger: Sequence[str]
    status: Sequence[str]
    mode: Sequence[str]
    context: Sequence[str]
    modes_of: Mapping[str, Sequence[str]]
    context_threshold: float
    argument_threshold: float
    event_thresholds: Mapping[str, float]
    event_calibration: Mapping[str, tuple[float, float]]
    """Slope and intercept that turn a type's pooled logit into the share of such events that are right."""
    entity_calibration: tuple[float, float]
    """The same for the log-odds of an entity's mean probability."""
    second_threshold: float
    """Probability from which on a second trigger of one type in one sentence counts."""


class _Chunk(NamedTuple):
    """Tokens first ≤ i < last carrying one label."""

    first: int
    last: int
    label: str
    confidence: float


class Tokens(NamedTuple):
    """The text of a sentence and each token's offsets in it, empty for tokens that are no text."""

    text: str
    spans: Sequence[tuple[int, int]]

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        """Tell which tokens are text."""
        return np.array([a < b for a, b in self.spans], dtype=bool)

    def span(self, chunk: _Chunk) -> Span:
        """Return the whole words a chunk of tokens touches, without articles and marks around them.

        A name never ends inside a word. Where nothing is left the span is empty.
        """
        start, end = self.spans[chunk.first][0], self.spans[chunk.last - 1][1]
        while start > 0 and self.text[start - 1].isalnum() and self.text[start].isalnum():
            start -= 1
        while end < len(self.text) and self.text[end].isalnum() and self.text[end - 1].isalnum():
            end += 1
        before = _BEFORE.match(self.text, start, end)
        start = before.end() if before else start
        behind = _BEHIND.search(self.text[start:end])
        end = start + behind.start() if behind else end
        # `En marche (LREM)` keeps both of its brackets, `Onu)` none.
        if self.text[start:end].endswith(")") and "(" not in self.text[start:end]:
            end -= 1
        return Span(start, max(start, end))


def read(heads: Heads, scheme: Scheme, tokens: Tokens) -> ModelReading:
    """Return what the logits say of one sentence."""
    real = tokens.real
    if not real.any():
        return ModelReading((), ())
    found = (
        c._replace(confidence=calibrated(logit_of(c.confidence), scheme.entity_calibration))
        for c in chunks(softmax(heads.entity), scheme.entity, real)
    )
    entities = tuple(EntitySpan(*span, c.label, c.confidence) for span, c in apart(found, tokens))
    triggers = ((tokens.span(c), c) for c in triggers_of(heads.trigger, scheme, real))
    events = tuple(_event(span, c, heads, scheme, tokens) for span, c in triggers if span.start < span.end)
    return ModelReading(entities, tuple(sorted(events, key=lambda e: (e.trigger, e.type))))


def apart(found: Iterable[_Chunk], tokens: Tokens) -> list[tuple[Span, _Chunk]]:
    """Return the chunks as whole words, no two of them overlapping: of two in one word the surer one stays."""
    out: list[tuple[Span, _Chunk]] = []
    for chunk in found:
        span = tokens.span(chunk)
        if span.start == span.end:
            continue
        if out and span.start < out[-1][0].end:
            if chunk.confidence > out[-1][1].confidence:
                out[-1] = (Span(out[-1][0].start, span.end), chunk)
            else:
                out[-1] = (Span(out[-1][0].start, max(span.end, out[-1][0].end)), out[-1][1])
        else:
            out.append((span, chunk))
    return out


def softmax(logits: Logits) -> Logits:
    """Return probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Logits = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def sigmoid(logits: Logits) -> Logits:
    """Return each logit's probability on its own."""
    result: Logits = np.float32(1) / (np.float32(1) + np.exp(-logits))
    return result


def logit_of(probability: float) -> float:
    """Return the log-odds of a probability, bounded to ±13.8 so that 0 and 1 have some."""
    bounded = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))


def calibrated(logit: float, line: tuple[float, float]) -> float:
    """Return the confidence after Platt scaling (Platt 1999): the share of findings like this that are right."""
    slope, intercept = line
    return round(float(1 / (1 + np.exp(-(slope * logit + intercept)))), 4)


def chunks(probabilities: Logits, grammar: "Grammar", real: npt.NDArray[np.bool_]) -> list[_Chunk]:
    """Return the runs of the likeliest sequence of B-x I-x O labels that obeys the grammar."""
    out: list[_Chunk] = []
    masked = np.where(real[:, None], probabilities, grammar.nothing)
    # Where hardly anything but "no name" is possible, nothing is to be decided: only the stretches between are.
    for first, last in _runs(masked[:, 0] < _CERTAIN):
        tags = _best_path(np.log(masked[first:last] + 1e-9).astype(np.float32), grammar.transitions)
        start = kind = None
        for i, tag in enumerate([*(grammar.labels[t] for t in tags), "O"], first):
            if tag.startswith("I-") and kind is not None:
                continue
            if kind is not None and start is not None:
                out.append(_Chunk(start, i, kind, _confidence(probabilities[start:i], grammar.labels, kind)))
            start, kind = (i, tag[2:]) if tag != "O" else (None, None)
    return out


def _best_path(scores: Logits, transitions: Logits) -> list[int]:
    """Return the sequence of largest sum of scores and transitions (Viterbi 1967), from and to "O"."""
    best: Logits = scores[0] + transitions[0]
    came_from = []
    for row in scores[1:]:
        paths = best[:, None] + transitions
        came_from.append(paths.argmax(axis=0))
        best = np.add(paths.max(axis=0), row, dtype=np.float32)
    tags = [int((best + transitions[:, 0]).argmax())]
    for row in reversed(came_from):
        tags.append(int(row[tags[-1]]))
    return tags[::-1]


def _confidence(probabilities: Logits, labels: Sequence[str], kind: str) -> float:
    """Return the mean over tokens of the probability that they belong to `kind`."""
    columns = [labels.index(f"B-{kind}"), labels.index(f"I-{kind}")]
    return float(probabilities[:, columns].sum(axis=1).mean())


def pooled(logits: Logits) -> Logits:
    """Return one logit per column for a whole sentence: a soft maximum over its tokens.

    The training loss pools in the same way, so this is what the model was taught to say of a sentence.
    """
    top = logits.max(axis=0)
    result: Logits = top + np.log(np.exp(2 * (logits - top)).sum(axis=0)) / 2
    return result


def triggers_of(logits: Logits, scheme: Scheme, real: npt.NDArray[np.bool_]) -> Iterator[_Chunk]:
    """Yield the triggers of each type whose confidence over the whole sentence reaches that type's threshold.

    One word reports one type of event: of two that claim it the surer one has it.
    """
    logits = np.where(real[:, None], logits, -30.0).astype(np.float32)
    claims = list(_claims(logits, scheme))
    for claim in claims:
        if claim.confidence < scheme.event_thresholds.get(claim.label, 0.5):
            continue
        rivals = (c for c in claims if c.label != claim.label and c.first < claim.last and claim.first < c.last)
        if all(rival.confidence <= claim.confidence for rival in rivals):
            yield claim


def _claims(logits: Logits, scheme: Scheme) -> Iterator[_Chunk]:
    """Yield the triggers of every type that is not out of the question."""
    whole = pooled(logits)
    for column, kind in enumerate(scheme.trigger):
        confidence = calibrated(float(whole[column]), scheme.event_calibration.get(kind, (1.0, 0.0)))
        if confidence < min(_CONCEIVABLE, scheme.event_thresholds.get(kind, 0.5)):
            continue
        probability = sigmoid(logits[:, column])
        runs = list(_runs(probability >= _TRIGGER_SHARE * probability.max()))
        surest = max(runs, key=lambda run: float(probability[slice(*run)].sum()))
        for run in runs:
            if run == surest or probability[slice(*run)].max() >= scheme.second_threshold:
                yield _Chunk(*run, kind, confidence)


def _runs(flags: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    yield from ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _event(at: Span, trigger: _Chunk, heads: Heads, scheme: Scheme, tokens: Tokens) -> EventSpan:
    rows = slice(trigger.first, trigger.last)
    roles: dict[str, list[Span]] = {"actor": [], "recipient": [], "place": []}
    arguments = chunks(softmax(_argument(heads, rows)), scheme.argument, tokens.real)
    for span, c in apart((c for c in arguments if c.confidence >= scheme.argument_threshold), tokens):
        roles[c.label].append(span)
    contexts = sigmoid(heads.context[rows].mean(axis=0))
    return EventSpan(
        type=trigger.label,
        mode=_mode(heads.mode[rows].mean(axis=0), trigger.label, scheme),
        status=scheme.status[int(heads.status[rows].mean(axis=0).argmax())],
        contexts=tuple(name for name, p in zip(scheme.context, contexts, strict=True) if p >= scheme.context_threshold),
        confidence=trigger.confidence,
        trigger=at,
        actors=tuple(roles["actor"]),
        recipients=tuple(roles["recipient"]),
        places=tuple(roles["place"]),
    )


def _argument(heads: Heads, rows: slice) -> Logits:
    """Return (tokens, roles): each token's role in the event of the trigger that stands at `rows`."""
    size = heads.answers.shape[1]
    asks = heads.asks[rows].mean(axis=0).reshape(-1, size)
    result: Logits = heads.answers @ asks.T / size**0.5 + heads.alone
    return result


def _mode(logits: Logits, kind: str, scheme: Scheme) -> str | None:
    """Return the likeliest mode of those its type has; `-` stands for none."""
    allowed = {"-", *scheme.modes_of[kind]}
    best = max((i for i, name in enumerate(scheme.mode) if name in allowed), key=lambda i: logits[i])
    return None if scheme.mode[best] == "-" else scheme.mode[best]
