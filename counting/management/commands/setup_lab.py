from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand

from counting.services import lab


class Command(BaseCommand):
    help = (
        "Make the first administrator (password from ADMIN_PASSWORD, else generated and printed "
        "once) and the demo study. Does nothing that was done before."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        admin, password = lab.ensure_admin(os.environ.get("ADMIN_PASSWORD", ""))
        if lab.ensure_demo(admin) is not None:
            self.stdout.write("Demo study of synthetic smears made.")
        if password and not os.environ.get("ADMIN_PASSWORD"):
            self.stdout.write(
                f"First sign-in: user {admin.get_username()}, password {password} "
                "(shown this once; change it after signing in)"
            )
        elif password:
            self.stdout.write(
                f"First sign-in: user {admin.get_username()}, password from ADMIN_PASSWORD"
            )
