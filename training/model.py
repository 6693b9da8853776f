"""One encoder, one forward pass, six heads: entities, triggers, status, mode, contexts, arguments.

Every head labels tokens. A trigger has a probability of its own for each type, since one sentence can report several
events ("condamné à deux ans de prison": SANCTION and COERCE). For arguments each token asks, as a trigger would, and
answers, as an argument would; the two multiplied are its role in that trigger's event, so the arguments of a
trigger need no second pass.
"""

from typing import NamedTuple

from torch import Tensor, nn
from transformers import BertModel

from training.labels import Labels

ARGUMENT_SIZE = 64


class Outputs(NamedTuple):
    """Logits: entity, trigger, status, mode, context (batch, tokens, labels); asks (batch, tokens, roles x size),
    answers (batch, tokens, size), alone (batch, tokens, roles)."""

    entity: Tensor
    trigger: Tensor
    status: Tensor
    mode: Tensor
    context: Tensor
    asks: Tensor
    answers: Tensor
    alone: Tensor


class Reader(nn.Module):
    """Encoder and heads. Input: ids and mask (batch, tokens)."""

    def __init__(self, encoder: BertModel, labels: Labels) -> None:
        super().__init__()
        size = encoder.config.hidden_size
        self.encoder = encoder
        self.drop = nn.Dropout(0.1)
        self.entity = nn.Linear(size, len(labels.entity))
        self.trigger = nn.Linear(size, len(labels.trigger))
        # Most tokens trigger nothing: to start from there spares the first hundred steps.
        nn.init.constant_(self.trigger.bias, -4.0)
        self.status = nn.Linear(size, len(labels.status))
        self.mode = nn.Linear(size, len(labels.mode))
        self.context = nn.Linear(size, len(labels.context))
        self.asks = nn.Linear(size, len(labels.argument) * ARGUMENT_SIZE)
        self.answers = nn.Linear(size, ARGUMENT_SIZE)
        self.alone = nn.Linear(size, len(labels.argument))

    def forward(self, ids: Tensor, mask: Tensor) -> Outputs:
        """Return the outputs of every head for every token."""
        hidden = self.drop(self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
        return Outputs(*(head(hidden) for head in self.heads()))

    def heads(self) -> list[nn.Linear]:
        """Return the heads in the order of `Outputs`."""
        return [getattr(self, name) for name in Outputs._fields]
