"""What all API views share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from counting.numbers import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from rest_framework import serializers
    from rest_framework.request import Request

S = TypeVar("S", bound="serializers.BaseSerializer[Any]")


# To delete what somebody has begun to count.
DRAFTS = OpenApiParameter(
    "drafts", OpenApiTypes.BOOL, description="whether drafts may go too; without it 409 `drafts`"
)


class Pages(PageNumberPagination):
    """100 rows a page, up to 500 by `?page_size=`."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 500


def signed_in(request: Request) -> User:
    """Return the user; the permission class has let nobody else in."""
    return cast("User", request.user)


def given(serializer: type[S], request: Request) -> dict[str, Any]:
    """Return the checked body of the request.

    Raises:
        rest_framework.exceptions.ValidationError: it does not fit the serializer.
    """
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return cast("dict[str, Any]", checked.validated_data)


def number(request: Request, name: str) -> int | None:
    """Return a whole number from the query, or None when there is none or it is not one."""
    return whole(request.query_params.get(name, ""))


def is_set(request: Request, name: str) -> bool:
    """Tell whether the query says `true` to something."""
    return request.query_params.get(name, "").lower() == "true"


def page_of(rows: QuerySet[Any], request: Request, serializer: type[S], **context: Any) -> Response:
    """Answer with one page of rows."""
    pages = Pages()
    page: Sequence[Any] = pages.paginate_queryset(rows, request) or []
    context = {"request": request, **context}
    return pages.get_paginated_response(serializer(page, many=True, context=context).data)
