from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from counting.services import tokens


class Command(BaseCommand):
    help = "Delete all API tokens of a user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> str:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['username']}.")
        number = tokens.revoke_tokens(user=user, actor=None)
        return f"API tokens of {user.get_username()} deleted: {number}."
