"""What can go wrong, and who has to act.

    DepecheError
    ├── RetryLater      something outside is down: tried again with back-off, nothing is committed
    │   └── Fenced      another instance took over this one's work: stop, do not retry
    └── Misconfigured   a setting is wrong: one sentence with the remedy, exit code 2

Bad *data* is no error. It is a value, `Flaw`, that a step returns in place of its result; the worker
keeps it, with the original bytes and their position, as a `Rejected` event.
"""

from typing import Literal, NamedTuple

Reason = Literal[
    "empty",
    "oversize",
    "undecodable",
    "malformed_json",
    "malformed_xml",
    "hostile_xml",
    "wrong_schema",
    "unknown_type",
    "unknown_version",
    "not_french",
    "no_text",
    "not_an_article",
    "missing_field",
    "forbidden",
    "bug",
]


class DepecheError(Exception):
    """Root of every error raised on purpose; its text is one sentence for a person."""


class RetryLater(DepecheError):
    """Something outside (broker, store, site, model) failed; the same call may succeed later.

    `after_seconds` is how long a site asked not to be asked again, if it did.
    """

    def __init__(self, message: str = "", *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Fenced(RetryLater):
    """Another instance owns this work now; whatever was not committed belongs to it."""


class Misconfigured(DepecheError):
    """A setting is missing or wrong; the text names the setting and how to mend it."""


class Flaw(NamedTuple):
    """Why one input was turned down: a reason to count by, and a sentence for a person."""

    reason: Reason
    detail: str
    traceback: str | None = None
