"""How people share the fields of a study: leases, flags, comments and rulings."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .slide import Field, Reading


class Reason(models.TextChoices):
    """Why the queue serves a field now, as the reader sees it."""

    ORDER = "order", _("next on this slide")
    RANDOM = "random", _("random pick")
    WIDE = "wide", _("widest interval")
    NOVEL = "novel", _("unlike what the model knows")
    POOR = "poor", _("poor picture")
    SECOND = "second", _("waits for its second count")


class Lease(models.Model):
    """A field that was given to a reader and is not submitted yet; over when it expires."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="leases")
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="leases"
    )
    # Why the queue chose it; empty when the reader opened the field unasked.
    reason = models.CharField(max_length=10, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("field", "reader"), name="lease_once"),)
        indexes = (models.Index(fields=("reader", "expires_at"), name="lease_by_reader"),)

    def __str__(self) -> str:
        return f"{self.field} for {self.reader}"


class FlagReason(models.TextChoices):
    """Why a field cannot be read."""

    FOCUS = "focus", _("Out of focus")
    CROWDED = "crowded", _("Cells lie on top of each other")
    STAIN = "stain", _("Stain too weak, too strong or precipitated")
    DAMAGED = "damaged", _("Smear damaged or dirty")
    WRONG = "wrong", _("Not a field of this smear")
    OTHER = "other", _("Another reason")


class Flag(models.Model):
    """A field said to be unreadable. Lifted flags stay; at most one holds."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="flags")
    reason = models.CharField(_("reason"), max_length=10, choices=FlagReason)
    note = models.CharField(_("note"), max_length=500, blank=True)
    flagged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("field",), condition=Q(lifted_at__isnull=True), name="flag_one_holds"
            ),
            models.CheckConstraint(condition=Q(reason__in=FlagReason.values), name="flag_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="flag_lifted",
            ),
        )

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class Comment(models.Model):
    """What a member says about a field. Only ever added."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(_("comment"), max_length=1000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.author} on {self.field}"


class Ruling(models.Model):
    """A reviewer's word on which of two readings holds. Only ever added; the newest counts."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="rulings")
    # None where the reviewer takes back what they said before.
    reading = models.ForeignKey(
        Reading, on_delete=models.PROTECT, null=True, related_name="rulings"
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.reading or self.field} ruled by {self.reviewer}"
