"""What goes in and out of the API; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from counting import pyramid
from counting.models import (
    CellType,
    CountingRule,
    Fault,
    FieldChoice,
    Flag,
    ImportJob,
    JobState,
    Membership,
    ModelVersion,
    Prediction,
    QueueOrder,
    Reading,
    Reason,
    Role,
    Slide,
    Study,
    TileJob,
    TrainingRun,
)
from counting.retold import retold
from counting.selectors.fields import FieldView
from counting.services.assignments import Assigned

FIELD_STATES = [
    (state, state) for state in ("waiting", "predicting", "predicted", "failed", "counted")
]


class ErrorSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField()
    code = serializers.CharField()
    id = serializers.IntegerField(required=False, allow_null=True)


class TokenRequestSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()


class CellTypeSerializer(serializers.ModelSerializer[CellType]):
    class Meta:
        model = CellType
        fields = ("code", "name", "color", "key", "position")


class ChampionSerializer(serializers.ModelSerializer[ModelVersion]):
    name = serializers.CharField(read_only=True)

    class Meta:
        model = ModelVersion
        fields = ("id", "number", "name")


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study with its progress; `role` is the asker's own."""

    cell_types = CellTypeSerializer(many=True)
    champion = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()
    slides = serializers.IntegerField(source="slide_count")
    fields_ = serializers.IntegerField(source="field_count")
    counted = serializers.IntegerField(source="counted_count")

    class Meta:
        model = Study
        fields = (
            "id",
            "name",
            "counting_rule",
            "cell_types",
            "role",
            "readers_per_field",
            "agreement_tolerance",
            "blind_share",
            "queue_order",
            "retrain_after",
            "champion",
            "slides",
            "fields_",
            "counted",
            "created_at",
        )

    def to_representation(self, instance: Study) -> dict[str, Any]:
        data = super().to_representation(instance)
        # `fields` is taken by the serializer itself.
        data["fields"] = data.pop("fields_")
        return data

    @extend_schema_field(ChampionSerializer(allow_null=True))
    def get_champion(self, study: Study) -> Any:
        version = next(
            (row for row in study.model_versions.all() if row.state == row.State.CHAMPION), None
        )
        return ChampionSerializer(version).data if version else None

    @extend_schema_field(serializers.ChoiceField(choices=Role.choices))
    def get_role(self, study: Study) -> str | None:
        user = self.context["request"].user
        return next((row.role for row in study.memberships.all() if row.user_id == user.pk), None)


class CellTypeChangeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField(required=False)
    color = serializers.CharField(required=False)
    key = serializers.CharField(required=False)


class StudyChangeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120, required=False)
    counting_rule = serializers.ChoiceField(choices=CountingRule.choices, required=False)
    readers_per_field = serializers.IntegerField(required=False)
    agreement_tolerance = serializers.FloatField(required=False)
    blind_share = serializers.FloatField(required=False)
    queue_order = serializers.ChoiceField(choices=QueueOrder.choices, required=False)
    retrain_after = serializers.IntegerField(required=False, allow_null=True)
    cell_types = CellTypeChangeSerializer(many=True, required=False)


class StudyCreateSerializer(StudyChangeSerializer):
    name = serializers.CharField(max_length=120)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "username", "role", "created_at")


class MemberAddSerializer(serializers.Serializer[Any]):
    username = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices, default=Role.READER)


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationRequestSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices, default=Role.READER)
    email = serializers.EmailField(required=False, allow_blank=True, default="")


class InvitationSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    url = serializers.URLField()
    role = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SlideSerializer(serializers.ModelSerializer[Slide]):
    fields_ = serializers.IntegerField(source="field_count")
    counted = serializers.IntegerField(source="counted_count")

    class Meta:
        model = Slide
        fields = (
            "id",
            "study",
            "code",
            "stain",
            "objective",
            "microns_per_pixel",
            "field_choice",
            "held_out",
            "fields_",
            "counted",
            "created_at",
        )

    def to_representation(self, instance: Slide) -> dict[str, Any]:
        data = super().to_representation(instance)
        data["fields"] = data.pop("fields_")
        return data


