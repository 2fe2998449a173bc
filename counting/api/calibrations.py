"""Calibrations: what one cell per field means per microliter."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.errors import Refused
from counting.models import Calibration, CalibrationSample, Role
from counting.selectors import access
from counting.selectors.calibrations import calibrations_of, view_calibration
from counting.services import calibrations

from .base import Pages, given, signed_in
from .serializers import ErrorSerializer


class IntervalSerializer(serializers.Serializer[Any]):
    low = serializers.FloatField()
    high = serializers.FloatField()


class EstimateSerializer(serializers.Serializer[Any]):
    """A value with its 95 % interval."""

    value = serializers.FloatField()
    interval = IntervalSerializer()


class CalibrationSampleSerializer(serializers.ModelSerializer[CalibrationSample]):
    class Meta:
        model = CalibrationSample
        fields = ("id", "code", "slide", "analyzer_value", "mean_count", "field_count")


class CalibrationSerializer(serializers.Serializer[Any]):
    """`factor` is cells per µL for a mean of one cell per field; null while it cannot be told."""

    id = serializers.IntegerField(source="calibration.pk")
    study = serializers.IntegerField(source="calibration.study_id")
    cell_type = serializers.CharField(source="calibration.cell_type.code")
    microscope = serializers.CharField(source="calibration.microscope")
    objective = serializers.CharField(source="calibration.objective")
    camera = serializers.CharField(source="calibration.camera")
    factor = EstimateSerializer(allow_null=True)
    advice = serializers.CharField()
    samples = CalibrationSampleSerializer(many=True)


class CalibrationRequestSerializer(serializers.Serializer[Any]):
    cell_type = serializers.ChoiceField(choices=("WBC", "PLT"))
    microscope = serializers.CharField(max_length=60)
    objective = serializers.CharField(max_length=60)
    camera = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")


class SampleRequestSerializer(serializers.Serializer[Any]):
    """Either a slide of the study, or a code with the mean count per field."""

    analyzer_value = serializers.FloatField(help_text="cells per µL")
    slide = serializers.IntegerField(required=False)
    code = serializers.CharField(max_length=60, required=False)
    mean_count = serializers.FloatField(required=False)
    field_count = serializers.IntegerField(required=False, min_value=1)


def _answer(calibration: Calibration, code: int = status.HTTP_200_OK) -> Response:
    whole = calibrations_of(calibration.study).get(pk=calibration.pk)
    return Response(CalibrationSerializer(view_calibration(whole)).data, status=code)


class CalibrationsView(APIView):
    @extend_schema(responses=CalibrationSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """The calibrations of a study with their factors."""
        study = access.get_study_for(signed_in(request), study_id)
        pages = Pages()
        page = pages.paginate_queryset(calibrations_of(study), request) or []
        views = [view_calibration(row) for row in page]
        return pages.get_paginated_response(CalibrationSerializer(views, many=True).data)

    @extend_schema(
        request=CalibrationRequestSerializer,
        responses={201: CalibrationSerializer, 400: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, study_id: int) -> Response:
        """Make a calibration for a microscope, objective and camera (reviewers)."""
        study = access.get_study_for(signed_in(request), study_id, Role.REVIEWER)
        made = calibrations.create_calibration(
            study=study, actor=signed_in(request), **given(CalibrationRequestSerializer, request)
        )
        return _answer(made, status.HTTP_201_CREATED)


class CalibrationView(APIView):
    @extend_schema(responses=CalibrationSerializer)
    def get(self, request: Request, calibration_id: int) -> Response:
        """One calibration with its samples."""
        return _answer(access.get_calibration_for(signed_in(request), calibration_id))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, calibration_id: int) -> Response:
        """Take a calibration out (reviewers)."""
        row = access.get_calibration_for(signed_in(request), calibration_id, Role.REVIEWER)
        calibrations.remove_calibration(calibration=row, actor=signed_in(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CalibrationSamplesView(APIView):
    @extend_schema(
        request=SampleRequestSerializer,
        responses={201: CalibrationSerializer, 400: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request, calibration_id: int) -> Response:
        """Add a sample (reviewers): a slide of the study, or a mean count of your own."""
        user = signed_in(request)
        row = access.get_calibration_for(user, calibration_id, Role.REVIEWER)
        data = given(SampleRequestSerializer, request)
        if "slide" in data:
            slide = access.get_slide_for(user, data["slide"])
            calibrations.add_slide(
                calibration=row, actor=user, slide=slide, analyzer_value=data["analyzer_value"]
            )
        elif "code" in data and "mean_count" in data:
            sample = calibrations.Sample(
                data["code"], data["analyzer_value"], data["mean_count"], data.get("field_count")
            )
            calibrations.add_samples(calibration=row, actor=user, samples=[sample])
        else:
            raise Refused(_("Give a slide, or a code and the mean count per field."), "sample")
        return _answer(row, status.HTTP_201_CREATED)


class CalibrationSampleView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, calibration_id: int, sample_id: int) -> Response:
        """Take a sample out (reviewers)."""
        user = signed_in(request)
        row = access.get_calibration_for(user, calibration_id, Role.REVIEWER)
        sample = row.samples.filter(pk=sample_id).first()
        if sample is None:
            raise Http404
        calibrations.remove_sample(sample=sample, actor=user)
        return Response(status=status.HTTP_204_NO_CONTENT)
