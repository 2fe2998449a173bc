"""Forms of the pages. They turn text into values; what a value may be is the services' word."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from counting import numbers
from counting.errors import Refused
from counting.models import CountingRule, FieldChoice, QueueOrder, Role, Slide, Study


class NumberField(forms.FloatField):
    """A number as people write it, with a point or a comma before the decimals."""

    def to_python(self, value: Any) -> float | None:  # type: ignore[override]  # as in Django
        """Return the number, None for an empty text; refuses like `numbers.read`."""
        if value in self.empty_values:
            return None
        try:
            return numbers.read(str(value))
        except Refused as error:
            raise ValidationError(error.message, error.code) from None


class StudyForm(forms.Form):
    """Settings of a study, shares as percentages."""

    name = forms.CharField(label=_("Name"), max_length=120)
    counting_rule = forms.ChoiceField(
        label=_("Counting rule"),
        choices=CountingRule.choices,
        initial=CountingRule.ALL,
    )
    readers_per_field = forms.TypedChoiceField(
        label=_("Readers per field"),
        choices=((1, _("One reader")), (2, _("Two readers"))),
        coerce=int,
        initial=1,
    )
    agreement_percent = NumberField(
        label=_("Two readers agree within"), min_value=0, max_value=100, initial=10, required=False
    )
    blind_percent = NumberField(
        label=_("Fields counted blind"), min_value=0, max_value=100, initial=0, required=False
    )
    queue_order = forms.ChoiceField(
        label=_("Order of fields"),
        choices=QueueOrder.choices,
        initial=QueueOrder.SLIDE,
        required=False,
    )
    retrain_after = forms.IntegerField(
        label=_("Retrain after this many new counts"), min_value=1, required=False, initial=50
    )

    @staticmethod
    def values_of(study: Study) -> dict[str, Any]:
        """Return a study's settings as the form shows them."""
        return {
            "name": study.name,
            "counting_rule": study.counting_rule,
            "readers_per_field": study.readers_per_field,
            "agreement_percent": numbers.short(study.agreement_tolerance * 100),
            "blind_percent": numbers.short(study.blind_share * 100),
            "queue_order": study.queue_order,
            "retrain_after": study.retrain_after,
        }

    def settings(self) -> dict[str, Any]:
        """Return the settings as services take them."""
        data = dict(self.cleaned_data)
        agreement, blind = data.pop("agreement_percent"), data.pop("blind_percent")
        return {
            **data,
            "agreement_tolerance": (10.0 if agreement is None else agreement) / 100,
            "blind_share": (blind or 0.0) / 100,
            "queue_order": data["queue_order"] or QueueOrder.SLIDE,
        }


class SlideForm(forms.Form):
    """What a person says of a slide."""

    code = forms.CharField(label=_("Code"), max_length=60)
    stain = forms.CharField(label=_("Stain"), max_length=60, required=False)
    objective = forms.CharField(label=_("Objective"), max_length=60, required=False)
    microns_per_pixel = NumberField(label=_("Microns per pixel"), required=False)
    field_choice = forms.ChoiceField(
        label=_("Fields chosen"), choices=FieldChoice.choices, initial=FieldChoice.RANDOM
    )

    @classmethod
    def values_of(cls, slide: Slide) -> dict[str, Any]:
        """Return what is said of a slide as the form shows it."""
        values = {name: getattr(slide, name) for name in cls.base_fields}
        microns = slide.microns_per_pixel
        # In the marks of the language, with all digits: what nobody touches must not change.
        return {**values, "microns_per_pixel": None if microns is None else number_format(microns)}


class MemberForm(forms.Form):
    """An existing account to let in."""

    username = forms.CharField(label=_("User name"), max_length=150)
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.READER)


class RoleForm(forms.Form):
    """A member's new role, or the role that an invitation gives."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.READER)


class CalibrationForm(forms.Form):
    """The set-up of a new calibration."""

    cell_type = forms.ChoiceField(
        label=_("Cell type"),
        choices=(("WBC", _("White cells")), ("PLT", _("Platelets"))),
        initial="WBC",
    )
    microscope = forms.CharField(label=_("Microscope"), max_length=60)
    objective = forms.CharField(label=_("Objective"), max_length=60)
    camera = forms.CharField(label=_("Camera"), max_length=60, required=False)


class SlideSampleForm(forms.Form):
    """A slide of the study as a sample of a calibration."""

    slide = forms.IntegerField(label=_("Slide"))
    analyzer_value = NumberField(label=_("Analyzer, cells per µL"), min_value=0)


class JoinForm(forms.Form):
    """A new account, made by somebody who was invited."""

    username = forms.CharField(label=_("User name"), max_length=150)
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput, strip=False, max_length=200
    )


class PasswordForm(PasswordChangeForm):
    """A new password, for whoever knows the one before."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        """Ask as sign-in does, so that guesses here are counted with those there."""
        given: str = self.cleaned_data["old_password"]
        known = authenticate(self.request, username=self.user.get_username(), password=given)
        if known != self.user:
            raise ValidationError(
                self.error_messages["password_incorrect"], code="password_incorrect"
            )
        return given
