#!/usr/bin/env python
"""HemaTally's command line: `python manage.py help` lists what it can do."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command; a refused configuration is a sentence, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings.embedded")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        sys.exit(f"HemaTally does not start: {refusal}")


if __name__ == "__main__":
    main()
