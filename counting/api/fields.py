"""Fields and readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from django.db.models import BigIntegerField
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.errors import Conflict, Refused
from counting.models import Field, Prediction, Reading
from counting.selectors import access
from counting.selectors.fields import is_hidden, view_field, view_fields
from counting.selectors.review import rulers
from counting.services import assignments, deletions, intake, predictions, readings, tiles

from .base import DRAFTS, Pages, given, is_set, number, signed_in
from .field_serializers import (
    FieldCreatedSerializer,
    FieldSerializer,
    FieldUploadSerializer,
    MarkSerializer,
    NextSerializer,
    ReadingSerializer,
)
from .serializers import ErrorSerializer

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class ReadingRequestSerializer(serializers.Serializer[Any]):
    """Checked by the service, which words its own refusals; here for the OpenAPI document."""

    counts = serializers.DictField(child=serializers.IntegerField(min_value=0))
    marks = MarkSerializer(many=True, required=False)
    method = serializers.CharField(required=False, default="typing")
    submit = serializers.BooleanField(required=False, default=True)
    seconds = serializers.IntegerField(required=False)
    prediction = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="id of the prediction that was shown; the counts are kept when it is gone by now",
    )
    shown_prediction = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="instead: id of the model version whose counts were shown",
    )
    version = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text=(
            "the version of your own reading that this one is based on, 0 for none; "
            "when yours is newer by now, the answer is 409 and nothing is overwritten"
        ),
    )
    tab = serializers.CharField(
        required=False,
        max_length=40,
        help_text="a name for this tab or script, which is never in conflict with itself",
    )
    replace = serializers.BooleanField(
        required=False,
        default=False,
        help_text=(
            "true to take the place of what another reader counted meanwhile; without it a first "
            "submission that would do so is answered 409 (`counted`) and kept as your draft"
        ),
    )
    reader = serializers.IntegerField(
        required=False, help_text="your user id; 409 when you are signed in as somebody else"
    )


class VersionSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Reading.State.choices)
    counts = serializers.DictField(child=serializers.IntegerField())
    marks = serializers.IntegerField(help_text="how many")
    seconds = serializers.IntegerField()


class SavedVersionSerializer(VersionSerializer):
    revision = serializers.IntegerField()
    saved_at = serializers.DateTimeField()


class NewerSerializer(ErrorSerializer):
    """Two versions of one reader's counts: the one sent, and the one saved meanwhile."""

    mine = VersionSerializer()
    other = SavedVersionSerializer()


