"""Settings of a study: counting rule, readers, blind fields, retraining, cell types."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from counting.errors import Refused
from counting.forms import StudyForm
from counting.models import CountingRule, Role, Study
from counting.selectors import access
from counting.selectors.fields import counted_among
from counting.services import cell_types, studies

from .common import frame, signed_in

# What a new cell type is made of; while code, name and key are empty, none is added.
NEW = ("code", "name", "key", "color")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show and change a study's settings (admins)."""
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    posted = request.method == "POST"
    form = StudyForm(request.POST if posted else StudyForm.values_of(study))
    types = _given_types(request, study) if posted else _types(study)
    new = {name: request.POST.get(f"new-{name}", "").strip() for name in NEW}
    refusal = ""
    if form.is_valid() and posted:
        try:
            with transaction.atomic():
                studies.update_study(study=study, actor=signed_in(request), **form.settings())
                cell_types.change(study=study, actor=signed_in(request), cell_types=types)
                if any(new[name] for name in ("code", "name", "key")):
                    cell_types.add(study=study, actor=signed_in(request), **new)
        except Refused as error:
            refusal = error.message
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("study-settings", study.pk)
    context = frame(
        request,
        access.get_study_for(signed_in(request), study_id),
        "settings",
        form=form,
        types=types,
        new={**new, "color": new["color"] or cell_types.next_color(study)},
        refusal=refusal,
        rules=CountingRule.choices,
        counted=counted_among(study.fields.all()),
    )
    return render(request, "studies/settings.html", context, status=400 if posted else 200)


def _types(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "code": row.code,
            "name": row.label,
            "color": row.color,
            "key": row.key,
            "position": row.position,
        }
        for row in study.cell_types.all()
    ]


def _given_types(request: HttpRequest, study: Study) -> list[dict[str, Any]]:
    """Return the cell types as posted; what is missing stays as it is."""
    return [
        {
            **row,
            **{
                name: request.POST[f"{row['code']}-{name}"].strip()
                for name in ("name", "color", "key")
                if f"{row['code']}-{name}" in request.POST
            },
        }
        for row in _types(study)
    ]
