"""What a study counts: the cell types that it begins with, and how they look and are keyed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
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
# What a study may add comes in the rest of them.
COLORS = (*(row["color"] for row in FIRST_CELL_TYPES), "#009e73", "#e69f00", "#56b4e9", "#f0e442")
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
        _refuse_reserved(row.key)
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


@transaction.atomic
def add(*, study: Study, actor: User, code: str, name: str, key: str, color: str = "") -> CellType:
    """Let the study count one more type; without a color it gets the next of COLORS.

    What was counted before lacks the type, and the model learns it once there are counts of it.

    Raises:
        Conflict: the study has a type of this code.
        Refused: code, name, key or color cannot be used, or the key is taken.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    there = list(study.cell_types.all())
    row = CellType(
        study=study,
        code=code.strip().upper(),
        name=name.strip(),
        key=key.strip().lower(),
        color=color.strip().lower() or next_color(study),
        # Its shape goes by its position, so that no two types of a study begin alike.
        position=max((other.position for other in there), default=-1) + 1,
    )
    check(row)
    _refuse_reserved(row.key)
    for other in there:
        if other.code == row.code:
            raise Conflict(
                _("This study has a cell type %(code)s already.") % {"code": row.code},
                "cell_type",
                other.pk,
            )
        if other.key == row.key:
            raise Refused(_("Two cell types cannot have the same key."), "key")
    row.save()
    audit.record(
        actor=actor, action="cell_types.add", target=row, study_id=study.pk, new=_plain(row)
    )
    return row


def next_color(study: Study) -> str:
    """Return the color that the study's next type gets."""
    taken = set(study.cell_types.values_list("color", flat=True))
    return next((color for color in COLORS if color not in taken), COLORS[-1])


def _refuse_reserved(key: str) -> None:
    if key in RESERVED_KEYS:
        raise Refused(
            _("The key %(key)s has another meaning on the counting screen. Choose another.")
            % {"key": key},
            "key",
        )


def _plain(row: CellType) -> dict[str, str]:
    return {"code": row.code, "name": row.name, "color": row.color, "key": row.key}
