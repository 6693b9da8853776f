"""PLOVER 2.0 as the product ships it, read without the product's own dependencies."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent.parent / "pipeline" / "enrich" / "data" / "plover.json"


@cache
def facts() -> dict[str, Any]:
    """Return the file's content: types with their modes and scores, contexts, sectors."""
    found: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found
