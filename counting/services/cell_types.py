"""What a study counts: the cell types that it begins with, and how they look and are keyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from counting.errors import Refused
from counting.models import CellType, Study
from counting.models.study import FIRST_NAMES

from . import audit
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Okabe and Ito's colors that stay apart for color-blind readers (Okabe & Ito 2008).
FIRST_CELL_TYPES = (
    {"code": "RBC", "name": FIRST_NAMES["RBC"], "color": "#d55e00", "key": "r"},
    {"code": "WBC", "name": FIRST_NAMES["WBC"], "color": "#0072b2", "key": "w"},
    {"code": "PLT", "name": FIRST_NAMES["PLT"], "color": "#cc79a7", "key": "p"},
)
# Keys with a meaning of their own on the counting screen (static/js/counting/keys.js).
RESERVED_KEYS = frozenset("abcghmnv0")


def add_first(*, study: Study) -> None:
    """Give a new study the types that each study begins with."""
    for position, cell_type in enumerate(FIRST_CELL_TYPES):
        CellType.objects.create(study=study, position=position, **cell_type)


@transaction.atomic
def change(*, study: Study, actor: User, cell_types: Sequence[Mapping[str, Any]]) -> None:
    """Change name, color and key of the study's cell types, given by code.

    Raises:
        Refused: a code is unknown, or a color or key cannot be used.
    """
    rows = {row.code: row for row in study.cell_types.select_for_update()}
    old = [_plain(row) for row in rows.values()]
    for given in cell_types:
        row = rows.get(str(given.get("code", "")))
        if row is None:
            raise Refused(
                _("This study has no cell type %(code)s.") % {"code": given.get("code", "?")},
                "cell_type",
            )
        name = str(given.get("name", row.label)).strip()
        # The first names are shown in each reader's language: that is no new name.
        row.name = row.name if name == row.label else name
        row.color = str(given.get("color", row.color)).lower()
        row.key = str(given.get("key", row.key)).lower()
        if row.key in RESERVED_KEYS:
            raise Refused(
                _("The key %(key)s has another meaning on the counting screen. Choose another.")
                % {"key": row.key},
                "key",
            )
    keys = [row.key for row in rows.values()]
    if len(set(keys)) < len(keys):
        raise Refused(_("Two cell types cannot have the same key."), "key")
    # Park the keys first, on signs that no type may have: two may swap theirs under the unique
    # constraint.
    for number, row in enumerate(rows.values()):
        CellType.objects.filter(pk=row.pk).update(key=chr(ord("A") + number))
    for row in rows.values():
        check(row)
        row.save()
    new = [_plain(row) for row in rows.values()]
    if old != new:
        audit.record(
            actor=actor,
            action="cell_types.update",
            target=study,
            study_id=study.pk,
            old=old,
            new=new,
        )


def _plain(row: CellType) -> dict[str, str]:
    return {"code": row.code, "name": row.name, "color": row.color, "key": row.key}