class FieldsView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(
        parameters=[OpenApiParameter("slide", OpenApiTypes.INT, required=True)],
        responses=FieldSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The fields of a slide, with state, prediction and reference count."""
        slide_id = number(request, "slide")
        if slide_id is None:
            raise Refused(_("Say which slide: /api/v1/fields/?slide=1"), "slide")
        slide = access.get_slide_for(signed_in(request), slide_id)
        pages = Pages()
        page = pages.paginate_queryset(slide.fields.order_by("pk"), request) or []
        views = view_fields(list(page), signed_in(request))
        return pages.get_paginated_response(FieldSerializer(views, many=True).data)

    @extend_schema(
        request=FieldUploadSerializer,
        responses={201: FieldCreatedSerializer, 400: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        """Upload one picture. Its prediction follows by itself."""
        data = given(FieldUploadSerializer, request)
        slide = access.get_slide_for(signed_in(request), data["slide"])
        image = data["image"]
        field = intake.add_field(slide=slide, data=image, name=image.name, actor=signed_in(request))
        body = FieldSerializer(view_field(field, signed_in(request))).data
        warning = intake.name_warning(image.name)
        return Response({**body, "warning": warning}, status=status.HTTP_201_CREATED)


class FieldView(APIView):
    @extend_schema(responses=FieldSerializer)
    def get(self, request: Request, field_id: int) -> Response:
        """One field with its prediction, reference count and your own newest reading."""
        field = access.get_field_for(signed_in(request), field_id)
        return Response(FieldSerializer(view_field(field, signed_in(request))).data)

    @extend_schema(parameters=[DRAFTS], responses={204: None, 409: ErrorSerializer})
    def delete(self, request: Request, field_id: int) -> Response:
        """Delete a field and its picture, while nobody has counted it (admins, and whoever
        uploaded it)."""
        field = access.get_field_to_delete(signed_in(request), field_id)
        deletions.delete_field(
            field=field, actor=signed_in(request), drafts=is_set(request, "drafts")
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class PredictView(APIView):
    @extend_schema(request=None, responses={202: FieldSerializer})
    def post(self, request: Request, field_id: int) -> Response:
        """Ask again for a prediction that failed."""
        field = access.get_field_for(signed_in(request), field_id)
        predictions.request(fields=[field])
        body = FieldSerializer(view_field(field, signed_in(request))).data
        return Response(body, status=status.HTTP_202_ACCEPTED)


class TilesView(APIView):
    @extend_schema(request=None, responses={202: FieldSerializer, 400: ErrorSerializer})
    def post(self, request: Request, field_id: int) -> Response:
        """Ask again for the tiles of a large picture that failed or were cancelled."""
        user = signed_in(request)
        field = access.get_field_for(user, field_id)
        tiles.ask_again(field=field, actor=user)
        body = FieldSerializer(view_field(field, user)).data
        return Response(body, status=status.HTTP_202_ACCEPTED)


class TilesCancelView(APIView):
    @extend_schema(request=None, responses={200: FieldSerializer, 400: ErrorSerializer})
    def post(self, request: Request, field_id: int) -> Response:
        """Stop making the tiles of a large picture; it is shown whole."""
        user = signed_in(request)
        field = access.get_field_for(user, field_id)
        tiles.cancel(field=field, actor=user)
        return Response(FieldSerializer(view_field(field, user)).data)


class ReadingsView(APIView):
    @extend_schema(
        request=ReadingRequestSerializer,
        responses={201: ReadingSerializer, 400: ErrorSerializer, 409: NewerSerializer},
    )
    def post(self, request: Request, field_id: int) -> Response:
        """Save your counts: as your draft, or submitted as a new revision."""
        user = signed_in(request)
        data: Any = request.data
        # First, of whoever it is: a 404 would tell a waiting tab that its reader lost the field.
        if isinstance(data, dict) and data.get("reader", user.pk) != user.pk:
            raise Conflict(
                _(
                    "You are signed in as %(name)s now, and these counts are not theirs. Sign in "
                    "again as the person who counted; nothing here is lost."
                )
                % {"name": user.get_username()},
                "reader",
            )
        field = access.get_field_for(user, field_id)
        if not isinstance(data, dict):
            raise Refused(_('Send an object like {"counts": {"RBC": 23}}.'), "counts")
        submit = data.get("submit", True)
        if not isinstance(submit, bool):
            raise Refused(_("`submit` is true or false."), "submit")
        replace = data.get("replace", False)
        if not isinstance(replace, bool):
            raise Refused(_("`replace` is true or false."), "replace")
        shown, replaced = _shown(field, user, data)
        reading = readings.save_reading(
            field=field,
            reader=user,
            counts=data.get("counts"),
            marks=data.get("marks"),
            method=data.get("method", "typing"),
            submit=submit,
            seconds=data.get("seconds", 0),
            shown_prediction=shown,
            shown_replaced=replaced,
            version=data.get("version"),
            tab=data.get("tab", ""),
            replace=replace,
        )
        following, ruled_by = None, ""
        if submit:
            ruled_by = rulers([field.pk], user).get(field.pk, "")
            found = assignments.next_for(study=field.study, reader=user, after=field.pk)
            if found.field_id is not None:
                following = NextSerializer(found).data
        context = {"next": following, "ruled_by": ruled_by}
        body = ReadingSerializer(reading, context=context).data
        return Response(body, status=status.HTTP_201_CREATED)


def _shown(field: Field, user: User, data: dict[str, Any]) -> tuple[Prediction | None, bool]:
    """Return the prediction that the reader saw, and whether it was made anew since."""
    asked, version_id = data.get("prediction"), data.get("shown_prediction")
    if asked is None and version_id is None:
        return None, False
    if is_hidden(field, user):
        raise Refused(
            _("This field is counted blind: no prediction is shown before you submit."), "blind"
        )
    made = Prediction.objects.filter(field=field)
    found = None
    if asked is None and _is_id(version_id):
        found = made.filter(model_version_id=version_id).first()
    elif _is_id(asked):
        found = made.filter(pk=asked).first()
        if found is None:
            # What was counted is kept all the same, and no other number is said to have been seen.
            return None, True
    if found is None:
        raise Refused(
            _(
                "No such prediction was made for this field, or it is being made again: then wait "
                "a moment and submit again."
            ),
            "shown_prediction",
        )
    return found, False


def _is_id(value: object) -> TypeGuard[int]:
    # SQLite takes no number of more than 63 bits, and True would be the first one.
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and 0 < value <= BigIntegerField.MAX_BIGINT
    )
