"""Run a model's own validation and refuse with its sentences."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from counting.errors import Refused


def check(row: models.Model, *, exclude: tuple[str, ...] = ()) -> None:
    """Validate the fields of a row before it is saved; constraints are left to the database.

    Raises:
        Refused: a value does not fit. Django's messages do not name their field, so its name
            goes before each.
    """
    try:
        row.full_clean(exclude=exclude, validate_constraints=False)
    except ValidationError as error:
        raise Refused(_sentences(row, error), "invalid") from None


def _sentences(row: models.Model, error: ValidationError) -> str:
    labels = {
        field.name: str(field.verbose_name).capitalize()
        for field in row._meta.get_fields()
        if isinstance(field, models.Field)
    }
    parts = (
        f"{labels.get(name, '')}: {' '.join(messages)}".removeprefix(": ")
        for name, messages in error.message_dict.items()
    )
    return " ".join(parts)
