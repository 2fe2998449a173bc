"""Slides, and archives unpacked into them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.models import Slide
from counting.selectors import access
from counting.selectors.so_far import slide_so_far
from counting.selectors.studies import annotate_slides
from counting.services import deletions, imports, slides

from .base import DRAFTS, given, is_set, number, page_of, signed_in
from .serializers import (
    ErrorSerializer,
    ImportRequestSerializer,
    ImportSerializer,
    SlideChangeSerializer,
    SlideCreateSerializer,
    SlideSerializer,
)


class SoFarSerializer(serializers.Serializer[Any]):
    """What a slide holds so far, by cell type."""

    cells = serializers.DictField(child=serializers.IntegerField())
    fields_ = serializers.DictField(
        child=serializers.IntegerField(), source="fields", help_text="how many"
    )
    shares_of = serializers.ListField(
        child=serializers.CharField(), help_text="the types that a differential is made of"
    )
    together = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="cells of these types in the fields where each of them was counted",
    )

    def to_representation(self, instance: Any) -> dict[str, Any]:
        data = super().to_representation(instance)
        # `fields` is taken by the serializer itself.
        data["fields"] = data.pop("fields_")
        return data


def _answer(slide: Slide, code: int = status.HTTP_200_OK) -> Response:
    whole = annotate_slides(Slide.objects.filter(pk=slide.pk)).get()
    return Response(SlideSerializer(whole).data, status=code)


class SlidesView(APIView):
    @extend_schema(
        parameters=[OpenApiParameter("study", OpenApiTypes.INT)],
        responses=SlideSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The slides of a study, or of all your studies."""
        user = signed_in(request)
        rows = Slide.objects.filter(study__in=access.studies_for(user))
        study_id = number(request, "study")
        if study_id is not None:
            rows = rows.filter(study=access.get_study_for(user, study_id))
        return page_of(annotate_slides(rows), request, SlideSerializer)

    @extend_schema(request=SlideCreateSerializer, responses={201: SlideSerializer})
    def post(self, request: Request) -> Response:
        """Make a slide. Whether it is held out is decided here, once."""
        data = given(SlideCreateSerializer, request)
        study = access.get_study_for(signed_in(request), data.pop("study"))
        slide = slides.create_slide(study=study, actor=signed_in(request), **data)
        return _answer(slide, status.HTTP_201_CREATED)


class SlideView(APIView):
    @extend_schema(responses=SlideSerializer)
    def get(self, request: Request, slide_id: int) -> Response:
        """One slide with its progress."""
        return _answer(access.get_slide_for(signed_in(request), slide_id))

    @extend_schema(request=SlideChangeSerializer, responses=SlideSerializer)
    def patch(self, request: Request, slide_id: int) -> Response:
        """Change what is said of a slide; with another size of the pixels, what nobody has counted
        is predicted again."""
        slide = access.get_slide_for(signed_in(request), slide_id)
        data = given(SlideChangeSerializer, request)
        return _answer(slides.update(slide=slide, actor=signed_in(request), **data))

    @extend_schema(parameters=[DRAFTS], responses={204: None, 409: ErrorSerializer})
    def delete(self, request: Request, slide_id: int) -> Response:
        """Delete a slide and its fields, while nobody has counted one (admins, and
        whoever brought in all of it)."""
        slide = access.get_slide_to_delete(signed_in(request), slide_id)
        deletions.delete_slide(
            slide=slide, actor=signed_in(request), drafts=is_set(request, "drafts")
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class SoFarView(APIView):
    @extend_schema(
        parameters=[
            OpenApiParameter("without", OpenApiTypes.INT, description="a field to leave out")
        ],
        responses=SoFarSerializer,
    )
    def get(self, request: Request, slide_id: int) -> Response:
        """Cells counted on a slide so far, and how many fields they are of."""
        user = signed_in(request)
        slide = access.get_slide_for(user, slide_id)
        found = slide_so_far(slide, user, without=number(request, "without"))
        return Response(SoFarSerializer(found).data)


class ImportsView(APIView):
    parser_classes = (MultiPartParser,)

    @extend_schema(request=ImportRequestSerializer, responses={202: ImportSerializer})
    def post(self, request: Request, slide_id: int) -> Response:
        """Upload a zip of pictures; a worker takes them in one by one."""
        slide = access.get_slide_for(signed_in(request), slide_id)
        archive = given(ImportRequestSerializer, request)["archive"]
        job = imports.start_import(
            slide=slide, archive=archive, name=archive.name, actor=signed_in(request)
        )
        return Response(ImportSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class ImportView(APIView):
    @extend_schema(responses=ImportSerializer)
    def get(self, request: Request, import_id: int) -> Response:
        """Progress of an import, and what became of each file."""
        return Response(ImportSerializer(access.get_import_for(signed_in(request), import_id)).data)


class ImportCancelView(APIView):
    @extend_schema(request=None, responses=ImportSerializer)
    def post(self, request: Request, import_id: int) -> Response:
        """Stop an import; what came in stays."""
        job = access.get_import_for(signed_in(request), import_id)
        return Response(
            ImportSerializer(imports.cancel_import(job=job, actor=signed_in(request))).data
        )
