"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path
from django.views.i18n import set_language

from counting.views import (
    accounts,
    agreement,
    calibrations,
    fields,
    members,
    models,
    reports,
    review,
    settings,
    slides,
    status,
    studies,
)

urlpatterns = [
    path("", studies.home, name="home"),
    path("accounts/login/", accounts.SignIn.as_view(), name="login"),
    path("accounts/logout/", accounts.SignOut.as_view(), name="logout"),
    path("accounts/password/", accounts.ChangePassword.as_view(), name="password"),
    path("invitations/<str:token>/", accounts.invitation, name="invitation"),
    path("studies/new/", studies.new, name="study-new"),
    path("studies/<int:study_id>/", studies.overview, name="study"),
    path("studies/<int:study_id>/count/", studies.count, name="count"),
    path("studies/<int:study_id>/review/", review.review, name="review"),
    path("studies/<int:study_id>/agreement/", agreement.agreement, name="agreement"),
    path("studies/<int:study_id>/agreement.csv", agreement.table, name="agreement-csv"),
    path("studies/<int:study_id>/agreement/<slug:name>.svg", agreement.plot, name="agreement-plot"),
    path("studies/<int:study_id>/calibrations/", calibrations.calibrations, name="calibrations"),
    path("calibrations/<int:calibration_id>/", calibrations.calibration, name="calibration"),
    path("calibrations/<int:calibration_id>/add/", calibrations.add, name="calibration-add"),
    path(
        "calibrations/<int:calibration_id>/add-slide/",
        calibrations.add_slide,
        name="calibration-add-slide",
    ),
    path(
        "calibrations/<int:calibration_id>/samples/<int:sample_id>/remove/",
        calibrations.remove_sample,
        name="calibration-sample-remove",
    ),
    path(
        "calibrations/<int:calibration_id>/remove/",
        calibrations.remove,
        name="calibration-remove",
    ),
    path("studies/<int:study_id>/settings/", settings.settings, name="study-settings"),
    path("studies/<int:study_id>/members/", members.members, name="members"),
    path("studies/<int:study_id>/members/add/", members.add, name="member-add"),
    path("studies/<int:study_id>/members/invite/", members.invite, name="member-invite"),
    path(
        "studies/<int:study_id>/members/<int:member_id>/role/",
        members.set_role,
        name="member-role",
    ),
    path(
        "studies/<int:study_id>/members/<int:member_id>/remove/",
        members.remove,
        name="member-remove",
    ),
    path("studies/<int:study_id>/models/", models.models, name="models"),
    path("studies/<int:study_id>/retrain/", models.retrain, name="retrain"),
    path("models/<int:model_id>/overrule/", models.overrule, name="model-overrule"),
    path("models/<int:model_id>/promote/", models.promote, name="model-promote"),
    path("training-runs/<int:run_id>/", models.run, name="training-run"),
    path("training-runs/<int:run_id>/cancel/", models.cancel, name="training-run-cancel"),
    path("studies/<int:study_id>/slides/new/", slides.new, name="slide-new"),
    path("slides/<int:slide_id>/", slides.slide, name="slide"),
    path("slides/<int:slide_id>/edit/", slides.edit, name="slide-edit"),
    path("slides/<int:slide_id>/report/", reports.report, name="slide-report"),
    path("slides/<int:slide_id>/report.pdf", reports.pdf, name="slide-report-pdf"),
    path("slides/<int:slide_id>/report.csv", reports.table, name="slide-report-csv"),
    path("fields/<int:field_id>/", fields.field, name="field"),
    path("fields/<int:field_id>/rule/", review.rule, name="field-rule"),
    path("fields/<int:field_id>/rule/undo/", review.withdraw, name="field-rule-undo"),
    path("fields/<int:field_id>/image/", fields.image, name="field-image"),
    path("fields/<int:field_id>/count-map/", fields.count_map, name="field-count-map"),
    path("fields/<int:field_id>/thumbnail/", fields.thumbnail, name="field-thumbnail"),
    path(
        "fields/<int:field_id>/tiles/<int:level>/<int:column>_<int:row>.jpg",
        fields.tile,
        name="field-tile",
    ),
    path("status/", status.status, name="status"),
    path("language/", set_language, name="language"),
]
