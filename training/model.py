"""One encoder, one forward pass, six heads: entities, triggers, status, mode, contexts, arguments.

Every head labels tokens. The argument head scores each token against each possible trigger token, so the
arguments of a trigger need no second pass: they are one row of a matrix that is already there.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertModel

from training.data import ENTITY_TYPES, ROLES, STATUSES

_ONTOLOGY = Path(__file__).parent.parent / "pipeline" / "enrich" / "data" / "plover.json"
_ARGUMENT_SIZE = 64


class Labels(NamedTuple):
    """The label of each output column."""

    entity: list[str]
    trigger: list[str]
    status: list[str]
    mode: list[str]
    context: list[str]
    argument: list[str]
    modes_of: dict[str, list[str]]

    @classmethod
    def of_ontology(cls) -> "Labels":
        """Return the labels of PLOVER 2.0 and of our entity types."""
        facts = json.loads(_ONTOLOGY.read_text(encoding="utf-8"))
        modes_of = {name: list(each["modes"]) for name, each in facts["types"].items()}
        bio = lambda names: ["O", *(f"{p}-{n}" for n in names for p in "BI")]  # noqa: E731
        contexts = facts["contexts"]
        return cls(
            entity=bio(ENTITY_TYPES.values()),
            trigger=bio(modes_of),
            status=list(STATUSES),
            mode=["-", *sorted({m for modes in modes_of.values() for m in modes})],
            context=list(contexts),
            argument=bio(ROLES),
            modes_of=modes_of,
        )


class Reader(nn.Module):
    """Encoder and heads. Input: ids and mask (batch, tokens). Output: six tensors of logits."""

    def __init__(self, encoder: BertModel, labels: Labels) -> None:
        super().__init__()
        size = encoder.config.hidden_size
        self.encoder = encoder
        self.drop = nn.Dropout(0.1)
        self.entity = nn.Linear(size, len(labels.entity))
        self.trigger = nn.Linear(size, len(labels.trigger))
        self.status = nn.Linear(size, len(labels.status))
        self.mode = nn.Linear(size, len(labels.mode))
        self.context = nn.Linear(size, len(labels.context))
        self.roles = len(labels.argument)
        self.asks = nn.Linear(size, self.roles * _ARGUMENT_SIZE)
        self.answers = nn.Linear(size, _ARGUMENT_SIZE)
        self.alone = nn.Linear(size, self.roles)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return logits: entity, trigger, status, mode, context (batch, tokens, labels) and argument
        (batch, trigger token, token, roles)."""
        hidden = self.drop(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
        batch, tokens = ids.shape[0], ids.shape[1]
        asks = self.asks(hidden).view(batch, tokens * self.roles, _ARGUMENT_SIZE)
        scores = torch.matmul(asks, self.answers(hidden).transpose(1, 2)) / _ARGUMENT_SIZE**0.5
        scores = scores.view(batch, tokens, self.roles, tokens).permute(0, 1, 3, 2)
        argument = scores + self.alone(hidden).unsqueeze(1)
        return (
            self.entity(hidden),
            self.trigger(hidden),
            self.status(hidden),
            self.mode(hidden),
            self.context(hidden),
            argument,
        )
