"""`Authorization: Bearer TOKEN`, for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from counting.services import tokens

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request


class BearerAuthentication(BaseAuthentication):
    """Accepts the tokens of `POST /api/v1/auth/token/` and `manage.py create_token`."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        try:
            token = parts[1].decode("ascii")
        except (IndexError, UnicodeDecodeError):
            token = ""
        user = tokens.find_user(token) if token and len(parts) == 2 else None
        if user is None:
            raise AuthenticationFailed(
                _("This token is not valid. Ask for a new one at /api/v1/auth/token/.")
            )
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names it."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
