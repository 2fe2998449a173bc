"""The count map behind a prediction: what it shows, and who gets it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image

from counting.models import CountMap, Field, Prediction
from tests.counting.conftest import People, count

pytestmark = pytest.mark.django_db


@pytest.fixture
def predicted(field: Field, predict_all: Callable[[], int]) -> Field:
    assert predict_all() == 1
    return field


def test_the_map_is_strong_where_cells_are_and_fits_the_picture(
    bob: Client, predicted: Field
) -> None:
    answer = bob.get(f"/fields/{predicted.pk}/count-map/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert "no-cache" in answer["Cache-Control"]
    step = float(answer["X-Map-Step"])
    prediction = Prediction.objects.get()
    codes = sorted(prediction.counts)
    gray = np.asarray(Image.open(io.BytesIO(answer.content)))
    maps = dict(zip(codes, np.split(gray, len(codes)), strict=True))
    height, width = maps["RBC"].shape
    assert width * step == pytest.approx(predicted.width, abs=2 * step)
    assert height * step == pytest.approx(predicted.height, abs=2 * step)
    marks = [mark for mark in prediction.marks if mark["cell_type"] == "RBC"]
    assert marks
    at_marks = [maps["RBC"][int(m["y"] // step), int(m["x"] // step)] for m in marks]
    assert min(at_marks) > maps["RBC"].mean()


def test_a_blind_field_gives_its_map_only_after_the_reading(
    bob: Client, people: People, predicted: Field
) -> None:
    Field.objects.filter(pk=predicted.pk).update(blind=True)
    address = f"/fields/{predicted.pk}/count-map/"
    assert bob.get(address).status_code == 404
    count(predicted, people.bob, RBC=8)
    assert bob.get(address).status_code == 200


def test_strangers_and_old_predictions_get_none(
    bob: Client,
    people: People,
    predicted: Field,
    client_of: Callable[[User | None], Client],
) -> None:
    address = f"/fields/{predicted.pk}/count-map/"
    assert client_of(people.charlie).get(address).status_code == 404
    assert client_of(None).get(address).status_code == 302
    CountMap.objects.all().delete()
    assert bob.get(address).status_code == 404
