"""Studies, members and invitations."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.models import Membership, Role, Study
from counting.selectors import access
from counting.selectors.export import counts_csv
from counting.selectors.studies import with_progress
from counting.services import assignments, cell_types, studies

from .base import given, number, page_of, signed_in
from .field_serializers import NextSerializer
from .serializers import (
    CellTypeAddSerializer,
    CellTypeSerializer,
    ErrorSerializer,
    InvitationRequestSerializer,
    InvitationSerializer,
    MemberAddSerializer,
    MemberSerializer,
    OpenInvitationSerializer,
    RoleSerializer,
    StudyChangeSerializer,
    StudyCreateSerializer,
    StudySerializer,
)


def _answer(study: Study, request: Request, code: int = status.HTTP_200_OK) -> Response:
    rows = with_progress(Study.objects.filter(pk=study.pk))
    whole = rows.prefetch_related("cell_types", "memberships", "model_versions").get()
    return Response(StudySerializer(whole, context={"request": request}).data, status=code)


class StudiesView(APIView):
    @extend_schema(responses=StudySerializer(many=True))
    def get(self, request: Request) -> Response:
        """The studies you are a member of."""
        rows = with_progress(access.studies_for(signed_in(request)))
        rows = rows.prefetch_related("cell_types", "memberships", "model_versions")
        return page_of(rows, request, StudySerializer)

    @extend_schema(request=StudyCreateSerializer, responses={201: StudySerializer})
    def post(self, request: Request) -> Response:
        """Make a study. You become its admin."""
        data = given(StudyCreateSerializer, request)
        types = data.pop("cell_types", [])
        with transaction.atomic():
            study = studies.create_study(actor=signed_in(request), **data)
            if types:
                cell_types.change(study=study, actor=signed_in(request), cell_types=types)
        return _answer(study, request, status.HTTP_201_CREATED)


class StudyView(APIView):
    @extend_schema(responses=StudySerializer)
    def get(self, request: Request, study_id: int) -> Response:
        """One study with its progress."""
        return _answer(access.get_study_for(signed_in(request), study_id), request)

    @extend_schema(request=StudyChangeSerializer, responses=StudySerializer)
    def patch(self, request: Request, study_id: int) -> Response:
        """Change settings and cell types (admins)."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        data = given(StudyChangeSerializer, request)
        types = data.pop("cell_types", [])
        with transaction.atomic():
            if data:
                studies.update_study(study=study, actor=signed_in(request), **data)
            if types:
                cell_types.change(study=study, actor=signed_in(request), cell_types=types)
        return _answer(study, request)


class CellTypesView(APIView):
    @extend_schema(
        request=CellTypeAddSerializer, responses={201: CellTypeSerializer, 409: ErrorSerializer}
    )
    def post(self, request: Request, study_id: int) -> Response:
        """Let the study count one more type (admins). It cannot be taken out again."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        data = given(CellTypeAddSerializer, request)
        row = cell_types.add(study=study, actor=signed_in(request), **data)
        return Response(CellTypeSerializer(row).data, status=status.HTTP_201_CREATED)


class NextView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("after", OpenApiTypes.INT)], responses=NextSerializer
    )
    def get(self, request: Request, study_id: int) -> Response:
        """The field you are to count next. It is kept for you for a quarter of an hour."""
        user = signed_in(request)
        study = access.get_study_for(user, study_id)
        found = assignments.next_for(study=study, reader=user, after=number(request, "after"))
        return Response(NextSerializer(found).data)


class CountsView(APIView):
    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, study_id: int) -> HttpResponseBase:
        """All counts as CSV: a row for each field and cell type, then each slide's totals."""
        study = access.get_study_for(signed_in(request), study_id)
        response = StreamingHttpResponse(
            studies.export_counts(
                study=study,
                actor=signed_in(request),
                lines=counts_csv(study, signed_in(request)),
            ),
            content_type="text/csv; charset=utf-8",
        )
        response["Content-Disposition"] = f'attachment; filename="counts-study-{study.pk}.csv"'
        return response


class MembersView(APIView):
    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """The members of a study."""
        study = access.get_study_for(signed_in(request), study_id)
        return page_of(study.memberships.select_related("user"), request, MemberSerializer)

    @extend_schema(request=MemberAddSerializer, responses={201: MemberSerializer})
    def post(self, request: Request, study_id: int) -> Response:
        """Let an existing account in (admins)."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        membership = studies.add_member(
            study=study, actor=signed_in(request), **given(MemberAddSerializer, request)
        )
        return Response(MemberSerializer(membership).data, status=status.HTTP_201_CREATED)


class MemberView(APIView):
    def _find(self, request: Request, study_id: int, member_id: int) -> Membership:
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        membership = study.memberships.select_related("user", "study").filter(pk=member_id).first()
        if membership is None:
            raise Http404
        return membership

    @extend_schema(request=RoleSerializer, responses=MemberSerializer)
    def patch(self, request: Request, study_id: int, member_id: int) -> Response:
        """Change a member's role (admins)."""
        membership = studies.set_role(
            membership=self._find(request, study_id, member_id),
            actor=signed_in(request),
            **given(RoleSerializer, request),
        )
        return Response(MemberSerializer(membership).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, study_id: int, member_id: int) -> Response:
        """Take a member out of the study (admins)."""
        studies.remove_member(
            membership=self._find(request, study_id, member_id), actor=signed_in(request)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, study_id: int, invitation_id: int) -> Response:
        """Take an open invitation back (admins)."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        invitation = study.invitations.filter(pk=invitation_id).first()
        if invitation is None:
            raise Http404
        studies.revoke_invitation(invitation=invitation, actor=signed_in(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationsView(APIView):
    @extend_schema(responses=OpenInvitationSerializer(many=True))
    def get(self, request: Request, study_id: int) -> Response:
        """The open invitations, without their links (admins)."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        return page_of(studies.open_invitations(study), request, OpenInvitationSerializer)

    @extend_schema(request=InvitationRequestSerializer, responses={201: InvitationSerializer})
    def post(self, request: Request, study_id: int) -> Response:
        """Make an invitation link (admins). It is shown this once."""
        study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
        invitation, token = studies.invite(
            study=study, actor=signed_in(request), **given(InvitationRequestSerializer, request)
        )
        data = {
            "id": invitation.pk,
            "url": request.build_absolute_uri(reverse("invitation", args=[token])),
            "role": invitation.role,
            "expires_at": invitation.expires_at,
        }
        return Response(InvitationSerializer(data).data, status=status.HTTP_201_CREATED)
