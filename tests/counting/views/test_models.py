"""What the page of models says of a candidate, and how one becomes champion over the gate."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from counting.models import AuditEntry, JobState, ModelVersion, Slide, Study, TrainingRun
from counting.services import registry, slides
from tests.counting.conftest import People, bare_fields, count

pytestmark = pytest.mark.django_db


Off = float | list[int]


def measured(n: int, off: Off) -> dict[str, Any]:
    """Metrics of a model that was off by so much; in each of `n` fields where that is told."""
    if isinstance(off, list):
        told = {"n": n, "mae": sum(off) / n, "mean": 20.0, "errors": off}
        return {"n": n, "slides": [0] * n, "types": {"RBC": told}}
    return {"n": n, "types": {"RBC": {"n": n, "mae": off, "mean": 20.0}}}


def candidate(study: Study, n: int, off: Off) -> ModelVersion:
    """Add a candidate that was off by so much on `n` hold-out fields; the champion by 2 cells."""
    champion = registry.champion(study)
    before: Off = [2] * n if isinstance(off, list) else 2.0
    metrics = {"champion": measured(n, before), "candidate": measured(n, off)}
    made = registry.add_candidate(
        parent=champion, bundle=registry.folder(champion), data_hash="x", metrics=metrics
    )
    TrainingRun.objects.create(
        study=study,
        trigger="manual",
        data_hash="x",
        reference_counts=6,
        champion=champion,
        candidate=made,
        metrics=metrics,
        state=JobState.SUCCEEDED,
    )
    return made


@pytest.mark.parametrize(
    ("n", "off", "badge", "known", "found"),
    [
        (0, 1.0, "Not judged", "Nobody knows whether v2 is better than v1", "not_judged"),
        (4, 1.0, "Not judged", "it was tried on 4 held-out fields", "not_judged"),
        (6, 2.0, "Not better", "On 6 held-out fields, v2 was not better than v1.", "not_better"),
        (6, 9.0, "Not better", "On 6 held-out fields, v2 was not better than v1.", "not_better"),
        (6, 1.0, "Champion changed", "On 6 held-out fields, v2 was better than v1.", "better"),
        (
            6,
            [1, 1, 0, 1, 2, 1],
            "Champion changed",
            "On 6 held-out fields, v2 was better than v1.",
            "better",
        ),
        (
            6,
            [0, 2, 2, 3, 2, 2],
            "Not clearly better",
            "v2 was better than v1, but by no more than chance may give.",
            "by_chance",
        ),
    ],
)
def test_who_overrules_the_gate_is_told_what_is_known(
    alice: Client, study: Study, n: int, off: Off, badge: str, known: str, found: str
) -> None:
    version = candidate(study, n, off)
    models = f"/studies/{study.pk}/models/"
    shown = alice.get(models).content.decode()
    words = ("Not judged", "Not better", "Not clearly better", "Champion changed")
    assert {word for word in words if word in shown} == {badge}
    assert f'action="/models/{version.pk}/promote/"' not in shown

    # Who did not see the question cannot answer it.
    refused = alice.post(f"/models/{version.pk}/promote/", follow=True).content.decode()
    assert known in refused
    assert registry.champion(study).name == "v1"

    question = alice.get(f"/models/{version.pk}/overrule/").content.decode()
    assert f'href="/models/{version.pk}/overrule/"' in shown
    assert known in question
    assert 'name="overrule"' in question
    alice.post(f"/models/{version.pk}/promote/", {"overrule": "yes"})
    assert registry.champion(study) == version
    (entry,) = AuditEntry.objects.filter(action="model.promote")
    assert entry.new == {"champion": "v2", "gate_overruled": found}


def test_a_candidate_judged_beside_a_former_champion_is_unknown_beside_this_one(
    alice: Client, study: Study
) -> None:
    older = candidate(study, 6, 1.0)
    registry.promote(version=candidate(study, 6, 1.0), actor=None, overrule=True)
    question = alice.get(f"/models/{older.pk}/overrule/").content.decode()
    assert "Nobody knows whether v2 is better than v3: it was judged beside v1" in question


def test_nothing_is_asked_of_a_former_champion(alice: Client, study: Study) -> None:
    first = registry.champion(study)
    second = candidate(study, 0, 1.0)
    alice.post(f"/models/{second.pk}/promote/", {"overrule": "yes"})
    shown = alice.get(f"/models/{first.pk}/overrule/", follow=True).content.decode()
    assert f'action="/models/{first.pk}/promote/"' in shown
    alice.post(f"/models/{first.pk}/promote/")
    assert registry.champion(study) == first


def test_who_retrains_is_told_before_when_nothing_could_be_judged(
    alice: Client, study: Study, slide: Slide, people: People
) -> None:
    def shown() -> str:
        return alice.get(f"/studies/{study.pk}/models/").content.decode()

    assert "this study has no judging slide yet" in shown()
    judging = slides.create_slide(study=study, code="S2", actor=people.bob)
    slides.create_slide(study=study, code="S3", actor=people.bob)
    fields = bare_fields(judging, 5)
    count(bare_fields(slide, 1)[0], people.bob, RBC=8)
    for field in fields[:4]:
        count(field, people.bob, RBC=8)
    told = shown()
    assert "4 fields of the judging slides are counted, and 5 are needed." in told
    assert "Count 1 more first, of: S2." in told
    count(fields[4], people.bob, RBC=8)
    assert "could not be judged" not in shown()
