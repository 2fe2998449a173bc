"""A field, its prediction and its readings, in and out of the API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from counting import pyramid
from counting.models import (
    Fault,
    Flag,
    JobState,
    Prediction,
    Reading,
    Reason,
    TileJob,
)
from counting.selectors.fields import FieldView
from counting.selectors.standing import Standing, standing_of
from counting.services.assignments import Assigned

from .serializers import RetoldField

FIELD_STATES = [
    (state, state) for state in ("waiting", "predicting", "predicted", "failed", "counted")
]

STANDINGS = [(standing.value, standing.value) for standing in Standing]


class MarkSerializer(serializers.Serializer[Any]):
    cell_type = serializers.CharField()
    x = serializers.FloatField()
    y = serializers.FloatField()


class PredictedCountSerializer(serializers.Serializer[Any]):
    value = serializers.IntegerField()
    low = serializers.IntegerField()
    high = serializers.IntegerField()
    raw = serializers.FloatField(required=False)
    deviation = serializers.FloatField(
        required=False,
        help_text="standard deviation of the error, in cells; missing in predictions of before",
    )


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
        fields = (
            "id",
            "model_version",
            "model_name",
            "counts",
            "novelty",
            "novel",
            "faults",
            "marks",
        )


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
    my_reading = MyReadingSerializer(
        allow_null=True, help_text="your newest one, which may be a draft"
    )
    my_submitted = serializers.DictField(
        child=serializers.IntegerField(),
        source="my_submitted.counts",
        allow_null=True,
        default=None,
        help_text="the counts that you submitted last; null before you have",
    )
    my_standing = serializers.ChoiceField(
        choices=STANDINGS,
        allow_null=True,
        help_text=(
            "how your newest reading stands: `correction` is a draft that differs from what you "
            "submitted, which holds until you submit it"
        ),
    )
    reason = serializers.ChoiceField(
        choices=Reason.choices,
        allow_null=True,
        help_text="why the queue gave you this field; null when it did not",
    )
    why = serializers.SerializerMethodField(help_text="the reason in words")
    flag = FlagSerializer(allow_null=True)
    is_mine = serializers.BooleanField(help_text="whether you uploaded it")
    comments = serializers.IntegerField(help_text="how many")
    ruled_by = serializers.CharField(
        help_text="the reviewer whose ruling holds, whatever you correct; empty before you submit"
    )
    created_at = serializers.DateTimeField(source="field.created_at")

    def get_image(self, view: FieldView) -> str:
        return reverse("field-image", args=[view.field.pk])

    def get_thumbnail(self, view: FieldView) -> str:
        return reverse("field-thumbnail", args=[view.field.pk])

    @extend_schema_field(
        serializers.DictField(
            child=serializers.IntegerField(),
            allow_null=True,
            help_text="null before it is settled, and for a blind field before you have submitted",
        )
    )
    def get_reference(self, view: FieldView) -> dict[str, int] | None:
        reference = view.shown_reference
        return reference.counts if reference else None

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
    standing = serializers.SerializerMethodField(help_text="as `my_standing` of the field")
    next = serializers.SerializerMethodField()
    ruled_by = serializers.SerializerMethodField(
        help_text="the reviewer whose ruling holds all the same; your count is kept beside it"
    )

    class Meta:
        model = Reading
        fields = (
            "id",
            "field",
            "revision",
            "version",
            "state",
            "counts",
            "method",
            "standing",
            "next",
            "ruled_by",
        )

    @extend_schema_field(serializers.ChoiceField(choices=STANDINGS))
    def get_standing(self, reading: Reading) -> str:
        return standing_of(reading)

    @extend_schema_field(NextSerializer(allow_null=True))
    def get_next(self, reading: Reading) -> Any:
        return self.context.get("next")

    def get_ruled_by(self, reading: Reading) -> str:
        name: str = self.context.get("ruled_by", "")
        return name
