"""Differences between two readers, flags and comments."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.models import Comment, FlagReason, Reading, ReferenceCount, Role
from counting.selectors import access, review
from counting.selectors.fields import view_field
from counting.services import flags, rulings

from .base import Pages, given, page_of, signed_in
from .field_serializers import FieldSerializer, MarkSerializer
from .serializers import ErrorSerializer


class ComparedReadingSerializer(serializers.ModelSerializer[Reading]):
    """One of two readings that differ; who made it is left out, so that it does not weigh."""

    counts = serializers.DictField(child=serializers.IntegerField())
    marks = MarkSerializer(many=True)

    class Meta:
        model = Reading
        fields = ("id", "counts", "marks", "method", "seconds", "submitted_at")


class DifferenceSerializer(serializers.Serializer[Any]):
    field = serializers.IntegerField(source="field.pk")
    slide = serializers.IntegerField(source="field.slide_id")
    name = serializers.CharField(source="field.name")
    width = serializers.IntegerField(source="field.width")
    height = serializers.IntegerField(source="field.height")
    image = serializers.SerializerMethodField()
    first = ComparedReadingSerializer()
    second = ComparedReadingSerializer()
    apart = serializers.SerializerMethodField(help_text="the cell types beyond the tolerance")
    ruled = ComparedReadingSerializer(
        source="ruled.reading",
        allow_null=True,
        default=None,
        help_text="what a reviewer let hold before a reader corrected their count; else null",
    )

    def get_image(self, found: review.Difference) -> str:
        return reverse("field-image", args=[found.field.pk])

    def get_apart(self, found: review.Difference) -> list[str]:
        return [row.cell_type.code for row in found.types if row.apart]


class RulingRequestSerializer(serializers.Serializer[Any]):
    reading = serializers.IntegerField(help_text="id of the reading that holds")
    against = serializers.IntegerField(
        required=False, help_text="id of the other reading that you saw; 409 if it is no more"
    )


class ReferenceSerializer(serializers.ModelSerializer[ReferenceCount]):
    counts = serializers.DictField(child=serializers.IntegerField())

    class Meta:
        model = ReferenceCount
        fields = ("field", "counts", "basis", "created_at")


class FlagRequestSerializer(serializers.Serializer[Any]):
    reason = serializers.ChoiceField(choices=FlagReason.choices)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    author = serializers.CharField(source="author.username", read_only=True)

    class Meta:
        model = Comment
        fields = ("id", "author", "text", "created_at")


class ReviewView(APIView):
    @extend_schema(responses=DifferenceSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """Fields whose two readings differ and that you have not read yourself (reviewers)."""
        user = signed_in(request)
        study = access.get_study_for(user, study_id, Role.REVIEWER)
        pages = Pages()
        page = pages.paginate_queryset(review.to_review(study, user), request) or []
        found = review.differences(study, page)
        return pages.get_paginated_response(DifferenceSerializer(found, many=True).data)


class RulingsView(APIView):
    @extend_schema(
        request=RulingRequestSerializer,
        responses={201: ReferenceSerializer, 400: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, field_id: int) -> Response:
        """Let one of two differing readings hold (reviewers who have not read the field)."""
        user = signed_in(request)
        field = access.get_field_for(user, field_id, Role.REVIEWER)
        data = given(RulingRequestSerializer, request)
        reference = rulings.rule(
            field=field,
            reviewer=user,
            reading_id=data["reading"],
            against=[data["against"]] if "against" in data else (),
        )
        return Response(ReferenceSerializer(reference).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None, 400: ErrorSerializer})
    def delete(self, request: Request, field_id: int) -> Response:
        """Take your own ruling back: the two readings wait again. The history keeps both."""
        field = access.get_field_for(signed_in(request), field_id, Role.REVIEWER)
        rulings.withdraw(field=field, reviewer=signed_in(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class FlagView(APIView):
    @extend_schema(
        request=FlagRequestSerializer, responses={201: FieldSerializer, 409: ErrorSerializer}
    )
    def post(self, request: Request, field_id: int) -> Response:
        """Say that a field cannot be read: it leaves the queue, reports and training."""
        user = signed_in(request)
        field = access.get_field_for(user, field_id)
        flags.flag(field=field, actor=user, **given(FlagRequestSerializer, request))
        return Response(
            FieldSerializer(view_field(field, user)).data, status=status.HTTP_201_CREATED
        )

    @extend_schema(responses={204: None, 400: ErrorSerializer})
    def delete(self, request: Request, field_id: int) -> Response:
        """Take the flag of a field back (reviewers)."""
        field = access.get_field_for(signed_in(request), field_id, Role.REVIEWER)
        flags.lift(field=field, actor=signed_in(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CommentsView(APIView):
    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, field_id: int) -> Response:
        """The comments on a field, oldest first."""
        field = access.get_field_for(signed_in(request), field_id)
        return page_of(field.comments.select_related("author"), request, CommentSerializer)

    @extend_schema(
        request=CommentSerializer, responses={201: CommentSerializer, 400: ErrorSerializer}
    )
    def post(self, request: Request, field_id: int) -> Response:
        """Add a comment. It stays: nobody can change it or take it back."""
        field = access.get_field_for(signed_in(request), field_id)
        text = given(CommentSerializer, request)["text"]
        row = flags.comment(field=field, actor=signed_in(request), text=text)
        return Response(CommentSerializer(row).data, status=status.HTTP_201_CREATED)
