"""A Hugging Face model takes over the entities: tried with a tiny one made here, in the training environment.

`make test-hub` runs this; it needs PyTorch, which the product's own environment does not have.
"""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from pipeline.adapters.hub import HubEntities
from pipeline.adapters.memory_model import MemoryModel
from pipeline.errors import Misconfigured

WORDS = ["[UNK]", "[PAD]", "Awa", "Diop", "à", "Dakar", "accuse", "jeudi", "."]
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC"]
TAGS = {"Awa": "B-PER", "Diop": "I-PER", "Dakar": "B-LOC"}
SENTENCES = ["Awa Diop accuse Dakar .", "", "jeudi à Dakar"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a token classifier of one layer whose embedding alone decides each word's label."""
    path = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]")
    fast.save_pretrained(path)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=16,
        id2label=dict(enumerate(LABELS)),
        label2id={label: n for n, label in enumerate(LABELS)},
    )
    model = BertForTokenClassification(config).eval()
    with torch.no_grad():
        for parameter in model.bert.encoder.parameters():
            parameter.zero_()
        for name, parameter in model.bert.named_parameters():
            if "LayerNorm.weight" in name:
                parameter.fill_(1.0)
        model.bert.embeddings.position_embeddings.weight.zero_()
        model.bert.embeddings.token_type_embeddings.weight.zero_()
        model.bert.embeddings.word_embeddings.weight.copy_(torch.eye(len(WORDS), 16) * 10)
        model.classifier.weight.zero_()
        for word, tag in TAGS.items():
            model.classifier.weight[LABELS.index(tag), WORDS.index(word)] = 5.0
        model.classifier.bias.zero_()
        model.classifier.bias[0] = 5.0
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> HubEntities:
    return HubEntities(MemoryModel({"jeudi": "DATE", "Awa": "ORG"}, {"accuse": "ACCUSE"}), str(folder))


def test_entities_are_the_hub_models_and_events_the_default_ones(model: HubEntities) -> None:
    first, empty, last = model.read(SENTENCES)
    assert [(SENTENCES[0][e.start : e.end], e.type) for e in first.entities] == [("Awa Diop", "PER"), ("Dakar", "LOC")]
    assert [e.type for e in first.events] == ["ACCUSE"]
    assert (empty.entities, empty.events) == ((), ())
    assert [(SENTENCES[2][e.start : e.end], e.type) for e in last.entities] == [("jeudi", "DATE"), ("Dakar", "LOC")]


def test_a_reading_does_not_depend_on_what_else_is_read(model: HubEntities) -> None:
    assert model.read(SENTENCES)[::-1] == model.read(SENTENCES[::-1])


def test_the_pair_has_a_name_and_sum_of_its_own(model: HubEntities, folder: Path) -> None:
    assert model.info.name == f"memory+{folder.name}"
    assert len(model.info.sha256) == 64
    assert (
        model.info.sha256
        == HubEntities(MemoryModel({"jeudi": "DATE", "Awa": "ORG"}, {"accuse": "ACCUSE"}), str(folder)).info.sha256
    )


def test_what_is_no_such_model_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="DEPECHE_ENTITY_MODEL"):
        HubEntities(MemoryModel({}, {}), str(tmp_path))
