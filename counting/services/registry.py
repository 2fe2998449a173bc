"""The registry of model versions: bundles named by their digest, one champion a study."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import ModelVersion, Study
from counting.selectors import judging

from . import audit

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def folder(version: ModelVersion) -> Path:
    """Return the folder of the version's bundle."""
    return Path(settings.REGISTRY_ROOT) / version.sha256


def store(bundle: Path) -> str:
    """Copy a bundle into the registry and return its digest; the same bundle is kept once.

    Raises:
        Refused: there is no complete bundle at `bundle`.
    """
    from ml.bundle import digest

    if not (bundle / "config.json").is_file():
        raise Refused(_("The model bundle is not complete. Install the product again."), "bundle")
    sha256 = digest(bundle)
    target = Path(settings.REGISTRY_ROOT) / sha256
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.parent / f".{secrets.token_hex(8)}"
        shutil.copytree(bundle, half)
        try:
            half.rename(target)
        except OSError:
            # Another process stored the same bundle in between; theirs is as good.
            shutil.rmtree(half)
            if not target.exists():
                raise
    return sha256


def install_base(*, study: Study) -> ModelVersion:
    """Give a new study the shipped model as version 1 and champion."""
    bundle = Path(settings.BASE_BUNDLE)
    sha256 = store(bundle)
    metrics_file = bundle / "metrics.json"
    metrics: dict[str, Any] = json.loads(metrics_file.read_text()) if metrics_file.exists() else {}
    return ModelVersion.objects.create(
        study=study,
        number=1,
        state=ModelVersion.State.CHAMPION,
        sha256=sha256,
        metrics={"base": metrics},
        promoted_at=timezone.now(),
    )


def add_candidate(
    *, parent: ModelVersion, bundle: Path, data_hash: str, metrics: dict[str, Any]
) -> ModelVersion:
    """Register a trained bundle as a candidate of its parent's study."""
    sha256 = store(bundle)
    with transaction.atomic():
        study = Study.objects.select_for_update().get(pk=parent.study_id)
        last = study.model_versions.aggregate(last=Max("number"))["last"] or 0
        return ModelVersion.objects.create(
            study=study,
            number=last + 1,
            sha256=sha256,
            parent=parent,
            data_hash=data_hash,
            metrics=metrics,
        )


def champion(study: Study) -> ModelVersion:
    """Return the version that predicts for the study now."""
    return study.model_versions.get(state=ModelVersion.State.CHAMPION)


@transaction.atomic
def promote(
    *,
    version: ModelVersion,
    actor: User | None,
    instead_of: ModelVersion | None = None,
    overrule: bool = False,
) -> ModelVersion:
    """Make `version` the champion and have it predict what nobody has counted yet.

    A roll back is the promotion of an earlier champion. `instead_of` is the gate's word: it found
    the candidate better than that champion, so another one that went live meanwhile stays. Without
    that word a candidate goes live only when a person says to `overrule` the gate.

    Raises:
        Conflict: `version` is the champion already, or `instead_of` is champion no more.
        Refused: the gate did not let this candidate go live, and nobody overrules it.
    """
    from . import predictions

    study = Study.objects.select_for_update().get(pk=version.study_id)
    old = champion(study)
    if old.pk == version.pk:
        raise Conflict(
            _("%(name)s is the champion already.") % {"name": old.name}, "champion", old.pk
        )
    if instead_of is not None and old.pk != instead_of.pk:
        raise Conflict(
            _("%(name)s became champion meanwhile; the candidate was not judged against it.")
            % {"name": old.name},
            "champion_changed",
            old.pk,
        )
    new = {"champion": version.name}
    if _waits_for_the_gate(version) and instead_of is None:
        if not overrule:
            raise Refused(
                _("%(known)s To make it champion all the same, confirm that you overrule this.")
                % {"known": judging.what_is_known(version, old)},
                "gate",
            )
        new["gate_overruled"] = judging.outcome(version.metrics).value
    ModelVersion.objects.filter(pk=old.pk).update(state=ModelVersion.State.RETIRED)
    ModelVersion.objects.filter(pk=version.pk).update(
        state=ModelVersion.State.CHAMPION, promoted_at=timezone.now()
    )
    version.refresh_from_db()
    audit.record(
        actor=actor,
        action="model.promote",
        target=version,
        study_id=study.pk,
        old={"champion": old.name},
        new=new,
    )
    predictions.request_for_uncounted(study=study, version=version)
    return version


def _waits_for_the_gate(version: ModelVersion) -> bool:
    """Tell whether it has never been champion, as the database has it now."""
    candidates = ModelVersion.objects.filter(state=ModelVersion.State.CANDIDATE)
    return candidates.filter(pk=version.pk).exists()
