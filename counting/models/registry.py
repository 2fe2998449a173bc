"""ModelVersion: a bundle in the registry, as one study knows it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .study import Study


class ModelVersion(models.Model):
    """A bundle (folder) with its parent, the hash of what it learned from, and its metrics."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
        CHAMPION = "champion", _("Champion")
        RETIRED = "retired", _("Retired")

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    # Folder below REGISTRY_ROOT, named by the bundle's SHA-256: studies share the base bundle.
    sha256 = models.CharField(max_length=64)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    data_hash = models.CharField(max_length=64, blank=True)
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    promoted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("study", "number"), name="model_number_once"),
            models.UniqueConstraint(
                fields=("study",), condition=Q(state="champion"), name="model_one_champion"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How people call it: `v3`."""
        return f"v{self.number}"
