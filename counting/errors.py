"""What services raise when they refuse: one sentence for the person who asked.

Views, the API and commands turn these into a page, a JSON body or a line; none of them
words its own refusals.
"""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The request cannot be carried out; `message` says why and what to do instead."""

    status = 400

    def __init__(self, message: str, code: str = "refused") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Conflict(Refused):
    """The request clashes with what is there already; `existing` is the id of that."""

    status = 409

    def __init__(self, message: str, code: str = "conflict", existing: int | None = None) -> None:
        super().__init__(message, code)
        self.existing = existing


class Counted(Conflict):
    """Others counted the field meanwhile, and this count would take the place of theirs.

    `existing` is the draft in which the count is kept, `version` the draft's.
    """

    def __init__(self, message: str, existing: int, version: int) -> None:
        super().__init__(message, "counted", existing)
        self.facts = {"version": version}


class Newer(Conflict):
    """Somebody saved meanwhile what this would have overwritten; `facts` tell both versions."""

    def __init__(self, message: str, existing: int, facts: dict[str, Any]) -> None:
        super().__init__(message, "newer", existing)
        self.facts = facts
