"""Members of a study: who is in it, in which role, and invitation links."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from counting.errors import Refused
from counting.forms import MemberForm, RoleForm
from counting.models import Membership, Role, Study
from counting.selectors import access, pages
from counting.services import studies

from .common import action, frame, signed_in


def _back(study_id: int, member_id: int | None = None, invitation_id: int | None = None) -> str:
    return reverse("members", args=[study_id])


@login_required
@require_safe
def members(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show the members; admins can change them."""
    study = access.get_study_for(signed_in(request), study_id)
    return render(request, "studies/members.html", _context(request, study))


def _context(request: HttpRequest, study: Study, **more: Any) -> dict[str, Any]:
    return frame(
        request,
        study,
        "members",
        members=pages.members_of(study),
        invitations=studies.open_invitations(study),
        roles=Role.choices,
        **more,
    )


@action(_back)
def add(request: HttpRequest, study_id: int) -> HttpResponse:
    """Let an existing account in."""
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    form = MemberForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Give a user name and a role."))
    member = studies.add_member(study=study, actor=signed_in(request), **form.cleaned_data)
    messages.success(request, _("%(name)s is a member now.") % {"name": member.user.get_username()})
    return redirect("members", study.pk)


@action(_back)
def set_role(request: HttpRequest, study_id: int, member_id: int) -> HttpResponse:
    """Change a member's role."""
    member = _find(request, study_id, member_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Choose a role."))
    changed = studies.set_role(
        membership=member, actor=signed_in(request), role=form.cleaned_data["role"]
    )
    messages.success(
        request,
        _("%(name)s is %(role)s now.")
        % {"name": member.user.get_username(), "role": Role(changed.role).label.lower()},
    )
    return redirect("members", study_id)


@action(_back)
def remove(request: HttpRequest, study_id: int, member_id: int) -> HttpResponse:
    """Take a member out of the study."""
    member = _find(request, study_id, member_id)
    name = member.user.get_username()
    studies.remove_member(membership=member, actor=signed_in(request))
    messages.success(
        request, _("%(name)s is out of the study. What they counted stays.") % {"name": name}
    )
    return redirect("members", study_id)


@action(_back)
def invite(request: HttpRequest, study_id: int) -> HttpResponse:
    """Make an invitation link and show it, this once."""
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Choose a role."))
    invitation, token = studies.invite(
        study=study, actor=signed_in(request), role=form.cleaned_data["role"]
    )
    link = request.build_absolute_uri(reverse("invitation", args=[token]))
    context = _context(request, study, link=link, invitation=invitation)
    return render(request, "studies/members.html", context)


@action(_back)
def revoke(request: HttpRequest, study_id: int, invitation_id: int) -> HttpResponse:
    """Take an open invitation back."""
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    invitation = study.invitations.filter(pk=invitation_id).first()
    if invitation is None:
        raise Http404
    studies.revoke_invitation(invitation=invitation, actor=signed_in(request))
    messages.success(request, _("The invitation is taken back. Its link lets nobody in."))
    return redirect("members", study_id)


def _find(request: HttpRequest, study_id: int, member_id: int) -> Membership:
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    member = pages.members_of(study).filter(pk=member_id).first()
    if member is None:
        raise Http404
    return member
