"""Tokens with which scripts act as a user."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from counting.models import ApiToken

from . import audit
from .studies import hash_token

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def create_token(*, user: User) -> str:
    """Make a token and return it: the only time that it can be read."""
    token = secrets.token_urlsafe(32)
    row = ApiToken.objects.create(user=user, token_hash=hash_token(token))
    audit.record(actor=user, action="token.create", target=row, study_id=None)
    return token


@transaction.atomic
def revoke_tokens(*, user: User, actor: User | None) -> int:
    """Delete all tokens of a user and return how many there were.

    `actor` is None when an operator does it at the server, where nobody is signed in.
    """
    number, _ = ApiToken.objects.filter(user=user).delete()
    if number:
        audit.record(
            actor=actor, action="token.revoke", target=user, study_id=None, old={"tokens": number}
        )
    return number


@transaction.atomic
def password_changed(*, user: User) -> int:
    """Note that a user chose a new password, and end what the old one opened: return how many
    tokens were deleted. Other sessions end by themselves, since each carries a hash of it.
    """
    audit.record(actor=user, action="password.change", target=user, study_id=None)
    return revoke_tokens(user=user, actor=user)


@transaction.atomic
def close_account(*, user: User) -> int:
    """Let nobody in as this user any more; return how many tokens were deleted.

    The account itself stays, with its name on what was counted. Its sessions need no deleting:
    Django asks with each request whether the user is active.
    """
    if user.is_active:
        user.is_active = False
        user.save(update_fields=("is_active",))
        audit.record(
            actor=None,
            action="account.close",
            target=user,
            study_id=None,
            old={"active": True},
            new={"active": False},
        )
    return revoke_tokens(user=user, actor=None)


def find_user(token: str) -> User | None:
    """Return the active user behind a token, and note that it was used."""
    row = (
        ApiToken.objects.select_related("user")
        .filter(token_hash=hash_token(token), user__is_active=True)
        .first()
    )
    if row is None:
        return None
    now = timezone.now()
    # Once a minute is enough to find tokens nobody uses; each request would be a write.
    ApiToken.objects.filter(pk=row.pk).filter(
        Q(used_at__isnull=True) | Q(used_at__lt=now - timedelta(minutes=1))
    ).update(used_at=now)
    return row.user
