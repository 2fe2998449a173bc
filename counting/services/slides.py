"""Make slides, and decide once which of them are held out."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from counting.errors import Conflict
from counting.models import FieldChoice, Slide, Study

from . import audit
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# One slide of each four in the order they are made is held out, drawn by the study's salt.
HOLD_OUT_BLOCK = 4


@transaction.atomic
def create_slide(
    *,
    study: Study,
    code: str,
    actor: User,
    stain: str = "",
    objective: str = "",
    microns_per_pixel: float | None = None,
    field_choice: str = FieldChoice.RANDOM,
) -> Slide:
    """Make a slide.

    Raises:
        Conflict: the study has a slide of this code.
        Refused: a value is missing or out of its range.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    slide = Slide(
        study=study,
        code=code.strip(),
        stain=stain.strip(),
        objective=objective.strip(),
        microns_per_pixel=microns_per_pixel,
        field_choice=field_choice,
        held_out=is_held_out(study.salt, study.slides.count()),
        created_by=actor,
    )
    check(slide)
    same = study.slides.filter(code=slide.code).first()
    if same is not None:
        raise Conflict(
            _("This study has a slide %(code)s already.") % {"code": slide.code}, "slide", same.pk
        )
    slide.save()
    audit.record(
        actor=actor,
        action="slide.create",
        target=slide,
        study_id=study.pk,
        new={"code": slide.code, "held_out": slide.held_out},
    )
    return slide


def is_held_out(salt: str, position: int) -> bool:
    """Tell whether the slide made as number `position` (from 0) of a study is held out.

    One of each block of four, drawn by a hash that nobody chooses. In the first block it is
    never the first slide, and always the second, so that a study of two slides can both learn
    and be judged.
    """
    block, place = divmod(position, HOLD_OUT_BLOCK)
    if block == 0:
        return place == 1
    drawn = sha256(f"{salt}:hold-out:{block}".encode()).digest()[0] % HOLD_OUT_BLOCK
    return place == drawn


def is_blind(salt: str, digest: str, share: float) -> bool:
    """Tell whether a field is counted blind: a fixed draw by its picture's digest."""
    drawn = sha256(f"{salt}:blind:{digest}".encode()).digest()
    return int.from_bytes(drawn[:4], "big") / 2**32 < share
