"""Signing in for scripts, and the state of the installation."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from counting.selectors import health
from counting.services import tokens

from .auth import BearerAuthentication
from .base import given
from .serializers import TokenRequestSerializer, TokenSerializer


class PartHealthSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    detail = serializers.CharField()


class WorkerHealthSerializer(PartHealthSerializer):
    name = serializers.CharField()
    role = serializers.CharField()
    seen_seconds_ago = serializers.FloatField(allow_null=True)


class HealthSerializer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    database = PartHealthSerializer()
    broker = PartHealthSerializer()
    workers = WorkerHealthSerializer(many=True)
    message = serializers.CharField()


class TokenView(APIView):
    # No session here: a sign-in form elsewhere must not be able to spend the user's cookie.
    authentication_classes = (BearerAuthentication,)
    permission_classes = (AllowAny,)

    @extend_schema(request=TokenRequestSerializer, responses=TokenSerializer)
    def post(self, request: Request) -> Response:
        """Get a token for user name and password."""
        user = authenticate(request._request, **given(TokenRequestSerializer, request))
        if user is None:
            raise AuthenticationFailed(_("User name or password is wrong."))
        return Response({"token": tokens.create_token(user=user)})


class StatusView(APIView):
    @extend_schema(responses=HealthSerializer)
    def get(self, request: Request) -> Response:
        """Database, broker and each worker; `message` says what is wrong and what to do."""
        return Response(HealthSerializer(health.check()).data)
