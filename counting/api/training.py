"""Model versions and training runs."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.models import Role
from counting.selectors import access
from counting.services import registry, training

from .base import page_of, signed_in
from .serializers import (
    ModelSerializer,
    PromoteSerializer,
    TrainingRunRowSerializer,
    TrainingRunSerializer,
)


class TrainingRunsView(APIView):
    @extend_schema(responses=TrainingRunRowSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """The training runs of a study, newest first; the log of each is at its own address."""
        study = access.get_study_for(signed_in(request), study_id)
        return page_of(study.training_runs.defer("log"), request, TrainingRunRowSerializer)

    @extend_schema(request=None, responses={202: TrainingRunSerializer})
    def post(self, request: Request, study_id: int) -> Response:
        """Retrain now (admins)."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        run = training.start_run(study=study, requested_by=signed_in(request))
        return Response(TrainingRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)


class TrainingRunView(APIView):
    @extend_schema(responses=TrainingRunSerializer)
    def get(self, request: Request, run_id: int) -> Response:
        """State, progress, log and verdict of one run."""
        return Response(TrainingRunSerializer(access.get_run_for(signed_in(request), run_id)).data)


class TrainingRunCancelView(APIView):
    @extend_schema(request=None, responses=TrainingRunSerializer)
    def post(self, request: Request, run_id: int) -> Response:
        """Cancel a run (admins)."""
        run = access.get_run_for(signed_in(request), run_id, Role.ADMIN)
        run = training.cancel_run(run=run, actor=signed_in(request))
        return Response(TrainingRunSerializer(run).data)


class ModelsView(APIView):
    @extend_schema(responses=ModelSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """The model versions of a study, newest first."""
        study = access.get_study_for(signed_in(request), study_id)
        return page_of(study.model_versions.all(), request, ModelSerializer)


class PromoteView(APIView):
    @extend_schema(request=PromoteSerializer, responses=ModelSerializer)
    def post(self, request: Request, model_id: int) -> Response:
        """Make a version the champion: an earlier one to roll back, or a candidate (admins).

        A candidate that the gate did not let go live is refused unless `overrule` is true.
        """
        version = access.get_model_for(signed_in(request), model_id, Role.ADMIN)
        asked = PromoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        promoted = registry.promote(
            version=version, actor=signed_in(request), overrule=asked.validated_data["overrule"]
        )
        return Response(ModelSerializer(promoted).data)
