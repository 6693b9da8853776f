"""What the model is taught: the sum of its heads' losses over a batch of windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.encode import Encoded, EncodedEvent, Packed
from training.labels import Labels
from training.model import ARGUMENT_SIZE, Outputs, Reader

IGNORED = -100
_PADDING = 1
_FORBIDDEN = -1e4
# Weights of the heads. Source: trials on the dev part, training/README.md.
_TRIGGER, _STATUS, _MODE = 4.0, 0.3, 0.3


@dataclass(frozen=True)
class _Seated:
    """A sentence at tokens start ≤ i < end of row `row`, from its token `first` on."""

    row: int
    start: int
    end: int
    first: int
    sentence: Encoded


def allowed_modes(labels: Labels) -> Tensor:
    """Return (types, modes): 0 where a type has the mode, very low where it has not."""
    out = torch.full((len(labels.trigger), len(labels.mode)), _FORBIDDEN)
    for row, kind in enumerate(labels.trigger):
        for mode in ("-", *labels.modes_of[kind]):
            out[row, labels.mode.index(mode)] = 0.0
    return out


def padded(batch: Sequence[Packed]) -> tuple[Tensor, Tensor]:
    """Return ids and mask (windows, tokens)."""
    width = max(len(each.window.ids) for each in batch)
    ids = torch.full((len(batch), width), _PADDING)
    for row, each in enumerate(batch):
        ids[row, : len(each.window.ids)] = torch.tensor(each.window.ids)
    return ids, (ids != _PADDING).long()


def loss_of(model: Reader, batch: Sequence[Packed], modes: Tensor) -> Tensor:
    """Return the loss; context tokens teach nothing, attributes and arguments are taught at gold triggers only."""
    ids, mask = padded(batch)
    out = Outputs(*(each.float() for each in model(ids, mask)))
    seated = [
        _Seated(row, seat.start, seat.end, seat.piece.first, each.document[seat.piece.sentence])
        for row, each in enumerate(batch)
        for seat in each.window.seats
    ]
    loss = _tokens_loss(out, seated) + _sentences_loss(out, seated)
    at_triggers = [(s, event) for s in seated for event in s.sentence.events if _trigger(s, event)]
    return loss + _events_loss(out, at_triggers, modes) if at_triggers else loss


def _trigger(seated: _Seated, event: EncodedEvent) -> list[int]:
    """Return the trigger's tokens in the row."""
    moved = [i - seated.first + seated.start for i in event.trigger]
    return [i for i in moved if seated.start <= i < seated.end]


def _gold(seated: _Seated, width: int) -> Tensor:
    """Return (tokens, types): 1 where a token is part of a trigger of the type."""
    gold = torch.zeros(seated.end - seated.start, width)
    for event in seated.sentence.events:
        for i in _trigger(seated, event):
            gold[i - seated.start, event.type] = 1.0
    return gold


def _tokens_loss(out: Outputs, seated: Sequence[_Seated]) -> Tensor:
    entity = torch.full(out.entity.shape[:2], IGNORED)
    trigger = torch.zeros_like(out.trigger)
    counted = torch.zeros(out.entity.shape[:2])
    for s in seated:
        entity[s.row, s.start : s.end] = torch.tensor(s.sentence.entity[s.first : s.first + s.end - s.start])
        trigger[s.row, s.start : s.end] = _gold(s, trigger.shape[-1])
        counted[s.row, s.start : s.end] = 1.0
    of_entity = nn.functional.cross_entropy(out.entity.flatten(0, 1), entity.flatten(), ignore_index=IGNORED)
    each = nn.functional.binary_cross_entropy_with_logits(out.trigger, trigger, reduction="none").sum(-1)
    return of_entity + _TRIGGER * (each * counted).sum() / counted.sum()


def _sentences_loss(out: Outputs, seated: Sequence[_Seated]) -> Tensor:
    """Return how wrong the soft maximum over each sentence is about the types it reports: what is scored in the end."""
    # One gather for all sentences: a slice each would cost a gradient of the whole batch's size each.
    width = out.trigger.shape[1]
    longest = max(s.end - s.start for s in seated)
    at = torch.tensor([[s.row * width + min(s.start + i, s.end - 1) for i in range(longest)] for s in seated])
    inside = torch.tensor([[i < s.end - s.start for i in range(longest)] for s in seated])
    logits = out.trigger.flatten(0, 1)[at].masked_fill(~inside.unsqueeze(-1), _FORBIDDEN)
    pooled = torch.logsumexp(2 * logits, 1) / 2
    gold = torch.stack([_gold(s, out.trigger.shape[-1]).max(0).values for s in seated])
    return nn.functional.binary_cross_entropy_with_logits(pooled, gold, reduction="none").sum(-1).mean()


def _events_loss(out: Outputs, found: Sequence[tuple[_Seated, EncodedEvent]], modes: Tensor) -> Tensor:
    cross = nn.functional.cross_entropy
    batch, width = out.entity.shape[:2]
    # The mean over each trigger's tokens, as one product.
    share = torch.zeros(len(found), batch * width)
    for n, (s, event) in enumerate(found):
        tokens = _trigger(s, event)
        share[n, [s.row * width + i for i in tokens]] = 1 / len(tokens)
    mean = lambda logits: share @ logits.flatten(0, 1)  # noqa: E731
    loss = _STATUS * cross(mean(out.status), torch.tensor([e.status for _, e in found]))
    allowed = modes[[e.type for _, e in found]]
    loss = loss + _MODE * cross(mean(out.mode) + allowed, torch.tensor([e.mode for _, e in found]))
    wanted = torch.zeros(len(found), out.context.shape[-1])
    gold = torch.full((len(found), out.entity.shape[1]), IGNORED)
    for n, (s, event) in enumerate(found):
        wanted[n, event.contexts] = 1.0
        gold[n, s.start : s.end] = torch.tensor(event.argument[s.first : s.first + s.end - s.start])
    loss = loss + nn.functional.binary_cross_entropy_with_logits(mean(out.context), wanted)
    rows = torch.tensor([s.row for s, _ in found])
    asks = mean(out.asks).view(len(found), -1, ARGUMENT_SIZE)
    scores = torch.einsum("erd,ewd->ewr", asks, out.answers[rows]) / ARGUMENT_SIZE**0.5 + out.alone[rows]
    return loss + cross(scores.flatten(0, 1), gold.flatten(), ignore_index=IGNORED)
