"""What came in by mistake goes without a trace on the disk; what somebody counted stays."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import Client

from counting.models import AuditEntry, Field, ImportJob, PredictionJob, Slide, Study, TileJob
from counting.services import deletions, flags, imports, intake, jobs, readings, slides, tiles
from tests.counting.conftest import People, add_fields, count
from tests.counting.pictures import smear_file

# As in use: what waits for the commit happens.
pytestmark = pytest.mark.django_db(transaction=True)


def stored() -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def start(slide: Slide, actor: User) -> ImportJob:
    """Send an archive of one picture, which nobody unpacks yet."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("three.png", smear_file(3))
    return imports.start_import(slide=slide, archive=archive, name="a.zip", actor=actor)


def test_a_field_goes_with_its_files_its_prediction_and_its_jobs(
    field: Field, bob: Client, people: People, predict_all: Callable[[], int]
) -> None:
    predict_all()
    tiles.run(TileJob.objects.create(field=field).pk)
    flags.comment(field=field, actor=people.bob, text="A label with a name.")
    flags.flag(field=field, actor=people.bob, reason="wrong")
    assert len(stored()) > 2

    assert bob.delete(f"/api/v1/fields/{field.pk}/").status_code == 204
    assert stored() == []
    assert not PredictionJob.objects.exists()
    assert bob.get(f"/api/v1/fields/{field.pk}/").status_code == 404
    entry = AuditEntry.objects.get(action="field.delete")
    assert (entry.actor, entry.object_id) == (people.bob, str(field.pk))
    assert entry.old == {"slide": "S1", "sha256": field.sha256, "drafts": []}
    # The same picture may come in again.
    intake.add_field(slide=field.slide, data=smear_file(1), name="one.png", actor=people.bob)


def test_only_admins_and_who_brought_it_in_delete(
    slide: Slide,
    alice: Client,
    bob: Client,
    client_of: Callable[[User], Client],
    people: People,
) -> None:
    rita = client_of(people.rita)  # a reviewer, who brought in neither
    first, second = add_fields(slide, people.bob, range(2))
    for address in (f"fields/{first.pk}", f"slides/{slide.pk}"):
        answer = rita.delete(f"/api/v1/{address}/")
        assert (answer.status_code, "Only an admin" in answer.json()["detail"]) == (403, True)
        assert rita.get(f"/{address}/delete/").status_code == 403
    mine = [client.get(f"/api/v1/fields/{second.pk}/").json()["is_mine"] for client in (bob, rita)]
    assert mine == [True, False]
    # A slide is whose it is only while all its fields are.
    (third,) = add_fields(slide, people.alice, [2])
    assert bob.delete(f"/api/v1/slides/{slide.pk}/").status_code == 403
    assert "Delete the slide" not in bob.get(f"/slides/{slide.pk}/edit/").content.decode()
    assert "Delete the slide" in alice.get(f"/slides/{slide.pk}/edit/").content.decode()
    assert alice.delete(f"/api/v1/fields/{third.pk}/").status_code == 204
    assert bob.delete(f"/api/v1/slides/{slide.pk}/").status_code == 204


def test_a_worker_with_a_deleted_field_in_hand_goes_on_with_the_others(
    slide: Slide, bob: Client, people: People, predict_all: Callable[[], int]
) -> None:
    gone, stays = add_fields(slide, people.bob, range(2))
    taken = jobs.claim(PredictionJob, PredictionJob.objects.get(field=gone).pk)
    assert taken is not None
    assert bob.delete(f"/api/v1/fields/{gone.pk}/").status_code == 204
    assert not jobs.succeed(taken)
    assert predict_all() == 1
    assert stays.predictions.exists()


def test_what_somebody_counted_is_never_deleted(
    field: Field, bob: Client, alice: Client, people: People
) -> None:
    count(field, people.bob, RBC=8)
    flags.flag(field=field, actor=people.bob, reason="focus")
    for client in (bob, alice):
        for address in (f"fields/{field.pk}", f"slides/{field.slide_id}"):
            answer = client.delete(f"/api/v1/{address}/?drafts=true")
            assert (answer.status_code, answer.json()["code"]) == (409, "counted")
            assert "Flag a field" in answer.json()["detail"]
            page = client.get(f"/{address}/delete/")
            assert "never deleted" in page.content.decode()
            assert "Yes, delete" not in page.content.decode()
            client.post(f"/{address}/delete/", {"drafts": "true"})
    assert Field.objects.filter(pk=field.pk).exists()
    assert len(stored()) == 2


