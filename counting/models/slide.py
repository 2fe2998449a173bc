"""Slide and Field: the smear and its pictures."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ml.config import MICRONS_PER_PIXEL

from .study import Study


class FieldChoice(models.TextChoices):
    """How the fields of a slide were picked; fields around a cell say nothing per microliter."""

    RANDOM = "random", _("At random")
    AROUND_CELL = "around_cell", _("Around a cell")


class Slide(models.Model):
    """One smear. Whether it is held out is decided once, when it is made."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="slides")
    code = models.CharField(_("code"), max_length=60)
    stain = models.CharField(_("stain"), max_length=60, blank=True)
    objective = models.CharField(_("objective"), max_length=60, blank=True)
    microns_per_pixel = models.FloatField(
        _("microns per pixel"),
        null=True,
        blank=True,
        validators=[
            MinValueValidator(MICRONS_PER_PIXEL[0]),
            MaxValueValidator(MICRONS_PER_PIXEL[1]),
        ],
    )
    field_choice = models.CharField(
        _("fields chosen"), max_length=12, choices=FieldChoice, default=FieldChoice.RANDOM
    )
    held_out = models.BooleanField(_("held out"), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("study", "code"), name="slide_code_once"),
            models.CheckConstraint(
                condition=Q(field_choice__in=FieldChoice.values), name="slide_field_choice"
            ),
            models.CheckConstraint(
                condition=Q(microns_per_pixel__isnull=True) | Q(microns_per_pixel__gt=0),
                name="slide_microns_positive",
            ),
        )

    def __str__(self) -> str:
        return self.code