class SlideCreateSerializer(serializers.Serializer[Any]):
    study = serializers.IntegerField()
    code = serializers.CharField(max_length=60)
    stain = serializers.CharField(max_length=60, required=False, allow_blank=True)
    objective = serializers.CharField(max_length=60, required=False, allow_blank=True)
    microns_per_pixel = serializers.FloatField(required=False, allow_null=True)
    field_choice = serializers.ChoiceField(choices=FieldChoice.choices, required=False)


class MarkSerializer(serializers.Serializer[Any]):
    cell_type = serializers.CharField()
    x = serializers.FloatField()
    y = serializers.FloatField()


class PredictedCountSerializer(serializers.Serializer[Any]):
    value = serializers.IntegerField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    raw = serializers.FloatField(required=False)


class FaultSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=Fault.choices, source="value")
    name = serializers.CharField(source="label")
    words = serializers.CharField(help_text="what is wrong and what to do, in a sentence")


class PredictionSerializer(serializers.ModelSerializer[Prediction]):
    model_name = serializers.CharField(source="model_version.name")
    counts = serializers.DictField(child=PredictedCountSerializer())
    faults = FaultSerializer(
        many=True, source="picture_faults", help_text="what is wrong with the picture"
    )
    marks = MarkSerializer(many=True)

    class Meta:
        model = Prediction
        fields = ("model_version", "model_name", "counts", "novelty", "novel", "faults", "marks")


class MyReadingSerializer(serializers.ModelSerializer[Reading]):
    counts = serializers.DictField(child=serializers.IntegerField())
    marks = MarkSerializer(many=True)

    class Meta:
        model = Reading
        fields = (
            "revision",
            "version",
            "state",
            "counts",
            "marks",
            "method",
            "seconds",
            "updated_at",
        )


class FlagSerializer(serializers.ModelSerializer[Flag]):
    words = serializers.CharField(source="get_reason_display")
    flagged_by = serializers.CharField(source="flagged_by.username")

    class Meta:
        model = Flag
        fields = ("reason", "words", "note", "flagged_by", "created_at")


class RetoldField(serializers.CharField):
    """A sentence that a worker kept, in the language of who asks."""

    def to_representation(self, value: str) -> str:
        return retold(value)


class TilesSerializer(serializers.Serializer[Any]):
    """A large picture in tiles: `{url}{level}/{column}_{row}.jpg`, as Deep Zoom has them."""

    state = serializers.ChoiceField(
        choices=JobState.choices, help_text="the tiles are there when it is `succeeded`"
    )
    progress = serializers.FloatField()
    error = RetoldField(read_only=True)
    url = serializers.SerializerMethodField()
    size = serializers.IntegerField(default=pyramid.TILE, help_text="sides of a tile, in pixels")
    overlap = serializers.IntegerField(default=pyramid.OVERLAP)
    first_level = serializers.SerializerMethodField()
    last_level = serializers.SerializerMethodField(help_text="the picture at its full size")

    def get_url(self, job: TileJob) -> str:
        return reverse("field", args=[job.field_id]) + "tiles/"

    def get_first_level(self, job: TileJob) -> int:
        return pyramid.first_level(job.field.width, job.field.height)

    def get_last_level(self, job: TileJob) -> int:
        return pyramid.last_level(job.field.width, job.field.height)


