"""What a source says about when an article was published."""

from datetime import UTC, datetime
from typing import Any

from pipeline.events import Precision

_BY_LENGTH: dict[int, Precision] = {len("2026-01-01"): "day", len("2026-01"): "month"}


def told(value: Any) -> tuple[datetime | None, Precision | None]:
    """Return an ISO 8601 instant, day or month, in UTC, and which of them it is. Raises ValueError.

    An instant without a zone is taken as UTC; France is at most two hours from it.
    """
    if value is None:
        return None, None
    if not isinstance(value, str):
        raise ValueError(f"the date {value!r} is no string")
    precision = _BY_LENGTH.get(len(value.strip()), "instant")
    try:
        at = datetime.fromisoformat(value.strip() + ("-01" if precision == "month" else ""))
        return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)), precision
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the date {value!r} is not in ISO 8601: {error}") from error
