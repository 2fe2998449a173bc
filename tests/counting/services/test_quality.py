"""What is wrong with a picture, from the model's word to the reader's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from benchmarks.spoiled import blurred
from counting.models import Fault, Slide
from counting.services import intake
from ml.quality import FAULTS
from ml.synthetic import render
from tests.counting.conftest import People
from tests.counting.pictures import encoded

pytestmark = pytest.mark.django_db


def test_the_program_has_the_model_s_words() -> None:
    with translation.override("en"):
        assert {fault.value: fault.words for fault in Fault} == FAULTS


def test_a_blurred_picture_is_told_so_with_what_to_do(
    bob: Client, slide: Slide, people: People, predict_all: Callable[[], int]
) -> None:
    sharp = render(1).image
    for name, image in (("sharp", sharp), ("soft", blurred(0.2)(sharp, 90.0))):
        intake.add_field(slide=slide, data=encoded(image), name=f"{name}.png", actor=people.bob)
    assert predict_all() == 2
    rows = bob.get(f"/api/v1/fields/?slide={slide.pk}").json()["results"]
    told = {row["name"]: row["prediction"]["faults"] for row in rows}
    assert told["sharp.png"] == []
    assert told["soft.png"] == [
        {"code": "blurred", "name": "out of focus", "words": FAULTS["blurred"]}
    ]
