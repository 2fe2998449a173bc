"""Make and change slides, and decide once which of them are held out."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import CalibrationSample, FieldChoice, Reading, Slide, Study

from . import audit, predictions
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# One slide of each four in the order they are made is held out, drawn by the study's salt.
HOLD_OUT_BLOCK = 4
# What a person says of a slide. Whether it is held out is none of it: that is drawn.
DETAILS = ("code", "stain", "objective", "microns_per_pixel", "field_choice")


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
        held_out=_draw(study),
        created_by=actor,
    )
    _check(slide)
    slide.save()
    audit.record(
        actor=actor,
        action="slide.create",
        target=slide,
        study_id=study.pk,
        new={"code": slide.code, "held_out": slide.held_out},
    )
    return slide


@transaction.atomic
def update(*, slide: Slide, actor: User, **changes: Any) -> Slide:
    """Change what is said of a slide (DETAILS); it keeps its part in learning or judging.

    Another size of the pixels is another picture to the model: what nobody has counted is
    predicted again.

    Raises:
        Conflict: the study has another slide of this code.
        Refused: a value is missing or out of its range, or a calibration rests on the slide's
            fields having been chosen at random.
    """
    # Like creation, behind the study's lock: two slides may not take one code at the same time.
    Study.objects.select_for_update().get(pk=slide.study_id)
    slide = get_object_or_404(Slide.objects.select_related("study"), pk=slide.pk)
    old = _details(slide)
    for name in DETAILS:
        value = changes.get(name, old[name])
        setattr(slide, name, value.strip() if isinstance(value, str) else value)
    _check(slide)
    new = _details(slide)
    if new == old:
        return slide
    if (
        slide.field_choice != FieldChoice.RANDOM
        and CalibrationSample.objects.filter(slide=slide).exists()
    ):
        raise Refused(
            _(
                "This slide is a sample of a calibration, which needs fields chosen at random. "
                "Take it out there first."
            ),
            "calibration",
        )
    slide.save()
    audit.record(
        actor=actor,
        action="slide.update",
        target=slide,
        study_id=slide.study_id,
        old=old,
        new=new,
    )
    if new["microns_per_pixel"] != old["microns_per_pixel"]:
        # The lock that each reading takes, before they are read: those that are being submitted
        # are there when it is held, and none comes in on a prediction that goes.
        list(slide.fields.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        read = Reading.objects.filter(field=OuterRef("pk"), state=Reading.State.SUBMITTED)
        predictions.renew(fields=list(slide.fields.exclude(Exists(read))))
    return slide


def _check(slide: Slide) -> None:
    check(slide)
    same = Slide.objects.filter(study=slide.study_id, code=slide.code).exclude(pk=slide.pk).first()
    if same is not None:
        raise Conflict(
            _("This study has a slide %(code)s already.") % {"code": slide.code}, "slide", same.pk
        )


def _details(slide: Slide) -> dict[str, Any]:
    return {name: getattr(slide, name) for name in DETAILS}


def _draw(study: Study) -> bool:
    """Tell whether the study's next slide is held out.

    As many are as were drawn among so many slides: the place of a deleted one is given again.
    """
    places = range(study.slides.count() + 1)
    drawn = sum(is_held_out(study.salt, place) for place in places)
    return study.slides.filter(held_out=True).count() < drawn


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
