"""Which field comes next when the study asks for what teaches most."""

from __future__ import annotations

import pytest

from counting.models import Field, ModelVersion, Prediction, Reason, Slide, Study
from counting.selectors import queue
from counting.selectors.fields import view_field
from counting.services import assignments, slides
from tests.counting.conftest import People, add_fields, bare_fields, count

pytestmark = pytest.mark.django_db


def predict(field: Field, value: int, width: int, *, novelty: float = 0.1) -> None:
    """Write a prediction by the champion, `width` cells wide."""
    red = {"value": value, "low": value - width // 2, "high": value + width - width // 2}
    Prediction.objects.create(
        field=field,
        model_version=ModelVersion.objects.get(study=field.study, state="champion"),
        counts={"RBC": {**red, "raw": value}},
        novelty=novelty,
        novel=novelty > 0.5,
    )


@pytest.fixture
def teach(study: Study, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Serve what teaches most, and let nothing else come by lot, so that the order is known."""
    monkeypatch.setattr(queue, "RANDOM_SHARE", 0.0)
    study.queue_order = "teach"
    study.save()
    return study


def reason_of(field: Field, people: People) -> Reason | None:
    return view_field(field, people.bob).reason


def served(study: Study, people: People) -> list[int]:
    """Count every field as Bob and return the order they came in."""
    order = []
    while (field_id := assignments.next_for(study=study, reader=people.bob).field_id) is not None:
        order.append(field_id)
        count(Field.objects.get(pk=field_id), people.bob, RBC=20)
    return order


def test_the_strongest_lesson_comes_first_with_its_reason(
    teach: Study, slide: Slide, people: People
) -> None:
    narrow, wide, novel = add_fields(slide, people.bob, range(1, 4))
    predict(narrow, 20, 2)
    predict(wide, 20, 16)
    predict(novel, 20, 2, novelty=0.9)
    first = assignments.next_for(study=teach, reader=people.bob)
    assert (first.field_id, first.remaining) == (novel.pk, 3)
    assert reason_of(novel, people) == Reason.NOVEL
    # Rita gets the next best, Bob the same again.
    assert assignments.next_for(study=teach, reader=people.rita).field_id == wide.pk
    assert assignments.next_for(study=teach, reader=people.bob).field_id == novel.pk
    count(novel, people.bob, RBC=20)
    assert reason_of(novel, people) is None
    assert assignments.next_for(study=teach, reader=people.bob).field_id == narrow.pk
    assert reason_of(narrow, people) == Reason.WIDE


def test_the_last_field_waits_until_it_is_counted(
    study: Study, slide: Slide, people: People
) -> None:
    (last,) = add_fields(slide, people.bob, range(1, 2))

    def left() -> tuple[int | None, int]:
        found = assignments.next_for(study=study, reader=people.bob, after=last.pk)
        return found.field_id, found.remaining

    assert left() == (None, 1)
    count(last, people.bob, RBC=20)
    assert left() == (None, 0)


def test_a_poor_picture_comes_first_while_it_can_be_taken_again(
    teach: Study, slide: Slide, people: People
) -> None:
    novel, poor = add_fields(slide, people.bob, range(1, 3))
    predict(novel, 20, 2, novelty=0.95)
    predict(poor, 20, 2)
    Prediction.objects.filter(field=poor).update(faults=["blurred"])
    assert assignments.next_for(study=teach, reader=people.bob).field_id == poor.pk
    assert reason_of(poor, people) == Reason.POOR


def test_a_differing_first_count_comes_first_and_its_reason_does_not_tell(
    teach: Study, slide: Slide, people: People
) -> None:
    Study.objects.filter(pk=teach.pk).update(readers_per_field=2)
    teach.refresh_from_db()
    wide, same, apart = add_fields(slide, people.bob, range(1, 4))
    for field in (wide, same, apart):
        predict(field, 20, 12 if field == wide else 2)
    count(same, people.rita, RBC=20)
    count(apart, people.rita, RBC=60)
    turns = queue.turns(teach, people.bob)
    assert [turn.field_id for turn in turns] == [apart.pk, wide.pk, same.pk]
    assert [turn.reason for turn in turns] == [Reason.SECOND, Reason.WIDE, Reason.SECOND]


def test_held_out_and_blind_fields_come_by_lot_and_not_at_the_end(
    teach: Study, slide: Slide, people: People
) -> None:
    """Whatever the model thinks of them, and as often as their share of what waits."""
    judge = slides.create_slide(study=teach, code="S2", actor=people.bob)
    assert judge.held_out
    learning, held_out = bare_fields(slide, 20), bare_fields(judge, 18)
    Field.objects.filter(pk__in=[field.pk for field in learning[:2]]).update(blind=True)
    for field in (*learning, *held_out):
        predict(field, 20, 2 + field.pk % 7)
    reasons = {turn.field_id: turn.reason for turn in queue.turns(teach, people.bob)}
    by_lot = {pk for pk, reason in reasons.items() if reason == Reason.RANDOM}
    assert by_lot == {field.pk for field in (*learning[:2], *held_out)}

    order = served(teach, people)
    # Half of what waits waits by lot: ten of the first twenty are expected, and none or all of
    # them would happen about twice in a million runs.
    assert 0 < sum(pk in by_lot for pk in order[:20]) < 20
    drawn = [pk for pk in order if pk in by_lot]
    assert drawn != sorted(drawn)


def test_one_in_five_of_the_others_comes_by_lot(study: Study, slide: Slide, people: People) -> None:
    study.queue_order = "teach"
    study.save()
    for field in bare_fields(slide, 60):
        predict(field, 20, 4)
    turns = queue.turns(study, people.bob)
    by_lot = [turn for turn in turns if turn.reason == Reason.RANDOM]
    # Twelve are expected; outside these bounds about twice in a million runs.
    assert 0 < len(by_lot) <= 30


def test_slide_order_goes_round_after_the_last(study: Study, slide: Slide, people: People) -> None:
    first, second, third = add_fields(slide, people.bob, range(1, 4))

    def after(field: Field) -> int | None:
        return assignments.next_for(study=study, reader=people.bob, after=field.pk).field_id

    assert [after(first), after(second), after(third)] == [second.pk, third.pk, first.pk]
    assert reason_of(second, people) == Reason.ORDER
