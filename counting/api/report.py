"""The report of a slide."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.selectors import access, report_text
from counting.selectors.report import PerMicroliter, Report, slide_report

from .base import signed_in
from .calibrations import EstimateSerializer, IntervalSerializer
from .serializers import ErrorSerializer


class ShareSerializer(serializers.Serializer[Any]):
    """Percent of the cells; no interval where a model counted some of them."""

    value = serializers.FloatField()
    interval = IntervalSerializer(allow_null=True)


class TypeTotalSerializer(serializers.Serializer[Any]):
    """One cell type: `total` has the interval of sampling and model error together."""

    cell_type = serializers.CharField(source="cell_type.code")
    counted = serializers.IntegerField()
    counted_fields = serializers.IntegerField()
    predicted = serializers.IntegerField()
    predicted_fields = serializers.IntegerField()
    total = EstimateSerializer()
    per_field = EstimateSerializer()
    fields_needed = serializers.IntegerField(
        allow_null=True,
        help_text="null where no cell was seen, or where a reader is needed",
    )
    reader_needed = serializers.BooleanField(
        help_text="a model's own error keeps the interval wider: more predicted fields do not help"
    )
    share_percent = ShareSerializer(source="share", allow_null=True)


class PerMicroliterSerializer(serializers.Serializer[Any]):
    """Cells per µL from a calibration's factor, or from the ratio to the analyzer's red cells."""

    cell_type = serializers.CharField(source="cell_type.code")
    estimate = EstimateSerializer()
    calibration = serializers.SerializerMethodField()
    setup = serializers.SerializerMethodField()
    factor = serializers.SerializerMethodField()
    platelets_per_red_cell = EstimateSerializer(source="ratio", allow_null=True)

    def get_calibration(self, row: PerMicroliter) -> int | None:
        return row.calibration.calibration.pk if row.calibration else None

    def get_setup(self, row: PerMicroliter) -> str:
        return row.calibration.calibration.setup if row.calibration else ""

    @extend_schema_field(EstimateSerializer(allow_null=True))
    def get_factor(self, row: PerMicroliter) -> Any:
        return EstimateSerializer(row.calibration.factor).data if row.calibration else None


class ReportSerializer(serializers.Serializer[Any]):
    """A slide's report; predictions of blind fields that you have not counted are left out."""

    slide = serializers.IntegerField(source="slide.pk")
    code = serializers.CharField(source="slide.code")
    precision_percent = serializers.FloatField(source="options.precision")
    analyzer_rbc = serializers.FloatField(source="options.analyzer_rbc", allow_null=True)
    field_count = serializers.IntegerField(source="fields")
    counted = serializers.IntegerField()
    predicted = serializers.IntegerField()
    left_out = serializers.IntegerField()
    flagged = serializers.IntegerField()
    totals = TypeTotalSerializer(many=True)
    shares_of = serializers.CharField()
    estimates = PerMicroliterSerializer(many=True)
    refusal = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())
    model_versions = serializers.ListField(child=serializers.CharField(), source="versions")
    text = serializers.SerializerMethodField()
    notice = serializers.SerializerMethodField()

    def get_text(self, report: Report) -> str:
        return report_text.as_text(report)

    def get_notice(self, report: Report) -> str:
        return report_text.notice()


class SlideReportView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter(
                "precision", OpenApiTypes.FLOAT, description="percent, 10 if not given"
            ),
            OpenApiParameter("rbc", OpenApiTypes.FLOAT, description="analyzer's RBC, 10⁶/µL"),
            OpenApiParameter("wbc", OpenApiTypes.STR, description="id of a calibration, or none"),
            OpenApiParameter("plt", OpenApiTypes.STR, description="id of a calibration, or none"),
        ],
        responses={200: ReportSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request, slide_id: int) -> Response:
        """Totals, shares and estimates of a slide, with 95 % intervals."""
        user = signed_in(request)
        slide = access.get_slide_for(user, slide_id)
        found = slide_report(slide, user, request.query_params.dict())
        return Response(ReportSerializer(found).data)
