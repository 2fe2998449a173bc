"""Calibration: what one cell per field means per microliter, on one microscope."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .slide import Slide
from .study import CellType, Study


class Calibration(models.Model):
    """The set-up that a factor belongs to. The factor itself is always worked out from samples."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="calibrations")
    cell_type = models.ForeignKey(CellType, on_delete=models.CASCADE, related_name="+")
    microscope = models.CharField(_("microscope"), max_length=60)
    objective = models.CharField(_("objective"), max_length=60)
    camera = models.CharField(_("camera"), max_length=60, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("microscope", "objective", "camera", "cell_type__position", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("study", "cell_type", "microscope", "objective", "camera"),
                name="calibration_once",
            ),
        )

    def __str__(self) -> str:
        return self.setup

    @property
    def setup(self) -> str:
        """The optics in one line, as printed beside the factor."""
        return ", ".join(part for part in (self.microscope, self.objective, self.camera) if part)


class CalibrationSample(models.Model):
    """One blood sample: the analyzer's value, and what was counted in the fields of its smear."""

    calibration = models.ForeignKey(Calibration, on_delete=models.CASCADE, related_name="samples")
    code = models.CharField(_("sample"), max_length=60)
    # Set where the mean was taken from the counted fields of a slide of the study.
    slide = models.ForeignKey(
        Slide, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    analyzer_value = models.FloatField(
        _("analyzer, per µL"),
        validators=[MinValueValidator(0.0), MaxValueValidator(10_000_000.0)],
    )
    mean_count = models.FloatField(
        _("mean count per field"), validators=[MinValueValidator(0.0), MaxValueValidator(20_000.0)]
    )
    field_count = models.PositiveIntegerField(_("fields counted"), null=True, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("calibration", "code"), name="calibration_sample_once"),
            models.CheckConstraint(
                condition=Q(analyzer_value__gte=0) & Q(mean_count__gte=0),
                name="calibration_sample_positive",
            ),
        )

    def __str__(self) -> str:
        return self.code
