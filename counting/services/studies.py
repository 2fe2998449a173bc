"""Make and change studies, their members and invitations."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from counting.errors import Conflict, Refused
from counting.models import CountingRule, Invitation, Membership, Role, Study
from counting.models.study import ROLE_RANK
from counting.selectors.fields import counted_among

from . import audit, cell_types, references, registry
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SETTINGS = (
    "name",
    "counting_rule",
    "readers_per_field",
    "agreement_tolerance",
    "blind_share",
    "queue_order",
    "retrain_after",
)
INVITATION_DAYS = 14


@transaction.atomic
def create_study(*, name: str, actor: User, **options: Any) -> Study:
    """Make a study with the first three cell types, its maker as admin and the base model.

    Raises:
        Refused: `actor` may not make studies, or a setting is out of its range.
    """
    if not actor.is_staff:
        raise Refused(_("Only an admin of this server can make a study. Ask one."), "not_staff")
    study = Study(name=name.strip(), created_by=actor, **_known(options))
    check(study)
    study.save()
    cell_types.add_first(study=study)
    Membership.objects.create(study=study, user=actor, role=Role.ADMIN)
    registry.install_base(study=study)
    audit.record(
        actor=actor, action="study.create", target=study, study_id=study.pk, new=_settings(study)
    )
    return study


@transaction.atomic
def update_study(*, study: Study, actor: User, **changes: Any) -> Study:
    """Change settings of a study.

    Fields that have enough readings under a new rule get their reference count.

    Raises:
        Refused: a setting is unknown or out of its range, or the counting rule is another one than
            fields are counted by.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    old = _settings(study)
    for name, value in _known(changes).items():
        setattr(study, name, value.strip() if isinstance(value, str) else value)
    check(study)
    if study.counting_rule != old["counting_rule"]:
        _refuse_second_rule(study, CountingRule(old["counting_rule"]))
    study.save()
    if old != _settings(study):
        audit.record(
            actor=actor,
            action="study.update",
            target=study,
            study_id=study.pk,
            old=old,
            new=_settings(study),
        )
    rule = ("readers_per_field", "agreement_tolerance")
    if any(old[name] != getattr(study, name) for name in rule):
        references.reconsider(study=study, actor=actor)
    return study


@transaction.atomic
def add_member(*, study: Study, actor: User, username: str, role: str) -> Membership:
    """Let an existing account into the study.

    Raises:
        Refused: no such account, or no such role.
        Conflict: the person is a member already.
    """
    role = _role(role)
    user = get_user_model().objects.filter(username=username.strip(), is_active=True).first()
    if user is None:
        raise Refused(
            _("There is no account %(name)s. Send an invitation link instead.")
            % {"name": username.strip() or "?"},
            "no_account",
        )
    membership, created = Membership.objects.get_or_create(
        study=study, user=user, defaults={"role": role}
    )
    if not created:
        raise Conflict(
            _("%(name)s is a member already.") % {"name": user.get_username()},
            "member",
            membership.pk,
        )
    audit.record(
        actor=actor,
        action="member.add",
        target=membership,
        study_id=study.pk,
        new={"user": user.get_username(), "role": role},
    )
    return membership


@transaction.atomic
def set_role(*, membership: Membership, actor: User, role: str) -> Membership:
    """Change a member's role; the last admin stays admin.

    The open invitations of who is no longer admin end.

    Raises:
        Refused: no such role, or it would leave the study without an admin.
    """
    old, membership.role = membership.role, _role(role)
    if old == Role.ADMIN and membership.role != Role.ADMIN:
        _keep_an_admin(membership)
        _end_invitations(membership)
    membership.save()
    audit.record(
        actor=actor,
        action="member.role",
        target=membership,
        study_id=membership.study_id,
        old={"user": membership.user.get_username(), "role": old},
        new={"user": membership.user.get_username(), "role": membership.role},
    )
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: User) -> None:
    """Take a person out of the study; their readings stay, their open invitations end.

    Raises:
        Refused: it would leave the study without an admin.
    """
    if membership.role == Role.ADMIN:
        _keep_an_admin(membership)
    audit.record(
        actor=actor,
        action="member.remove",
        target=membership,
        study_id=membership.study_id,
        old={"user": membership.user.get_username(), "role": membership.role},
    )
    _end_invitations(membership)
    membership.delete()


@transaction.atomic
def invite(*, study: Study, actor: User, role: str, email: str = "") -> tuple[Invitation, str]:
    """Make an invitation; returns it with its token, which is not kept.

    Raises:
        Refused: no such role, or the address is not one.
    """
    token = secrets.token_urlsafe(24)
    invitation = Invitation(
        study=study,
        role=_role(role),
        email=email.strip(),
        token_hash=hash_token(token),
        invited_by=actor,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    check(invitation, exclude=("accepted_by", "accepted_at"))
    invitation.save()
    audit.record(
        actor=actor,
        action="member.invite",
        target=invitation,
        study_id=study.pk,
        new={"role": invitation.role, "email": invitation.email},
    )
    return invitation, token


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, actor: User) -> None:
    """Take an open invitation back: its link lets nobody in any more.

    Raises:
        Refused: it is over already.
    """
    if not _open_invitations().filter(pk=invitation.pk).update(expires_at=timezone.now()):
        raise Refused(_("This invitation is over already; its link lets nobody in."), "over")
    audit.record(
        actor=actor,
        action="member.uninvite",
        target=invitation,
        study_id=invitation.study_id,
        old={"role": invitation.role, "email": invitation.email},
    )


