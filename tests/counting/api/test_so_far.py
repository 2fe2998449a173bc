"""What a slide holds so far, as the counting screen shows it beside each key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import CellType, Field, Slide, Study
from counting.services import flags, studies
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db


@pytest.fixture
def fields(slide: Slide, people: People) -> list[Field]:
    return add_fields(slide, people.bob, range(4))


def so_far(client: Client, slide: Slide, **query: int) -> dict[str, Any]:
    answer = client.get(f"/api/v1/slides/{slide.pk}/so-far/", query)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_counted_fields_add_up_without_the_one_on_the_screen_and_without_flagged_ones(
    bob: Client, people: People, slide: Slide, fields: list[Field]
) -> None:
    assert so_far(bob, slide)["cells"] == {"RBC": 0, "WBC": 0, "PLT": 0}
    count(fields[0], people.bob, RBC=20, WBC=1, PLT=3)
    count(fields[0], people.bob, RBC=21, WBC=1, PLT=3)
    count(fields[1], people.rita, RBC=10, WBC=0)
    count(fields[2], people.bob, RBC=900, WBC=9, PLT=9)
    flags.flag(field=fields[2], actor=people.bob, reason="focus")
    assert so_far(bob, slide) == {
        "cells": {"RBC": 31, "WBC": 1, "PLT": 3},
        "fields": {"RBC": 2, "WBC": 2, "PLT": 1},
        "shares_of": ["RBC", "WBC", "PLT"],
        # No platelets were counted in the second field: they are no share of its cells.
        "together": {"RBC": 21, "WBC": 1, "PLT": 3},
    }
    assert so_far(bob, slide, without=fields[0].pk)["cells"] == {"RBC": 10, "WBC": 0, "PLT": 0}


def test_another_reader_s_count_does_not_show_before_it_is_settled(
    bob: Client,
    people: People,
    slide: Slide,
    fields: list[Field],
    client_of: Callable[[User], Client],
) -> None:
    studies.update_study(study=slide.study, actor=people.alice, readers_per_field=2)
    count(fields[0], people.rita, RBC=40)
    assert so_far(bob, slide)["cells"]["RBC"] == 0
    assert so_far(client_of(people.rita), slide)["cells"]["RBC"] == 40
    count(fields[0], people.bob, RBC=40)
    assert so_far(bob, slide)["cells"]["RBC"] == 40


def test_a_differential_is_of_the_kinds_of_white_cells(
    bob: Client, slide: Slide, study: Study
) -> None:
    CellType.objects.create(
        study=study, code="LYM", name="Lymphocytes", color="#009e73", key="l", position=3
    )
    assert so_far(bob, slide)["shares_of"] == ["WBC", "LYM"]