class FieldSerializer(serializers.Serializer[Any]):
    """A field as the asker may see it."""

    id = serializers.IntegerField(source="field.pk")
    slide = serializers.IntegerField(source="field.slide_id")
    study = serializers.IntegerField(source="field.study_id")
    name = serializers.CharField(source="field.name")
    sha256 = serializers.CharField(source="field.sha256")
    width = serializers.IntegerField(source="field.width")
    height = serializers.IntegerField(source="field.height")
    image = serializers.SerializerMethodField()
    thumbnail = serializers.SerializerMethodField()
    tiles = TilesSerializer(
        allow_null=True, help_text="null for a picture that is small enough to be shown whole"
    )
    blind = serializers.BooleanField(source="field.blind")
    state = serializers.ChoiceField(choices=FIELD_STATES)
    error = RetoldField()
    prediction = PredictionSerializer(allow_null=True)
    prediction_hidden = serializers.BooleanField(source="hidden")
    reference = serializers.SerializerMethodField()
    my_reading = MyReadingSerializer(allow_null=True)
    reason = serializers.ChoiceField(
        choices=Reason.choices,
        allow_null=True,
        help_text="why the queue gave you this field; null when it did not",
    )
    why = serializers.SerializerMethodField(help_text="the reason in words")
    flag = FlagSerializer(allow_null=True)
    comments = serializers.IntegerField(help_text="how many")
    created_at = serializers.DateTimeField(source="field.created_at")

    def get_image(self, view: FieldView) -> str:
        return reverse("field-image", args=[view.field.pk])

    def get_thumbnail(self, view: FieldView) -> str:
        return reverse("field-thumbnail", args=[view.field.pk])

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField(), allow_null=True))
    def get_reference(self, view: FieldView) -> dict[str, int] | None:
        return view.reference.counts if view.reference else None

    def get_why(self, view: FieldView) -> str:
        return str(view.reason.label) if view.reason else ""


class FieldUploadSerializer(serializers.Serializer[Any]):
    slide = serializers.IntegerField()
    # Any file: what it really is, is decided by decoding it.
    image = serializers.FileField(allow_empty_file=True, max_length=None)


class FieldCreatedSerializer(FieldSerializer):
    warning = serializers.CharField()


class NextSerializer(serializers.Serializer[Any]):
    field = serializers.IntegerField(source="field_id", allow_null=True)
    url = serializers.SerializerMethodField()
    remaining = serializers.IntegerField()

    def get_url(self, found: Assigned) -> str | None:
        return reverse("field", args=[found.field_id]) if found.field_id else None


class ReadingSerializer(serializers.ModelSerializer[Reading]):
    counts = serializers.DictField(child=serializers.IntegerField())
    next = serializers.SerializerMethodField()

    class Meta:
        model = Reading
        fields = ("id", "field", "revision", "version", "state", "counts", "method", "next")

    @extend_schema_field(NextSerializer(allow_null=True))
    def get_next(self, reading: Reading) -> Any:
        return self.context.get("next")


class ImportSerializer(serializers.ModelSerializer[ImportJob]):
    error = RetoldField(read_only=True)
    results = serializers.SerializerMethodField()

    class Meta:
        model = ImportJob
        fields = ("id", "slide", "name", "state", "progress", "total", "done", "results", "error")

    @extend_schema_field(serializers.ListField(child=serializers.JSONField()))
    def get_results(self, job: ImportJob) -> list[dict[str, Any]]:
        return [{**result, "message": retold(result["message"])} for result in job.results]


class ImportRequestSerializer(serializers.Serializer[Any]):
    archive = serializers.FileField(allow_empty_file=True)


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    name = serializers.CharField(read_only=True)

    class Meta:
        model = ModelVersion
        fields = (
            "id",
            "study",
            "number",
            "name",
            "state",
            "sha256",
            "parent",
            "data_hash",
            "metrics",
            "created_at",
            "promoted_at",
        )


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    step = RetoldField(read_only=True)
    verdict = RetoldField(read_only=True)
    error = RetoldField(read_only=True)

    class Meta:
        model = TrainingRun
        fields = (
            "id",
            "study",
            "state",
            "trigger",
            "progress",
            "step",
            "log",
            "verdict",
            "promoted",
            "metrics",
            "error",
            "champion",
            "candidate",
            "reference_counts",
            "cancel_requested",
            "created_at",
            "started_at",
            "finished_at",
        )
