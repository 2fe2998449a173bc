"""The reviewer's page: two readings that differ, side by side, and one key to rule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from counting.errors import Refused
from counting.models import CountingRule, Reading, Role
from counting.numbers import whole
from counting.selectors import access, pages
from counting.selectors import review as differences
from counting.services import rulings

from .common import action, frame, signed_in

# Two readers' marks are the same cell when they are nearer than this part of the width: less than
# the way between two touching red cells in a field twenty cells across.
NEAR = 25


@dataclass(frozen=True)
class Side:
    """One of the two readings as the page shows it."""

    reading: Reading
    title: str
    key: int
    rows: list[dict[str, Any]]
    # Each as {cell_type, x, y, alone}; `alone`: the other reading lacks it.
    marks: list[dict[str, Any]]

    @property
    def alone(self) -> int:
        """How many marks the other reading lacks."""
        return sum(mark["alone"] for mark in self.marks)

    @property
    def marks_json(self) -> str:
        """The marks for the script that draws them."""
        return json.dumps(self.marks, separators=(",", ":"))


def _back(field_id: int) -> str:
    return reverse("review", args=[pages.study_of_field(field_id)])


@login_required
@never_cache
@require_safe
def review(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show the field asked for by `?field=`, else the first that waits for this reviewer."""
    study = access.get_study_for(signed_in(request), study_id, Role.REVIEWER)
    waiting = list(differences.to_review(study, signed_in(request)))
    asked = request.GET.get("field", "")
    place = next((n for n, row in enumerate(waiting) if str(row.pk) == asked), 0)
    found = differences.difference(waiting[place]) if waiting else None
    context = frame(
        request,
        study,
        "review",
        found=found,
        sides=_sides(found) if found else [],
        ruled_counts=_in_words(found) if found else "",
        place=place + 1,
        waiting=len(waiting),
        following=waiting[(place + 1) % len(waiting)] if len(waiting) > 1 else None,
        undoable=differences.standing_rulings(signed_in(request)).filter(field__study=study).last(),
        elsewhere=differences.differing(study).count() - len(waiting),
        remaining=0 if found else pages.remaining(study, signed_in(request)),
        rule=CountingRule(study.counting_rule).label,
        tolerance=round(study.agreement_tolerance * 100, 1),
    )
    return render(request, "reviews/review.html", context)


@action(_back)
def rule(request: HttpRequest, field_id: int) -> HttpResponse:
    """Let one of the two readings hold, and go on to the next difference."""
    field = access.get_field_for(signed_in(request), field_id, Role.REVIEWER)
    ids = [request.POST.get("reading", ""), *request.POST.getlist("shown")]
    chosen, *shown = map(whole, ids)
    if chosen is None or None in shown:
        raise Refused(_("Choose one of the two readings."))
    against = [each for each in shown if each is not None and each != chosen]
    rulings.rule(field=field, reviewer=signed_in(request), reading_id=chosen, against=against)
    messages.success(request, _("%(name)s has its count now.") % {"name": field.name})
    return redirect("review", field.study_id)


@action(_back)
def withdraw(request: HttpRequest, field_id: int) -> HttpResponse:
    """Take a ruling back, and show its field again."""
    field = access.get_field_for(signed_in(request), field_id, Role.REVIEWER)
    rulings.withdraw(field=field, reviewer=signed_in(request))
    messages.success(request, _("Your ruling on %(name)s is undone.") % {"name": field.name})
    return redirect(f"{_back(field_id)}?field={field_id}")


def _in_words(found: differences.Difference) -> str:
    """Return the counts that were ruled before; nothing where nobody has ruled."""
    counts = found.ruled.counts if found.ruled else {}
    types = found.field.study.cell_types.all()
    return ", ".join(f"{row.label} {counts[row.code]}" for row in types if row.code in counts)


def _sides(found: differences.Difference) -> list[Side]:
    types = {row.cell_type.code for row in found.types}
    reach = found.field.width / NEAR
    alone = {
        1: differences.unmatched(found.first, found.second, reach),
        2: differences.unmatched(found.second, found.first, reach),
    }
    return [
        Side(
            reading=reading,
            title=title,
            key=key,
            rows=[
                {
                    "type": row.cell_type,
                    "count": row.first if key == 1 else row.second,
                    "apart": row.apart,
                }
                for row in found.types
            ],
            marks=[
                {**mark, "alone": number in alone[key]}
                for number, mark in enumerate(reading.marks)
                if mark["cell_type"] in types
            ],
        )
        for key, title, reading in (
            (1, _("First reading"), found.first),
            (2, _("Second reading"), found.second),
        )
    ]
