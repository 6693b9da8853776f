"""The authored tables beside this package: tab-separated rows, `#` lines say where they come from."""

from functools import cache
from importlib import resources


def text(name: str) -> str:
    """Return the file `name` of the package's data."""
    return (resources.files("pipeline.enrich") / "data" / name).read_text(encoding="utf-8")


@cache
def rows(name: str, columns: int) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a table, each of `columns` cells; cells missing at the end are empty.

    Raises ValueError for a row with too many cells.
    """
    found = []
    for number, line in enumerate(text(name).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > columns:
            raise ValueError(f"{name}, line {number}: {len(cells)} cells where {columns} are expected")
        found.append(tuple(cells + [""] * (columns - len(cells))))
    return tuple(found)
