"""Addresses of the API, version 1."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from . import agreement, calibrations, fields, report, review, session, slides, studies, training

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("status/", session.StatusView.as_view(), name="api-status"),
    path("auth/token/", session.TokenView.as_view(), name="api-token"),
    path("studies/", studies.StudiesView.as_view(), name="api-studies"),
    path("studies/<int:study_id>/", studies.StudyView.as_view(), name="api-study"),
    path(
        "studies/<int:study_id>/cell-types/",
        studies.CellTypesView.as_view(),
        name="api-cell-types",
    ),
    path("studies/<int:study_id>/next/", studies.NextView.as_view(), name="api-next"),
    path("studies/<int:study_id>/review/", review.ReviewView.as_view(), name="api-review"),
    path("studies/<int:study_id>/counts.csv", studies.CountsView.as_view(), name="api-counts"),
    path("studies/<int:study_id>/members/", studies.MembersView.as_view(), name="api-members"),
    path(
        "studies/<int:study_id>/members/<int:member_id>/",
        studies.MemberView.as_view(),
        name="api-member",
    ),
    path(
        "studies/<int:study_id>/invitations/",
        studies.InvitationsView.as_view(),
        name="api-invitations",
    ),
    path(
        "studies/<int:study_id>/invitations/<int:invitation_id>/",
        studies.InvitationView.as_view(),
        name="api-invitation",
    ),
    path(
        "studies/<int:study_id>/agreement/",
        agreement.AgreementView.as_view(),
        name="api-agreement",
    ),
    path(
        "studies/<int:study_id>/calibrations/",
        calibrations.CalibrationsView.as_view(),
        name="api-calibrations",
    ),
    path(
        "calibrations/<int:calibration_id>/",
        calibrations.CalibrationView.as_view(),
        name="api-calibration",
    ),
    path(
        "calibrations/<int:calibration_id>/samples/",
        calibrations.CalibrationSamplesView.as_view(),
        name="api-calibration-samples",
    ),
    path(
        "calibrations/<int:calibration_id>/samples/<int:sample_id>/",
        calibrations.CalibrationSampleView.as_view(),
        name="api-calibration-sample",
    ),
    path("studies/<int:study_id>/models/", training.ModelsView.as_view(), name="api-models"),
    path(
        "studies/<int:study_id>/training-runs/",
        training.TrainingRunsView.as_view(),
        name="api-training-runs",
    ),
    path("models/<int:model_id>/promote/", training.PromoteView.as_view(), name="api-promote"),
    path(
        "training-runs/<int:run_id>/", training.TrainingRunView.as_view(), name="api-training-run"
    ),
    path(
        "training-runs/<int:run_id>/cancel/",
        training.TrainingRunCancelView.as_view(),
        name="api-training-run-cancel",
    ),
    path("slides/", slides.SlidesView.as_view(), name="api-slides"),
    path("slides/<int:slide_id>/", slides.SlideView.as_view(), name="api-slide"),
    path("slides/<int:slide_id>/report/", report.SlideReportView.as_view(), name="api-report"),
    path("slides/<int:slide_id>/so-far/", slides.SoFarView.as_view(), name="api-so-far"),
    path("slides/<int:slide_id>/imports/", slides.ImportsView.as_view(), name="api-imports"),
    path("imports/<int:import_id>/", slides.ImportView.as_view(), name="api-import"),
    path(
        "imports/<int:import_id>/cancel/",
        slides.ImportCancelView.as_view(),
        name="api-import-cancel",
    ),
    path("fields/", fields.FieldsView.as_view(), name="api-fields"),
    path("fields/<int:field_id>/", fields.FieldView.as_view(), name="api-field"),
    path("fields/<int:field_id>/predict/", fields.PredictView.as_view(), name="api-predict"),
    path("fields/<int:field_id>/tiles/", fields.TilesView.as_view(), name="api-tiles"),
    path(
        "fields/<int:field_id>/tiles/cancel/",
        fields.TilesCancelView.as_view(),
        name="api-tiles-cancel",
    ),
    path("fields/<int:field_id>/readings/", fields.ReadingsView.as_view(), name="api-readings"),
    path("fields/<int:field_id>/rulings/", review.RulingsView.as_view(), name="api-rulings"),
    path("fields/<int:field_id>/flag/", review.FlagView.as_view(), name="api-flag"),
    path("fields/<int:field_id>/comments/", review.CommentsView.as_view(), name="api-comments"),
]
