"""Training: one seed, AdamW with layer-wise decay, batches of similar length, checkpoints that resume."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from training.data import SentenceExample
from training.model import Labels, Reader

IGNORED = -100
_LONGEST = 256


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters. Source: the trials listed in training/README.md."""

    epochs: int = 3
    batch: int = 24
    encoder_rate: float = 1e-4
    head_rate: float = 1e-3
    layer_decay: float = 0.95
    warmup: float = 0.06
    seed: int = 13
    autocast: bool = False
    """bfloat16 halves the time on processors that have it in hardware, and doubles it on those that do not."""


@dataclass(frozen=True)
class Encoded:
    """A sentence as token ids with a label per token; `events` hold trigger token, attributes, argument labels."""

    ids: list[int]
    entity: list[int]
    trigger: list[int]
    events: list[tuple[int, int, int, list[int], list[int]]]


def _token_spans(text: str, offsets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the offsets without the blank that a SentencePiece token starts with."""
    out = []
    for start, end in offsets:
        blanks = len(text[start:end]) - len(text[start:end].lstrip())
        out.append((start + blanks, end))
    return out


def _tag(spans: list[tuple[int, int]], start: int, end: int) -> list[int]:
    return [i for i, (a, b) in enumerate(spans) if a < b and a < end and start < b]


def encode(example: SentenceExample, tokenizer: Tokenizer, labels: Labels) -> Encoded:
    """Return the sentence with its labels on tokens; what lies past the length limit is cut."""
    encoding = tokenizer.encode(example.text.replace("’", "'"))
    spans = _token_spans(example.text, encoding.offsets)[:_LONGEST]
    entity = [0] * len(spans)
    trigger = [0] * len(spans)
    for start, end, kind in example.entities:
        for n, i in enumerate(_tag(spans, start, end)):
            entity[i] = labels.entity.index(f"{'I' if n else 'B'}-{kind}")
    events = []
    for event in example.events:
        tokens = _tag(spans, *event.trigger)
        if not tokens:
            continue
        if trigger[tokens[0]] == 0:
            for n, i in enumerate(tokens):
                trigger[i] = labels.trigger.index(f"{'I' if n else 'B'}-{event.type}")
        argument = [0] * len(spans)
        for role, start, end in event.arguments:
            for n, i in enumerate(_tag(spans, start, end)):
                argument[i] = labels.argument.index(f"{'I' if n else 'B'}-{role}")
        events.append(
            (
                tokens[0],
                labels.status.index(event.status),
                labels.mode.index(event.mode or "-"),
                [labels.context.index(c) for c in event.contexts],
                argument,
            )
        )
    return Encoded(encoding.ids[:_LONGEST], entity, trigger, events)


def _batches(data: list[Encoded], size: int, seed: int) -> Iterator[list[Encoded]]:
    """Yield batches of similar length in random order."""
    shuffle = random.Random(seed)
    order = sorted(range(len(data)), key=lambda i: len(data[i].ids) + shuffle.uniform(0, 6))
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    shuffle.shuffle(groups)
    for group in groups:
        yield [data[i] for i in group]


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    width = max(len(row) for row in rows)
    return torch.tensor([row + [filler] * (width - len(row)) for row in rows])


def loss_of(model: Reader, batch: list[Encoded]) -> Tensor:
    """Return the sum of the heads' losses; attribute and argument heads learn at gold triggers only."""
    ids = _padded([e.ids for e in batch], 1)
    mask = _padded([[1] * len(e.ids) for e in batch], 0)
    entity, trigger, status, mode, context, argument = model(ids, mask)
    cross = nn.functional.cross_entropy
    loss = cross(
        entity.flatten(0, 1).float(), _padded([e.entity for e in batch], IGNORED).flatten(), ignore_index=IGNORED
    )
    loss = loss + 2 * cross(
        trigger.flatten(0, 1).float(), _padded([e.trigger for e in batch], IGNORED).flatten(), ignore_index=IGNORED
    )
    found = [(b, *event) for b, e in enumerate(batch) for event in e.events]
    if not found:
        return loss
    rows = torch.tensor([f[0] for f in found])
    at = torch.tensor([f[1] for f in found])
    wanted = torch.zeros(len(found), context.shape[-1])
    for n, f in enumerate(found):
        wanted[n, f[4]] = 1.0
    loss = loss + 0.3 * cross(status[rows, at].float(), torch.tensor([f[2] for f in found]))
    loss = loss + 0.3 * cross(mode[rows, at].float(), torch.tensor([f[3] for f in found]))
    loss = loss + nn.functional.binary_cross_entropy_with_logits(context[rows, at].float(), wanted)
    width = ids.shape[1]
    gold = torch.tensor([f[5] + [IGNORED] * (width - len(f[5])) for f in found])
    return loss + cross(argument[rows, at].flatten(0, 1).float(), gold.flatten(), ignore_index=IGNORED)


def _parameter_groups(model: Reader, recipe: Recipe) -> list[dict[str, object]]:
    """Return one group per layer: the deeper the layer, the slower it learns."""
    layers = model.encoder.config.num_hidden_layers
    groups: list[dict[str, object]] = []
    for name, parameter in model.named_parameters():
        if name.startswith("encoder.embeddings."):
            # Half of all parameters and, with AdamW, a fifth of each step's time on two cores.
            parameter.requires_grad_(False)
            continue
        if not name.startswith("encoder."):
            groups.append({"params": [parameter], "lr": recipe.head_rate})
            continue
        depth = int(name.split("layer.")[1].split(".")[0]) + 1 if "layer." in name else 0
        rate = recipe.encoder_rate * recipe.layer_decay ** (layers - depth)
        decay = 0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01
        groups.append({"params": [parameter], "lr": rate, "weight_decay": decay})
    return groups


def train(model: Reader, data: list[Encoded], recipe: Recipe, checkpoint: Path) -> Reader:
    """Return the model after `recipe.epochs`; goes on after the last whole epoch found in `checkpoint`."""
    torch.manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe))
    steps = recipe.epochs * math.ceil(len(data) / recipe.batch)
    warm = max(1, int(steps * recipe.warmup))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1.0, (s + 1) / warm) * max(0.02, 1.0 - s / steps)
    )
    first = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        first = saved["epoch"] + 1
    for epoch in range(first, recipe.epochs):
        model.train()
        total = 0.0
        for n, batch in enumerate(_batches(data, recipe.batch, recipe.seed + epoch), 1):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.autocast):
                loss = loss_of(model, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            total += float(loss.detach())
            if n % 100 == 0:
                print(f"epoch {epoch + 1}/{recipe.epochs} batch {n} loss {total / n:.4f}", flush=True)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
        torch.save(state | {"epoch": epoch}, checkpoint)
    return model.eval()
