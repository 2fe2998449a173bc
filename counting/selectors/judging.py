"""What the gate found about a candidate, told from the figures that were kept with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from counting.models import ReferenceCount
from ml import gate

if TYPE_CHECKING:
    from counting.models import ModelVersion, Study

MIN_HOLDOUT_FIELDS = 5
# A cell type may get worse by this part of its error before the gate refuses.
GATE_TOLERANCE = 0.1
SLIDES_NAMED = 3


class Outcome(TextChoices):
    """What the gate can find."""

    NOT_JUDGED = "not_judged", gettext_lazy("Not judged")
    NOT_BETTER = "not_better", gettext_lazy("Not better")
    BY_CHANCE = "by_chance", gettext_lazy("Not clearly better")
    BETTER = "better", gettext_lazy("Better")


def outcome(metrics: dict[str, Any]) -> Outcome:
    """Return what the gate found with these figures of a training run or of its candidate."""
    champion, candidate = metrics.get("champion"), metrics.get("candidate")
    limits = {"min_fields": MIN_HOLDOUT_FIELDS}
    if not champion or not candidate or not gate.can_judge(champion, candidate, **limits):
        return Outcome.NOT_JUDGED
    verdict = gate.judge(champion, candidate, tolerance=GATE_TOLERANCE, **limits)
    if verdict.by_chance:
        return Outcome.BY_CHANCE
    return Outcome.BETTER if verdict.promote else Outcome.NOT_BETTER


def cannot_judge(study: Study) -> str:
    """Say what to count before a new version can be judged; empty when enough is counted."""
    counted = ReferenceCount.objects.filter(
        field__study=study, field__slide__held_out=True, superseded_at__isnull=True
    ).count()
    if counted >= MIN_HOLDOUT_FIELDS:
        return ""
    slides = list(study.slides.filter(held_out=True).order_by("pk").values_list("code", flat=True))
    words: dict[str, Any] = {
        "n": counted,
        "needed": MIN_HOLDOUT_FIELDS,
        "missing": MIN_HOLDOUT_FIELDS - counted,
        "slides": ", ".join(slides[:SLIDES_NAMED]),
    }
    if not slides:
        return (
            _(
                "A new version could not be judged and would not go live: this study has no "
                "judging slide yet. Add slides (the second is one) and count at least %(needed)d "
                "of its fields first."
            )
            % words
        )
    return (
        ngettext(
            "A new version could not be judged and would not go live: %(n)d field of the judging "
            "slides is counted, and %(needed)d are needed. Count %(missing)d more first, of: "
            "%(slides)s.",
            "A new version could not be judged and would not go live: %(n)d fields of the judging "
            "slides are counted, and %(needed)d are needed. Count %(missing)d more first, of: "
            "%(slides)s.",
            counted,
        )
        % words
    )


def what_is_known(version: ModelVersion, champion: ModelVersion) -> str:
    """Say what is known of a candidate beside the champion it would take the place of."""
    found = outcome(version.metrics)
    fields = _fields(version.metrics)
    words: dict[str, Any] = {
        "new": version.name,
        "old": champion.name,
        "n": fields,
        "needed": MIN_HOLDOUT_FIELDS,
    }
    if found == Outcome.NOT_JUDGED:
        return (
            ngettext(
                "Nobody knows whether %(new)s is better than %(old)s: it was tried on %(n)d "
                "held-out field, and judging takes at least %(needed)d.",
                "Nobody knows whether %(new)s is better than %(old)s: it was tried on %(n)d "
                "held-out fields, and judging takes at least %(needed)d.",
                fields,
            )
            % words
        )
    if version.parent is not None and version.parent_id != champion.pk:
        words["judged"] = version.parent.name
        return (
            _(
                "Nobody knows whether %(new)s is better than %(old)s: it was judged beside "
                "%(judged)s, which predicts no more."
            )
            % words
        )
    if found == Outcome.BETTER:
        return _("On %(n)d held-out fields, %(new)s was better than %(old)s.") % words
    if found == Outcome.BY_CHANCE:
        return (
            _(
                "On %(n)d held-out fields, %(new)s was better than %(old)s, but by no more than "
                "chance may give."
            )
            % words
        )
    return _("On %(n)d held-out fields, %(new)s was not better than %(old)s.") % words


def _fields(metrics: dict[str, Any]) -> int:
    champion, candidate = metrics.get("champion"), metrics.get("candidate")
    return gate.judged_on(champion, candidate) if champion and candidate else 0
