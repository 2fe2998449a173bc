"""Is everything there that counting needs?"""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from counting.selectors import health


@login_required
@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Show database, broker and workers."""
    return render(request, "status.html", {"health": health.check()})
