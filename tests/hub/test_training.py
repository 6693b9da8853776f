"""Training on two short documents: what comes out is the mean of the weights at its ends, and a cut run goes on."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from pipeline.adapters.onnx_windows import Frame
from training.data import SentenceExample
from training.encode import Encoded
from training.labels import Labels
from training.model import Reader
from training.train import Recipe, train

LABELS = Labels.of_ontology()
FRAME = Frame(0, 2)
RECIPE = Recipe(epochs=1, cycles=1, cycle_epochs=1)


def reader() -> Reader:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, pad_token_id=1
    )
    return Reader(BertModel(config, add_pooling_layer=False), LABELS)


def documents() -> list[list[Encoded]]:
    example = SentenceExample("d", 0, "abc", (), ())
    return [[Encoded(example, [5 + n, 6, 7], [(0, 1), (1, 2), (2, 3)], [1, 0, 0], [])] for n in range(2)]


def weights(model: Reader) -> Mapping[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if name.startswith(("entity", "trigger"))}


def test_what_training_returns_is_the_mean_of_its_ends(tmp_path: Path) -> None:
    first = train(reader(), documents(), FRAME, LABELS, Recipe(epochs=1, cycles=0), tmp_path / "first.pt")
    given = reader()
    returned = train(given, documents(), FRAME, LABELS, RECIPE, tmp_path / "both.pt")
    one, last, mean = weights(first), weights(given), weights(returned)
    for name, value in mean.items():
        assert torch.allclose(value, (one[name] + last[name]) / 2, atol=1e-6), name
    assert not torch.allclose(mean["entity.weight"], last["entity.weight"])
    assert not returned.training


def test_a_finished_run_gives_the_same_again_and_another_recipe_is_turned_away(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    once = weights(train(reader(), documents(), FRAME, LABELS, RECIPE, checkpoint))
    again = weights(train(reader(), documents(), FRAME, LABELS, RECIPE, checkpoint))
    assert all(torch.equal(once[name], again[name]) for name in once)
    with pytest.raises(ValueError, match="of a run of 2 epochs, not of 1: delete it"):
        train(reader(), documents(), FRAME, LABELS, Recipe(epochs=1, cycles=0), checkpoint)
