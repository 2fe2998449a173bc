"""Jobs are rows first: the broker only rings the bell (see docs/architecture.md)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .slide import Field, Slide
from .study import Study


class JobState(models.TextChoices):
    """Where a job is; the last three are for good."""

    WAITING = "waiting", _("Waiting")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


ACTIVE = (JobState.WAITING, JobState.RUNNING)


class JobRow(models.Model):
    """What every job has. A worker owns it while `token` is the one it claimed it with."""

    state = models.CharField(max_length=10, choices=JobState, default=JobState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    token = models.CharField(max_length=32, blank=True)
    worker_session = models.CharField(max_length=32, blank=True)
    heartbeat = models.DateTimeField(null=True)
    progress = models.FloatField(default=0.0)
    step = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    next_try_at = models.DateTimeField(default=timezone.now)
    # When the bell was last rung, so that the sweeper does not ring at every pass.
    rung_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class PredictionJob(JobRow):
    """Predict one field with one model version."""

    field = models.ForeignKey(Field, on_delete=models.CASCADE, related_name="prediction_jobs")
    model_version = models.ForeignKey(
        "counting.ModelVersion", on_delete=models.CASCADE, related_name="prediction_jobs"
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("field", "model_version"), name="prediction_job_once"),
        )
        indexes = (models.Index(fields=("state", "next_try_at"), name="prediction_job_waiting"),)

    def __str__(self) -> str:
        return f"predict {self.field_id} with {self.model_version_id}"


class TileJob(JobRow):
    """Cut the picture of one large field into tiles (services/tiles.py)."""

    field = models.OneToOneField(Field, on_delete=models.CASCADE, related_name="tile_job")

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("state", "next_try_at"), name="tile_job_waiting"),)

    def __str__(self) -> str:
        return f"tiles of {self.field_id}"


class ImportJob(JobRow):
    """Unpack one uploaded zip into the fields of a slide."""

    slide = models.ForeignKey(Slide, on_delete=models.CASCADE, related_name="imports")
    archive = models.FileField(upload_to="imports", max_length=120)
    name = models.CharField(max_length=120)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    results = models.JSONField(default=list)  # [{name, outcome, field, message}]

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"import {self.name}"


class TrainingRun(JobRow):
    """One attempt to make a better model."""

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("Asked for by an admin")
        THRESHOLD = "threshold", _("Enough new counts")
        SCHEDULE = "schedule", _("Schedule")

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="training_runs")
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    data_hash = models.CharField(max_length=64)
    reference_counts = models.PositiveIntegerField()
    champion = models.ForeignKey(
        "counting.ModelVersion", on_delete=models.PROTECT, related_name="challenges"
    )
    candidate = models.ForeignKey(
        "counting.ModelVersion", on_delete=models.PROTECT, null=True, related_name="+"
    )
    log = models.TextField(blank=True)
    verdict = models.TextField(blank=True)
    promoted = models.BooleanField(default=False)
    metrics = models.JSONField(default=dict)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("study",),
                condition=Q(state__in=("waiting", "running")),
                name="training_run_one_active",
            ),
        )

    def __str__(self) -> str:
        return f"run {self.pk} ({self.state})"


class Worker(models.Model):
    """A process that says every few seconds that it is alive."""

    class Role(models.TextChoices):
        INFERENCE = "inference", _("Inference")
        TRAINING = "training", _("Training")
        SCHEDULER = "scheduler", _("Scheduler")

    name = models.CharField(max_length=120, unique=True)
    role = models.CharField(max_length=10, choices=Role)
    session = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("role", "name")

    def __str__(self) -> str:
        return self.name
