"""The first start of an installation: an administrator and a study to try things on."""

from __future__ import annotations

import io
import secrets
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

from counting.models import Study

from . import intake, slides, studies

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FIRST_ADMIN = "admin"
DEMO_NAME = "Demo: synthetic smears"
DEMO_SLIDES = ("DEMO-A", "DEMO-B")
DEMO_FIELDS = 6
DEMO_SEED = 20


def ensure_admin(password: str = "") -> tuple[User, str]:
    """Return the first administrator, and the password when the account was made just now.

    Without `password` one is generated; it is told this once and kept only as a hash.
    """
    model = get_user_model()
    found = model.objects.filter(is_superuser=True).order_by("pk").first()
    if found is not None:
        return found, ""
    password = password or secrets.token_urlsafe(9)
    return model.objects.create_superuser(username=FIRST_ADMIN, password=password), password


def ensure_demo(admin: User) -> Study | None:
    """Make the demo study of synthetic smears in an installation that has no study yet."""
    from ml.synthetic import render_slide

    if Study.objects.exists():
        return None
    with transaction.atomic():
        study = studies.create_study(name=DEMO_NAME, actor=admin)
        for number, code in enumerate(DEMO_SLIDES):
            slide = slides.create_slide(study=study, code=code, actor=admin, stain="synthetic")
            fields = render_slide(DEMO_SEED + number, DEMO_FIELDS)
            for place, synthetic in enumerate(fields, 1):
                buffer = io.BytesIO()
                synthetic.image.save(buffer, "PNG")
                intake.add_field(
                    slide=slide,
                    data=buffer.getvalue(),
                    name=f"{code.lower()}-{place:02}.png",
                    actor=admin,
                )
    return study
