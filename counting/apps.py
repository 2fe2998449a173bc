"""The app's registration with Django."""

from django.apps import AppConfig


class CountingConfig(AppConfig):
    """The one Django app: studies, slides, fields, readings, models and the jobs around them."""

    name = "counting"
    default_auto_field = "django.db.models.BigAutoField"
