"""Logits → spans. Pure functions on arrays: no session, no tokenizer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.ports import EntitySpan, EventSpan, ModelReading, Span

Logits = npt.NDArray[np.float32]


class Heads(NamedTuple):
    """The model's outputs for one sentence of n tokens; `argument` is (n triggers, n tokens, roles)."""

    entity: Logits
    trigger: Logits
    status: Logits
    mode: Logits
    context: Logits
    argument: Logits


class Scheme(NamedTuple):
    """The label of each column, and from which probability on a finding counts."""

    entity: Sequence[str]
    trigger: Sequence[str]
    status: Sequence[str]
    mode: Sequence[str]
    context: Sequence[str]
    argument: Sequence[str]
    modes_of: Mapping[str, Sequence[str]]
    entity_threshold: float
    context_threshold: float
    argument_threshold: float
    event_thresholds: Mapping[str, float]


class _Chunk(NamedTuple):
    """Tokens first ≤ i < last carrying one label, with the mean probability of that label."""

    first: int
    last: int
    label: str
    confidence: float


class Tokens(NamedTuple):
    """The text of a window and each token's offsets in it, empty for tokens that are no text."""

    text: str
    spans: Sequence[tuple[int, int]]

    @property
    def real(self) -> npt.NDArray[np.bool_]:
        """Tell which tokens are text."""
        return np.array([a < b for a, b in self.spans], dtype=bool)

    def span(self, chunk: _Chunk) -> Span:
        """Return the whole words a chunk of tokens touches: a name never ends inside one."""
        start, end = self.spans[chunk.first][0], self.spans[chunk.last - 1][1]
        while start > 0 and self.text[start - 1].isalnum() and self.text[start].isalnum():
            start -= 1
        while end < len(self.text) and self.text[end].isalnum() and self.text[end - 1].isalnum():
            end += 1
        return Span(start, end)


def read(heads: Heads, scheme: Scheme, tokens: Tokens) -> ModelReading:
    """Return what the logits say of one window of text."""
    real = tokens.real
    if not real.any():
        return ModelReading((), ())
    found = (c for c in chunks(softmax(heads.entity), scheme.entity, real) if c.confidence >= scheme.entity_threshold)
    entities = tuple(EntitySpan(*span, c.label, c.confidence) for span, c in apart(found, tokens))
    triggers = apart(triggers_of(softmax(heads.trigger), scheme, real), tokens)
    return ModelReading(entities, tuple(_event(span, c, heads, scheme, tokens) for span, c in triggers))


def apart(found: Iterable[_Chunk], tokens: Tokens) -> list[tuple[Span, _Chunk]]:
    """Return the chunks as whole words, no two of them overlapping: of two in one word the surer one stays."""
    out: list[tuple[Span, _Chunk]] = []
    for chunk in found:
        span = tokens.span(chunk)
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


def chunks(probabilities: Logits, labels: Sequence[str], real: npt.NDArray[np.bool_]) -> list[_Chunk]:
    """Return the runs of B-x I-x labels; an I without its B begins a run, as conlleval has it."""
    best = probabilities.argmax(axis=-1)
    out: list[_Chunk] = []
    start, kind = 0, ""
    for i in range(len(best) + 1):
        tag = labels[best[i]] if i < len(best) and real[i] else "O"
        goes_on = kind != "" and tag == f"I-{kind}"
        if goes_on:
            continue
        if kind:
            out.append(_Chunk(start, i, kind, _confidence(probabilities[start:i], labels, kind)))
        start, kind = i, tag[2:]
    return out


def _confidence(probabilities: Logits, labels: Sequence[str], kind: str) -> float:
    """Return the mean over tokens of the probability that they belong to `kind`."""
    columns = [labels.index(f"B-{kind}"), labels.index(f"I-{kind}")]
    return round(float(probabilities[:, columns].sum(axis=1).mean()), 4)


def triggers_of(probabilities: Logits, scheme: Scheme, real: npt.NDArray[np.bool_]) -> list[_Chunk]:
    """Return the triggers whose type reaches its own threshold, also where "no event" is likelier."""
    nothing = scheme.trigger.index("O")
    masked = probabilities.copy()
    # A type with a threshold below one half is found though "O" has more: lower O just so far.
    lowest = min(scheme.event_thresholds.values(), default=0.5)
    if lowest < 0.5:
        masked[:, nothing] *= lowest / (1.0 - lowest)
    found = chunks(masked, scheme.trigger, real)
    scored = [
        c._replace(confidence=_confidence(probabilities[c.first : c.last], scheme.trigger, c.label)) for c in found
    ]
    return [c for c in scored if c.confidence >= scheme.event_thresholds.get(c.label, 0.5)]


def _event(at_span: Span, trigger: _Chunk, heads: Heads, scheme: Scheme, tokens: Tokens) -> EventSpan:
    at = trigger.first
    roles: dict[str, list[Span]] = {"actor": [], "recipient": [], "place": []}
    arguments = chunks(softmax(heads.argument[at]), scheme.argument, tokens.real)
    for span, c in apart((c for c in arguments if c.confidence >= scheme.argument_threshold), tokens):
        roles[c.label].append(span)
    contexts = 1 / (1 + np.exp(-heads.context[at]))
    return EventSpan(
        type=trigger.label,
        mode=_mode(heads.mode[at], trigger.label, scheme),
        status=scheme.status[int(heads.status[at].argmax())],
        contexts=tuple(name for name, p in zip(scheme.context, contexts, strict=True) if p >= scheme.context_threshold),
        confidence=trigger.confidence,
        trigger=at_span,
        actors=tuple(roles["actor"]),
        recipients=tuple(roles["recipient"]),
        places=tuple(roles["place"]),
    )


def _mode(logits: Logits, kind: str, scheme: Scheme) -> str | None:
    """Return the likeliest mode of those its type has; `-` stands for none."""
    allowed = {"-", *scheme.modes_of[kind]}
    best = max((i for i, name in enumerate(scheme.mode) if name in allowed), key=lambda i: logits[i])
    return None if scheme.mode[best] == "-" else scheme.mode[best]
