"""Agreement between readers, model versions and the reference counts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.selectors import access
from counting.selectors.agreement import BLIND, agreement_page
from counting.selectors.report_text import notice

from .base import signed_in
from .calibrations import EstimateSerializer
from .serializers import ErrorSerializer


class MethodSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="reference, reader:ID or model:ID")
    name = serializers.CharField()


class BlandAltmanSerializer(serializers.Serializer[Any]):
    """Differences are first - second, in cells per field."""

    bias = EstimateSerializer()
    sd = serializers.FloatField()
    lower = EstimateSerializer()
    upper = EstimateSerializer()


class PassingBablokSerializer(serializers.Serializer[Any]):
    """first = intercept + slope * second."""

    n = serializers.IntegerField()
    slope = EstimateSerializer()
    intercept = EstimateSerializer()


class FiguresSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    bland_altman = BlandAltmanSerializer(source="agreement")
    passing_bablok = PassingBablokSerializer(source="line", allow_null=True)
    icc_2_1 = EstimateSerializer(source="icc", allow_null=True)
    cv_between = EstimateSerializer(source="between", allow_null=True)


class RangeSerializer(serializers.Serializer[Any]):
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()
    bias = EstimateSerializer()


class SlideBiasSerializer(serializers.Serializer[Any]):
    slide = serializers.CharField()
    n = serializers.IntegerField()
    mean = serializers.FloatField()
    bias = EstimateSerializer(allow_null=True)


class WithinSerializer(serializers.Serializer[Any]):
    method = MethodSerializer()
    n = serializers.IntegerField()
    variation = EstimateSerializer(allow_null=True)


class PointSerializer(serializers.Serializer[Any]):
    field = serializers.IntegerField(source="field_id")
    slide = serializers.CharField()
    first = serializers.IntegerField()
    second = serializers.IntegerField()


class OverviewSerializer(serializers.Serializer[Any]):
    method = MethodSerializer()
    n = serializers.IntegerField()
    figures = FiguresSerializer(allow_null=True)


class AnchoringGroupSerializer(serializers.Serializer[Any]):
    """First readings - the model, in cells per field; all null below ten readings.

    `shift` and `pull` are bias and distance of the blind readings minus these.
    """

    readings = serializers.ChoiceField(
        choices=("blind", "anew", "begun"),
        source="kind",
        help_text="prediction not shown; shown, counted anew; begun from the prediction",
    )
    n = serializers.IntegerField()
    bias = EstimateSerializer(allow_null=True)
    distance = EstimateSerializer(allow_null=True)
    shift = EstimateSerializer(allow_null=True)
    pull = EstimateSerializer(allow_null=True)


class AnchoringSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    groups = AnchoringGroupSerializer(many=True)


class AgreementSerializer(serializers.Serializer[Any]):
    """`withheld` fields are blind ones that you have not counted: in figures, never one by one.
    `assisted`: compared with a model, on so many of the fields the reader may have followed it.
    """

    cell_type = serializers.CharField(source="choice.cell_type.code")
    first = MethodSerializer(source="choice.first")
    second = MethodSerializer(source="choice.second")
    blind_readings_only = serializers.BooleanField(source="choice.unassisted")
    methods = MethodSerializer(many=True)
    figures = FiguresSerializer(source="comparison.figures", allow_null=True)
    ranges = RangeSerializer(source="comparison.ranges", many=True)
    slides = SlideBiasSerializer(source="comparison.slides", many=True)
    within = WithinSerializer(source="comparison.within", many=True)
    points = PointSerializer(source="comparison.points", many=True)
    withheld = serializers.IntegerField(source="comparison.withheld")
    assisted = serializers.IntegerField(source="comparison.assisted")
    against_reference = OverviewSerializer(source="overview", many=True)
    anchoring = AnchoringSerializer(allow_null=True)
    notice = serializers.SerializerMethodField()

    def get_notice(self, page: object) -> str:
        return notice()


class AgreementView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("cell_type", OpenApiTypes.STR),
            OpenApiParameter("first", OpenApiTypes.STR, description="the champion if not given"),
            OpenApiParameter("second", OpenApiTypes.STR, description="reference if not given"),
            OpenApiParameter("readings", OpenApiTypes.STR, enum=[BLIND]),
        ],
        responses={200: AgreementSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request, study_id: int) -> Response:
        """How two ways of counting agree, with 95 % intervals, and whether predictions sway."""
        user = signed_in(request)
        study = access.get_study_for(user, study_id)
        found = agreement_page(study, user, request.query_params.dict())
        return Response(AgreementSerializer(found).data)
