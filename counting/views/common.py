"""What all page views share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from counting.errors import Refused
from counting.models import Study
from counting.selectors import pages

if TYPE_CHECKING:
    from django.contrib.auth.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def signed_in(request: HttpRequest) -> User:
    """Return the user; `login_required` has let nobody else in."""
    return cast("User", request.user)


def frame(request: HttpRequest, study: Study, tab: str, **context: Any) -> dict[str, Any]:
    """Return a study page's context: its own and what the frame around it needs."""
    return {
        **context,
        "study": study,
        "frame": pages.study_frame(study, signed_in(request)),
        "tab": tab,
    }


def action(back: Callable[..., str]) -> Callable[[View[P]], View[P]]:
    """Make a view for one button: POST only, signed in, a refusal shown on the page it came from.

    `back` takes the view's arguments and returns the address of that page.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except Refused as error:
                messages.error(request, error.message)
                return redirect(back(*args, **kwargs))

        return cast("View[P]", login_required(require_POST(guarded)))

    return decorate