def open_invitations(study: Study) -> QuerySet[Invitation]:
    """Return the study's invitations that let somebody in, the newest first."""
    return _good_invitations().filter(study=study).select_related("invited_by", "study")


def find_invitation(token: str) -> Invitation:
    """Return the open invitation behind a link.

    Raises:
        Refused: it is unknown, used or too old, or who made it is no admin of the study any more;
            one sentence for all.
    """
    invitation = _good_invitations().filter(token_hash=hash_token(token)).first()
    if invitation is None:
        raise Refused(
            _("This invitation is no longer good. Ask an admin of the study for a new one."),
            "invitation",
        )
    return invitation


@transaction.atomic
def accept_invitation(
    *, token: str, user: User | None = None, username: str = "", password: str = ""
) -> User:
    """Join the study behind the link, with `user` or with a new account.

    A member gets the invitation's role when it is a higher one.

    Raises:
        Conflict: a member's role would stay as it is; the link is not used up.
        Refused: the invitation is over, the name is taken or the password too weak.
    """
    invitation = find_invitation(token)
    if user is None:
        user = create_account(username=username, password=password)
    still_open = _open_invitations().filter(pk=invitation.pk)
    if not still_open.update(accepted_at=timezone.now(), accepted_by=user):
        raise Refused(_("This invitation was used a moment ago."), "invitation")
    membership, created = Membership.objects.select_for_update().get_or_create(
        study=invitation.study, user=user, defaults={"role": invitation.role}
    )
    old = membership.role
    if not created:
        _raise_role(membership, invitation.role)
    audit.record(
        actor=user,
        action="member.add" if created else "member.role",
        target=membership,
        study_id=invitation.study_id,
        old=None if created else {"user": user.get_username(), "role": old},
        new={"user": user.get_username(), "role": membership.role, "invitation": True},
    )
    return user


def export_counts(*, study: Study, actor: User, lines: Iterator[str]) -> Iterator[str]:
    """Note the export in the audit trail and hand on its lines."""
    audit.record(actor=actor, action="counts.export", target=study, study_id=study.pk)
    return lines


def create_account(*, username: str, password: str) -> User:
    """Make an account.

    Raises:
        Refused: the name is taken or unusable, or the password too weak.
    """
    model = get_user_model()
    user = model(username=username.strip())
    if model.objects.filter(username__iexact=user.username).exists():
        raise Refused(_("This user name is taken. Choose another."), "username")
    try:
        user.full_clean(exclude=("password",))
        validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), "account") from None
    user.set_password(password)
    user.save()
    return user


def hash_token(token: str) -> str:
    """Return what is kept of a random token: enough to know it again, no more."""
    return sha256(token.encode()).hexdigest()


def _known(options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(options) - set(SETTINGS))
    if unknown:
        raise Refused(
            _("A study has no setting %(names)s.") % {"names": ", ".join(unknown)}, "unknown"
        )
    return dict(options)


def _refuse_second_rule(study: Study, rule: CountingRule) -> None:
    """Keep `rule` once a field is counted: each count is told with the rule that its study has."""
    references.hold_readings(study)
    counted = counted_among(study.fields.all())
    if counted:
        raise Refused(
            ngettext(
                "%(n)d field is counted by the rule “%(rule)s”. Counts by two rules cannot be "
                "compared: make a new study for the other rule.",
                "%(n)d fields are counted by the rule “%(rule)s”. Counts by two rules cannot be "
                "compared: make a new study for the other rule.",
                counted,
            )
            % {"n": counted, "rule": rule.label},
            "counting_rule",
        )


def _settings(study: Study) -> dict[str, Any]:
    return {name: getattr(study, name) for name in SETTINGS}


def _role(role: str) -> str:
    if role not in Role.values:
        raise Refused(_("A role is one of: %(roles)s.") % {"roles": ", ".join(Role.values)}, "role")
    return role


def _raise_role(membership: Membership, role: str) -> None:
    """Give a member a higher role; refuse, and so undo the caller's transaction, any other."""
    if ROLE_RANK[Role(role)] <= ROLE_RANK[Role(membership.role)]:
        raise Conflict(
            _("You are a member of this study already. The link stays good for somebody else."),
            "member",
            membership.pk,
        )
    membership.role = role
    membership.save()


def _open_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at__isnull=True, expires_at__gt=timezone.now())


def _good_invitations() -> QuerySet[Invitation]:
    """Return the open invitations of those who are still admins of the study and may sign in."""
    return _open_invitations().filter(
        invited_by__is_active=True,
        invited_by__memberships__study=F("study"),
        invited_by__memberships__role=Role.ADMIN,
    )


def _end_invitations(membership: Membership) -> None:
    """End what this admin invited: the link would let them in again, whoever took them out."""
    _open_invitations().filter(
        study_id=membership.study_id, invited_by_id=membership.user_id
    ).update(expires_at=timezone.now())


def _keep_an_admin(membership: Membership) -> None:
    # Whose account is closed can help nobody. By a subquery: their account's row is not locked.
    active = get_user_model().objects.filter(is_active=True)
    others = membership.study.memberships.select_for_update().filter(role=Role.ADMIN)
    if not others.filter(user__in=active).exclude(pk=membership.pk).exists():
        raise Refused(_("A study needs an admin. Make someone else admin first."), "last_admin")