def test_a_draft_goes_only_when_it_was_said_and_the_trail_keeps_its_counts(
    field: Field, bob: Client, people: People
) -> None:
    readings.save_reading(field=field, reader=people.rita, counts={"RBC": 4}, submit=False)
    refused = bob.delete(f"/api/v1/fields/{field.pk}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "drafts")
    assert "rita" in refused.json()["detail"]
    address = f"/fields/{field.pk}/delete/"
    assert bob.post(address, follow=True).status_code == 200
    page = bob.get(address).content.decode()
    assert "rita began to count here" in page
    assert 'name="drafts" value="true"' in page
    assert bob.post(address, {"drafts": "true"})["Location"] == f"/slides/{field.slide_id}/"
    assert not Field.objects.exists()
    entry = AuditEntry.objects.get(action="field.delete")
    assert entry.old is not None
    assert entry.old["drafts"] == [{"field": field.pk, "reader": "rita", "counts": {"RBC": 4}}]


def test_a_slide_goes_with_everything_that_came_into_it(
    slide: Slide, bob: Client, people: People, predict_all: Callable[[], int]
) -> None:
    fields = add_fields(slide, people.bob, range(2))
    predict_all()
    job = start(slide, people.bob)

    page = bob.get(f"/slides/{slide.pk}/delete/").content.decode()
    assert "with 2 fields" in page
    assert bob.post(f"/slides/{slide.pk}/delete/").status_code == 302
    assert not Slide.objects.exists()
    assert stored() == []
    imports.run_import(job.pk)
    assert not Field.objects.exists()
    entry = AuditEntry.objects.get(action="slide.delete")
    assert entry.old is not None
    assert (entry.old["code"], entry.old["held_out"]) == ("S1", False)
    assert entry.old["fields"] == [field.sha256 for field in fields]
    assert entry.old["imports"] == [{"import": job.pk, "by": "bob", "files": 1}]


def test_an_archive_that_waits_is_for_its_owner_and_admins_to_give_up(
    slide: Slide, alice: Client, bob: Client, people: People
) -> None:
    add_fields(slide, people.bob, range(2))
    address = f"/api/v1/slides/{slide.pk}/"
    job = start(slide, people.rita)
    assert bob.delete(address).status_code == 403
    assert "Delete the slide" not in bob.get(f"/slides/{slide.pk}/edit/").content.decode()
    # It came between the question and the answer.
    with pytest.raises(PermissionDenied):
        deletions.delete_slide(slide=slide, actor=people.bob)
    assert Slide.objects.exists()
    imports.cancel_import(job=job, actor=people.rita)
    assert "Delete the slide" in bob.get(f"/slides/{slide.pk}/edit/").content.decode()
    start(slide, people.rita)
    assert alice.delete(address).status_code == 204
    assert stored() == []


def test_a_picture_that_cannot_be_deleted_leaves_no_other_behind(
    slide: Slide, bob: Client, people: People
) -> None:
    first, _second = add_fields(slide, people.bob, range(2))
    start(slide, people.bob)
    # A folder that holds something lies where the picture was.
    stuck = Path(first.image.path)
    stuck.unlink()
    stuck.mkdir()
    (stuck / "left").touch()
    assert bob.delete(f"/api/v1/slides/{slide.pk}/").status_code == 204
    assert stored() == [stuck / "left"]


@pytest.mark.parametrize("gone", range(8))
def test_the_place_of_a_deleted_slide_is_given_again(
    study: Study, bob: Client, people: People, gone: int
) -> None:
    def make(code: str) -> Slide:
        return slides.create_slide(study=study, code=code, actor=people.bob)

    made = [make(f"S{n}") for n in range(8)]
    drawn = [slides.is_held_out(study.salt, place) for place in range(9)]
    assert [row.held_out for row in made] == drawn[:8]
    assert bob.delete(f"/api/v1/slides/{made[gone].pk}/").status_code == 204
    again = make("again")
    assert again.held_out == made[gone].held_out
    assert make("next").held_out == drawn[8]
