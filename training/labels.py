"""The label of each output column of the model."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from training.data import ENTITY_TYPES, ROLES, STATUSES
from training.ontology import facts


class Labels(NamedTuple):
    """Labels in the order of the columns; `modes_of` tells which modes each event type has."""

    entity: list[str]
    trigger: list[str]
    status: list[str]
    mode: list[str]
    context: list[str]
    argument: list[str]
    modes_of: dict[str, list[str]]

    @classmethod
    def of_ontology(cls) -> Self:
        """Return the labels of PLOVER 2.0 and of our entity types."""
        modes_of = {name: list(each["modes"]) for name, each in facts()["types"].items()}
        return cls(
            entity=_bio(ENTITY_TYPES.values()),
            trigger=list(modes_of),
            status=list(STATUSES),
            mode=["-", *sorted({m for modes in modes_of.values() for m in modes})],
            context=list(facts()["contexts"]),
            argument=_bio(ROLES),
            modes_of=modes_of,
        )


def _bio(names: Iterable[str]) -> list[str]:
    return ["O", *(f"{prefix}-{name}" for name in names for prefix in "BI")]
