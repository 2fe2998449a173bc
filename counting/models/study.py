"""Study, its cell types and the people who work in it."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _


class CountingRule(models.TextChoices):
    """What to do with cells cut by the edge of the picture."""

    ALL = "all", _("Count every visible cell, also those cut by the edge")
    WHOLE = "none", _("Count whole cells only, none that the edge cuts")
    TOP_LEFT = "top_left", _("Count cells cut by the top and left edge, not by the other two")


class QueueOrder(models.TextChoices):
    """Which field a reader gets next."""

    SLIDE = "slide", _("In the order of the slides")
    TEACH = "teach", _("What teaches the model most")


class Role(models.TextChoices):
    """What a member may do."""

    READER = "reader", _("Reader")
    REVIEWER = "reviewer", _("Reviewer")
    ADMIN = "admin", _("Admin")


# Least to most; a role may do all that the ones before it may.
ROLE_RANK = {Role.READER: 0, Role.REVIEWER: 1, Role.ADMIN: 2}


class Study(models.Model):
    """A lab's piece of work."""

    name = models.CharField(_("name"), max_length=120)
    counting_rule = models.CharField(
        _("counting rule"), max_length=10, choices=CountingRule, default=CountingRule.ALL
    )
    readers_per_field = models.PositiveSmallIntegerField(
        _("readers per field"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(2)],
    )
    # Two readings agree when they differ by no more than this part of the larger one, or one cell.
    agreement_tolerance = models.FloatField(
        _("agreement tolerance"),
        default=0.1,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )
    blind_share = models.FloatField(
        _("share of blind fields"),
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
    )
    queue_order = models.CharField(
        _("order of fields"), max_length=10, choices=QueueOrder, default=QueueOrder.SLIDE
    )
    retrain_after = models.PositiveIntegerField(
        _("retrain after this many new reference counts"),
        default=50,
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Empty: only on the schedule and when an admin says so."),
    )
    # Random, so that hold-out and blind choices cannot be worked out from names alone.
    salt = models.CharField(max_length=64, default=secrets.token_hex, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="studies_made"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(readers_per_field__in=(1, 2)), name="study_readers_per_field"
            ),
            models.CheckConstraint(
                condition=Q(blind_share__gte=0) & Q(blind_share__lte=1), name="study_blind_share"
            ),
            models.CheckConstraint(
                condition=Q(counting_rule__in=CountingRule.values), name="study_counting_rule"
            ),
            models.CheckConstraint(
                condition=Q(queue_order__in=QueueOrder.values), name="study_queue_order"
            ),
        )

    def __str__(self) -> str:
        return self.name


# What a study begins with. Kept in these words, shown in the reader's, until a lab has its own.
FIRST_NAMES = {
    "RBC": gettext_noop("Red cells"),
    "WBC": gettext_noop("White cells"),
    "PLT": gettext_noop("Platelets"),
}


class CellType(models.Model):
    """What is counted. `code` is the key everywhere: counts, marks, model outputs."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="cell_types")
    code = models.CharField(
        _("code"),
        max_length=16,
        validators=[
            RegexValidator(
                r"\A[A-Z][A-Z0-9_]*\Z",
                _("A code is capital letters, digits and underscores, starting with a letter."),
            )
        ],
    )
    name = models.CharField(_("name"), max_length=60)
    color = models.CharField(
        _("color"),
        max_length=7,
        validators=[RegexValidator(r"\A#[0-9a-f]{6}\Z", _("A color is written like #d55e00."))],
    )
    key = models.CharField(
        _("key"),
        max_length=1,
        validators=[RegexValidator(r"\A[a-z0-9]\Z", _("A key is one lower-case letter or digit."))],
    )
    position = models.PositiveSmallIntegerField(default=0)
    # Null: from before this was kept, so there when the study began.
    created_at = models.DateTimeField(auto_now_add=True, null=True)

    class Meta:
        ordering = ("position", "id")
        constraints = (
            models.UniqueConstraint(fields=("study", "code"), name="cell_type_code_once"),
            models.UniqueConstraint(fields=("study", "key"), name="cell_type_key_once"),
        )

    def __str__(self) -> str:
        return self.code

    @property
    def label(self) -> str:
        """The name in the reader's language where it is one that a study begins with."""
        return gettext(self.name) if self.name in FIRST_NAMES.values() else self.name


class Membership(models.Model):
    """One person's role in one study."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=10, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created_at", "id")
        constraints = (
            models.UniqueConstraint(fields=("study", "user"), name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role"),
        )

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(models.Model):
    """A link that lets one person join a study. Only the link's hash is kept."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=10, choices=Role)
    email = models.EmailField(blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.study} ({self.role})"
