from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from counting.selectors.studies import without_admin
from counting.services import tokens


class Command(BaseCommand):
    help = "Close an account: no sign-in, no session, no API token of it works any more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> str:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['username']}.")
        number = tokens.close_account(user=user)
        told = [f"The account {user.get_username()} is closed. API tokens deleted: {number}."]
        for study in without_admin(besides=user):
            told.append(f"Study {study.pk} ({study.name}) has no admin now.")
        return "\n".join(told)
