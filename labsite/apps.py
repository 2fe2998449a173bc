"""The site's own app: it has no models, it connects the parts."""

from __future__ import annotations

from django.apps import AppConfig


class LabsiteConfig(AppConfig):
    """Registers the start-up checks and makes the Celery app the one tasks are sent through."""

    name = "labsite"
    verbose_name = "HemaTally"

    def ready(self) -> None:
        """Import for effect; both need the settings, so not at the top."""
        from labsite import celery, checks  # noqa: F401