class Field(models.Model):
    """One picture of a slide. The stored file is a re-encoded copy without metadata."""

    slide = models.ForeignKey(Slide, on_delete=models.CASCADE, related_name="fields")
    # The slide's study again, so that the database itself can refuse a duplicate.
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="fields")
    name = models.CharField(_("name"), max_length=120)
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    image = models.FileField(upload_to="fields", max_length=120)
    thumbnail = models.FileField(upload_to="thumbnails", max_length=120)
    blind = models.BooleanField(default=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("study", "sha256"), name="field_picture_once"),
            models.CheckConstraint(
                condition=Q(width__gt=0) & Q(height__gt=0), name="field_size_positive"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def tiles_folder(self) -> Path:
        """Where the tiles of a large picture lie, once they are made."""
        return Path(self.image.storage.path("tiles")) / Path(str(self.image.name)).stem


class Fault(models.TextChoices):
    """What is wrong with a picture (the faults of ml/quality.py)."""

    BLURRED = "blurred", _("out of focus")
    DARK = "dark", _("too dark")
    BRIGHT = "bright", _("overexposed")
    FAINT = "faint", _("stain too faint")
    CROWDED = "crowded", _("cells crowded")
    UNEVEN = "uneven", _("uneven light")
    SCALE = "scale", _("wrong scale")

    @property
    def words(self) -> str:
        """What is wrong and what to do, in a sentence."""
        return str(_FAULT_WORDS[self])


_FAULT_WORDS = {
    Fault.BLURRED: _("Out of focus: refocus and take it again."),
    Fault.DARK: _("Too dark: give more light or a longer exposure and take it again."),
    Fault.BRIGHT: _("Overexposed, cells fade into white: take it again with less light."),
    Fault.FAINT: _("The stain is too faint to tell cells apart: stain the smear anew."),
    Fault.CROWDED: _("Cells lie on top of each other: take a field where the smear is thinner."),
    Fault.UNEVEN: _(
        "Uneven light: center the lamp and the condenser, hold the camera straight, "
        "and take it again."
    ),
    Fault.SCALE: _(
        "Red cells are much wider or narrower here than the microns per pixel say: "
        "check that number and the objective."
    ),
}


class Prediction(models.Model):
    """Counts with intervals by one model version for one field. Never changed once written."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="predictions")
    model_version = models.ForeignKey(
        "counting.ModelVersion", on_delete=models.PROTECT, related_name="predictions"
    )
    # {code: {value, low, high, raw, deviation}}; no deviation in those made before it was kept
    counts = models.JSONField()
    marks = models.JSONField(default=list)  # [{cell_type, x, y}] in pixels of the stored picture
    novelty = models.FloatField()
    novel = models.BooleanField(default=False)
    faults = models.JSONField(default=list)  # what is wrong with the picture: values of Fault
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("field", "model_version"), name="prediction_once"),
        )

    def __str__(self) -> str:
        return f"{self.field} by {self.model_version}"

    @property
    def picture_faults(self) -> list[Fault]:
        """What is wrong with the picture, the worst first."""
        return [Fault(code) for code in self.faults]


class CountMap(models.Model):
    """Where a prediction's model saw cells: a small gray picture (see services/count_maps.py).

    In a table of its own, so that lists of predictions do not carry it along. A point of the
    picture is `step` pixels of the field wide and high.
    """

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="count_map"
    )
    png = models.BinaryField()
    step = models.FloatField()

    def __str__(self) -> str:
        return f"count map of {self.prediction_id}"


class Reading(models.Model):
    """One reader's counts of one field. A submitted revision is never overwritten."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SUBMITTED = "submitted", _("Submitted")

    # Methods of readings that began as the suggestion: taken over as it was, or then changed.
    BEGUN = ("accepted", "corrected")

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="readings")
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="readings"
    )
    revision = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State)
    counts = models.JSONField()  # {code: whole number}
    marks = models.JSONField(default=list)  # [{cell_type, x, y}] in pixels of the stored picture
    method = models.CharField(max_length=20)
    # What the reader saw; null: nothing (blind, or no prediction yet).
    shown_prediction = models.ForeignKey(
        Prediction, on_delete=models.PROTECT, null=True, related_name="+"
    )
    # They saw one that was made anew by the time they saved: neither that nor this is kept above.
    shown_replaced = models.BooleanField(default=False)
    seconds = models.PositiveIntegerField(default=0)
    ruling = models.BooleanField(default=False)
    # The reader's saves of this field so far, and the tab or script behind the last one: a save
    # that is based on an older number from elsewhere is a conflict.
    version = models.PositiveIntegerField(default=1)
    tab = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("field", "reader", "revision"), name="reading_revision_once"
            ),
            models.UniqueConstraint(
                fields=("field", "reader"), condition=Q(state="draft"), name="reading_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(state="draft", submitted_at__isnull=True)
                | Q(state="submitted", submitted_at__isnull=False),
                name="reading_submitted_at",
            ),
        )

    def __str__(self) -> str:
        return f"{self.field} by {self.reader}, revision {self.revision}"


class ReferenceCount(models.Model):
    """What the study holds true for a field. Superseded rows stay; one row is current."""

    class Basis(models.TextChoices):
        SINGLE = "single", _("Single reading")
        CONSENSUS = "consensus", _("Consensus of two readings")
        RULING = "ruling", _("Reviewer's ruling")

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="references")
    counts = models.JSONField()  # {code: whole number}
    basis = models.CharField(max_length=10, choices=Basis)
    # The reading that gives the marks, and for a consensus the other one.
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, related_name="references")
    second_reading = models.ForeignKey(
        Reading, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("field",),
                condition=Q(superseded_at__isnull=True),
                name="reference_one_current",
            ),
            models.CheckConstraint(
                condition=(Q(basis="consensus") & Q(second_reading__isnull=False))
                | (~Q(basis="consensus") & Q(second_reading__isnull=True)),
                name="reference_basis",
            ),
            models.CheckConstraint(
                condition=Q(second_reading__isnull=True) | ~Q(second_reading=F("reading")),
                name="reference_two_readings",
            ),
        )

    def __str__(self) -> str:
        return f"{self.field}: {self.counts}"
