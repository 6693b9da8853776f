"""Training: one seed, AdamW with layer-wise decay, batches of similar length, checkpoints that resume."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from pipeline.adapters.onnx_windows import Frame
from training.encode import Encoded, Packed, batches, shuffled
from training.labels import Labels
from training.loss import allowed_modes, loss_of
from training.model import Reader


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters. Source: the trials listed in training/README.md."""

    epochs: int = 10
    tokens: int = 1024
    """Tokens of a batch, padding included."""
    encoder_rate: float = 2e-4
    head_rate: float = 1e-3
    layer_decay: float = 0.95
    warmup: float = 0.06
    seed: int = 13


def _half_precision() -> bool:
    """Tell whether this processor multiplies bfloat16 in hardware; where it does not, that doubles the time."""
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())  # type: ignore[no-untyped-call]


def _parameter_groups(model: Reader, recipe: Recipe) -> list[dict[str, object]]:
    """Return groups of one learning rate each: the deeper a layer lies, the slower it learns."""
    layers = model.encoder.config.num_hidden_layers
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        rate = recipe.head_rate
        if name.startswith("encoder.embeddings."):
            parameter.requires_grad_(False)
            continue
        if name.startswith("encoder."):
            depth = int(name.split("layer.")[1].split(".")[0]) + 1
            rate = recipe.encoder_rate * recipe.layer_decay ** (layers - depth)
        decay = 0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": each, "lr": rate, "weight_decay": decay} for (rate, decay), each in groups.items()]


def without_attention_dropout(model: Reader) -> Reader:
    """Return the model with dropout on its layers' outputs only: on attention it costs a fifth of the time."""
    model.encoder.config._attn_implementation = "eager"
    for layer in model.encoder.encoder.layer:
        layer.attention.self.dropout.p = 0.0
    return model


def train(
    model: Reader,
    documents: Sequence[Sequence[Encoded]],
    frame: Frame,
    labels: Labels,
    recipe: Recipe,
    checkpoint: Path,
) -> Reader:
    """Return the model after `recipe.epochs`; goes on after the last whole epoch found in `checkpoint`."""
    torch.manual_seed(recipe.seed)
    model = without_attention_dropout(model)
    optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), fused=True)
    steps = recipe.epochs * sum(1 for _ in _epoch(documents, frame, recipe, 0))
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
    modes = allowed_modes(labels)
    half = _half_precision()
    for epoch in range(first, recipe.epochs):
        model.train()
        began, total = time.monotonic(), 0.0
        for n, batch in enumerate(_epoch(documents, frame, recipe, epoch), 1):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                loss = loss_of(model, batch, modes)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            total += float(loss.detach())
            if n % 100 == 0:
                spent = time.monotonic() - began
                print(f"epoch {epoch + 1}/{recipe.epochs} batch {n} loss {total / n:.4f} {spent:.0f} s", flush=True)
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
        torch.save(state | {"epoch": epoch}, checkpoint)
    return model.eval()


def _epoch(documents: Sequence[Sequence[Encoded]], frame: Frame, recipe: Recipe, epoch: int) -> Iterator[list[Packed]]:
    chance = random.Random(recipe.seed + epoch)
    return batches(shuffled(documents, frame, chance), recipe.tokens, chance)
