"""Signing in and out, changing one's password, and joining a study by an invitation link."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from counting.errors import Refused
from counting.forms import JoinForm, PasswordForm
from counting.models import Role
from counting.services import studies, tokens

from .common import signed_in


class SignIn(LoginView):
    template_name = "accounts/login.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]


@method_decorator(never_cache, name="dispatch")
class ChangePassword(PasswordChangeView):
    form_class = PasswordForm
    template_name = "accounts/password.html"
    success_url = reverse_lazy("home")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            answer = super().form_valid(form)
            number = tokens.password_changed(user=form.user)
        told = _("Your password is changed.")
        if number:
            told = ngettext(
                "Your password is changed, and %(n)d API token of yours is deleted.",
                "Your password is changed, and %(n)d API tokens of yours are deleted.",
                number,
            ) % {"n": number}
        messages.success(self.request, told)
        return answer

    def form_invalid(self, form: PasswordChangeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a study: with the account that is signed in, or with a new one."""
    try:
        found = studies.find_invitation(token)
    except Refused as error:
        over = {"refusal": error.message}
        return render(request, "accounts/invitation_over.html", over, status=404)
    form = JoinForm(request.POST or None)
    refusal, status = "", 400 if request.method == "POST" else 200
    if request.method == "POST":
        try:
            if request.user.is_authenticated:
                studies.accept_invitation(token=token, user=signed_in(request))
                return redirect("study", found.study_id)
            if form.is_valid():
                user = studies.accept_invitation(token=token, **form.cleaned_data)
                login(request, user, "django.contrib.auth.backends.ModelBackend")
                return redirect("study", found.study_id)
        except Refused as error:
            refusal, status = error.message, error.status
    context: dict[str, Any] = {
        "form": form,
        "invitation": found,
        "role": Role(found.role).label,
        "refusal": refusal,
    }
    return render(request, "accounts/invitation.html", context, status=status)
