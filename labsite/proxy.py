"""Where a request comes from, with a proxy in front or without."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """Return the address of who asks: what django-axes counts failed sign-ins by.

    Behind a proxy that is the last one of X-Forwarded-For, which the proxy itself put there. What
    stands before it, anybody can claim; without a proxy, all of it.
    """
    peer: str | None = request.META.get("REMOTE_ADDR") or None
    if not settings.BEHIND_PROXY:
        return peer
    last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return peer
