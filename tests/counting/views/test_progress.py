"""How far a study is: what has its reference count, and what this reader has read."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from counting.models import Slide, Study
from tests.counting.conftest import People, bare_fields, count

pytestmark = pytest.mark.django_db


def words_of(client: Client, address: str) -> str:
    page = client.get(address).content.decode()
    return " ".join(re.sub("<[^>]*>", " ", page[page.index("<main") :]).split())


def test_with_two_readers_what_one_has_read_is_told_beside_what_is_settled(
    alice: Client, bob: Client, study: Study, slide: Slide, people: People
) -> None:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)
    first, second, third = bare_fields(slide, 3)
    for field in (first, second, third):
        count(field, people.bob, RBC=8)
        count(field, people.bob, RBC=9)
    count(first, people.rita, RBC=9)
    overview = words_of(bob, f"/studies/{study.pk}/")
    assert "1 of 3 fields have their reference count You have read 3 fields." in overview
    assert "1 / 3 you have read 3" in overview
    home = words_of(bob, "/")
    assert "1 of 3 fields have their reference count you have read 3" in home
    assert "Open Ward 7" in home
    assert "you have read 0" in words_of(alice, "/")
    assert "Count Ward 7" in words_of(alice, "/")


def test_with_one_reader_a_field_that_was_read_is_counted(
    bob: Client, study: Study, slide: Slide, people: People
) -> None:
    count(bare_fields(slide, 2)[0], people.bob, RBC=8)
    assert "1 of 2 fields counted" in words_of(bob, f"/studies/{study.pk}/")
    assert "1 of 2 fields counted" in words_of(bob, "/")


def test_the_sums_leave_out_blind_fields_that_this_user_has_not_counted(
    bob: Client, study: Study, slide: Slide, people: People
) -> None:
    (field,) = bare_fields(slide, 1)
    blind = bare_fields(slide, 2, blind=True)
    count(field, people.rita, RBC=20)
    assert "Red cells 20" in (before := words_of(bob, f"/studies/{study.pk}/"))
    assert "blind" not in before
    # Beside the sum of before, the new one would tell what Rita counted.
    count(blind[0], people.rita, RBC=9)
    count(blind[1], people.rita, RBC=11)
    after = words_of(bob, f"/studies/{study.pk}/")
    assert "Red cells 20" in after
    assert "Without 2 blind fields that you have not counted." in after
    count(blind[0], people.bob, RBC=8)
    count(blind[1], people.bob, RBC=11)
    assert "Red cells 39" in (own := words_of(bob, f"/studies/{study.pk}/"))
    assert "blind" not in own
