"""Training: one seed, AdamW with layer-wise decay, batches of similar length, checkpoints that resume.

The weights that ship are the mean of several: those at the end of the run, and at the end of each short cycle that
goes on from there with the rate raised again (Izmailov et al. 2018, stochastic weight averaging).
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pipeline.adapters.onnx_windows import Frame
from training.encode import Encoded, Packed, batches, shuffled
from training.labels import Labels
from training.loss import allowed_modes, loss_of
from training.model import Reader


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters. Source: the trials listed in training/README.md."""

    epochs: int = 8
    cycles: int = 3
    """Further runs from the end of the first; their ends and its own are averaged."""
    cycle_epochs: int = 2
    cycle_rate: float = 0.5
    """Where a cycle begins, as a part of the first run's highest rate."""
    tokens: int = 1024
    """Tokens of a batch, padding included."""
    encoder_rate: float = 2e-4
    head_rate: float = 1e-3
    layer_decay: float = 0.95
    warmup: float = 0.06
    seed: int = 13

    @property
    def ends(self) -> list[int]:
        """The epochs, counted from 0, after which the weights enter the mean."""
        return [self.epochs - 1 + n * self.cycle_epochs for n in range(self.cycles + 1)]

    def rate_at(self, step: int, steps_of_epoch: int) -> float:
        """Return the part of the full rate at `step`: up within `warmup`, down to a fiftieth; lower in cycles."""
        first, later = self.epochs * steps_of_epoch, self.cycle_epochs * steps_of_epoch
        length, peak = (first, 1.0) if step < first or not self.cycles else (later, self.cycle_rate)
        within = step if step < first or not self.cycles else (step - first) % later
        warm = max(1, int(length * self.warmup))
        return peak * min(1.0, (within + 1) / warm) * max(0.02, 1.0 - within / length)


def _device() -> torch.device:
    """Return the GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _half_precision(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 in hardware; where it does not, that doubles the time."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
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
    """Return the model, on the CPU, with the mean of its weights at `recipe.ends`.

    Trains on the GPU where there is one, and goes on after the last whole epoch saved. The `model` given is not the one
    returned. Raises ValueError where the checkpoint is another recipe's.
    """
    device = _device()
    with device:  # where tensors are made from here on
        torch.manual_seed(recipe.seed)
        model = without_attention_dropout(model.to(device))
        optimizer = torch.optim.AdamW(_parameter_groups(model, recipe), fused=True)
        steps = sum(1 for _ in _epoch(documents, frame, recipe, 0))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: recipe.rate_at(step, steps))
        first, mean = 0, AveragedModel(model)
        if checkpoint.exists():
            saved = torch.load(checkpoint, weights_only=True, map_location=device)
            if saved["ends"] != recipe.ends:
                theirs, ours = saved["ends"][-1] + 1, recipe.ends[-1] + 1
                raise ValueError(f"{checkpoint} is of a run of {theirs} epochs, not of {ours}: delete it")
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            schedule.load_state_dict(saved["schedule"])
            mean.load_state_dict(saved["mean"])
            first = saved["epoch"] + 1
        modes = allowed_modes(labels)
        last = recipe.ends[-1]
        for epoch in range(first, last + 1):
            batches_of_epoch = _epoch(documents, frame, recipe, epoch)
            _learn(model, batches_of_epoch, modes, optimizer, schedule, f"epoch {epoch + 1}/{last + 1}")
            if epoch in recipe.ends:
                mean.update_parameters(model)
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
            }
            torch.save(state | {"epoch": epoch, "mean": mean.state_dict(), "ends": recipe.ends}, checkpoint)
        averaged: Reader = mean.module
        return averaged.cpu().eval()


def _learn(
    model: Reader,
    batches_of_epoch: Iterator[list[Packed]],
    modes: Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    name: str,
) -> None:
    """Take one step a batch, and print the mean loss so far every hundred of them."""
    device = _device()
    half = _half_precision(device)
    model.train()
    began, total = time.monotonic(), 0.0
    for n, batch in enumerate(batches_of_epoch, 1):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            loss = loss_of(model, batch, modes)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        total += float(loss.detach())
        if n % 100 == 0:
            print(f"{name} batch {n} loss {total / n:.4f} {time.monotonic() - began:.0f} s", flush=True)


def _epoch(documents: Sequence[Sequence[Encoded]], frame: Frame, recipe: Recipe, epoch: int) -> Iterator[list[Packed]]:
    chance = random.Random(recipe.seed + epoch)
    return batches(shuffled(documents, frame, chance), recipe.tokens, chance)
