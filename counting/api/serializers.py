"""What goes in and out of the API; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from counting.models import (
    CellType,
    CountingRule,
    FieldChoice,
    ImportJob,
    Invitation,
    Membership,
    ModelVersion,
    QueueOrder,
    Role,
    Slide,
    Study,
    TrainingRun,
)
from counting.retold import retold, retold_lines


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


class CellTypeAddSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=16)
    name = serializers.CharField(max_length=60)
    key = serializers.CharField(max_length=1)
    color = serializers.CharField(required=False, help_text="else one that no other type has")


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


class OpenInvitationSerializer(serializers.ModelSerializer[Invitation]):
    invited_by = serializers.CharField(source="invited_by.username")

    class Meta:
        model = Invitation
        fields = ("id", "role", "email", "invited_by", "created_at", "expires_at")


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


class SlideChangeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=60, required=False)
    stain = serializers.CharField(max_length=60, required=False, allow_blank=True)
    objective = serializers.CharField(max_length=60, required=False, allow_blank=True)
    microns_per_pixel = serializers.FloatField(required=False, allow_null=True)
    field_choice = serializers.ChoiceField(choices=FieldChoice.choices, required=False)


class SlideCreateSerializer(SlideChangeSerializer):
    study = serializers.IntegerField()
    code = serializers.CharField(max_length=60)


class RetoldField(serializers.CharField):
    """A sentence that a worker kept, in the language of who asks."""

    def to_representation(self, value: str) -> str:
        return retold(value)


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


class PromoteSerializer(serializers.Serializer[Any]):
    overrule = serializers.BooleanField(default=False)


class TrainingRunRowSerializer(serializers.ModelSerializer[TrainingRun]):
    """A run as the list of runs shows it: without its log, which can be long."""

    step = RetoldField(read_only=True)
    verdict = RetoldField(read_only=True)
    error = RetoldField(read_only=True)

    class Meta:
        model = TrainingRun
        fields: tuple[str, ...] = (
            "id",
            "study",
            "state",
            "trigger",
            "progress",
            "step",
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


class RetoldLinesField(serializers.CharField):
    """A worker's log, each line in the language of who asks."""

    def to_representation(self, value: str) -> str:
        return retold_lines(value)


class TrainingRunSerializer(TrainingRunRowSerializer):
    log = RetoldLinesField(read_only=True)

    class Meta(TrainingRunRowSerializer.Meta):
        fields = (*TrainingRunRowSerializer.Meta.fields, "log")
