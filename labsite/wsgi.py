"""The door for a WSGI server."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from labsite.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings.embedded")

if os.environ.get("SUPERVISED"):
    # Granian serves from a process below the one that was started. Were only the upper one
    # killed, this one would go on holding the port.
    die_with_parent()

application = get_wsgi_application()
