"""Pictures that come in: the bad ones are refused with a sentence, the odd ones are understood."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from numpy.typing import NDArray
from PIL import Image

from counting.models import Field, Slide
from tests.counting.conftest import upload
from tests.counting.pictures import (
    REFUSED,
    deep,
    deep_png,
    deep_tiff,
    encoded,
    smear,
    smear_file,
)

pytestmark = pytest.mark.django_db


def send(client: Client, slide: Slide, data: bytes, name: str = "field.png") -> tuple[int, dict]:
    answer = client.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(data, name)})
    return answer.status_code, answer.json()


def stored(field_id: int) -> Image.Image:
    return Image.open(io.BytesIO(Field.objects.get(pk=field_id).image.read()))


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_refused_and_the_next_one_is_taken(
    bob: Client, slide: Slide, case: str
) -> None:
    name, content, words = REFUSED[case]
    status, body = send(bob, slide, content(), name)
    assert (status, words in body["detail"]) == (400, True), body
    assert not Field.objects.exists()

    status, body = send(bob, slide, smear_file(1), name)
    assert status == 201, body


def test_a_file_over_the_limit_is_refused(bob: Client, slide: Slide, settings) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    status, body = send(bob, slide, b"\xff\xd8" + b"\0" * (1024 * 1024))
    assert (status, body["detail"]) == (
        400,
        "This file is larger than 1 MB. Save it as JPEG, or cut it into fields.",
    )
    assert send(bob, slide, smear_file(1))[0] == 201


def test_a_request_without_a_file_says_so(bob: Client, slide: Slide) -> None:
    answer = bob.post("/api/v1/fields/", {"slide": slide.pk})
    assert answer.status_code == 400
    assert "image" in answer.json()["errors"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_each_kind_of_picture_is_taken(bob: Client, slide: Slide, kind: str) -> None:
    status, body = send(bob, slide, smear_file(1, kind), "wrong.name")
    assert (status, body["width"], body["height"]) == (201, 320, 240)


def test_nothing_but_pixels_is_stored(bob: Client, slide: Slide) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Doe, Jane"
    exif[0x0110] = "SERIAL 12345"
    data = encoded(smear(1).image, "JPEG", exif=exif, comment=b"patient 4711")
    assert b"Jane" in data
    status, body = send(bob, slide, data, "field.jpg")
    assert status == 201
    field = Field.objects.get(pk=body["id"])
    for file in (field.image, field.thumbnail):
        content = file.read()
        assert b"Jane" not in content
        assert b"4711" not in content
        assert b"SERIAL" not in content
    assert "field.jpg" not in field.image.name
    with Image.open(field.thumbnail.path) as small:
        assert small.size == (320, 240)


def test_exif_rotation_is_applied(bob: Client, slide: Slide) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    status, body = send(bob, slide, encoded(smear(1).image, "JPEG", exif=exif), "phone.jpg")
    assert (status, body["width"], body["height"]) == (201, 240, 320)


def test_cmyk_becomes_rgb(bob: Client, slide: Slide) -> None:
    plain = smear(1).image
    status, body = send(bob, slide, encoded(plain.convert("CMYK"), "JPEG"), "print.jpg")
    assert status == 201
    kept = stored(body["id"])
    assert kept.mode == "RGB"
    for got, wanted in zip(kept.getpixel((5, 5)), plain.getpixel((5, 5)), strict=True):
        assert abs(got - wanted) < 24


@pytest.mark.parametrize("bits", [12, 16])
def test_deep_gray_keeps_its_contrast(bob: Client, slide: Slide, bits: int) -> None:
    gray = smear(1).image.convert("L")
    deep = gray.convert("I").point(lambda value: value * ((2**bits - 1) / 255) + 0.0)
    status, body = send(bob, slide, encoded(deep.convert("I;16"), "TIFF"), "camera.tif")
    assert status == 201
    low, high = stored(body["id"]).convert("L").getextrema()
    wanted_low, wanted_high = gray.getextrema()
    assert abs(low - wanted_low) <= 12
    assert abs(high - wanted_high) <= 12


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (deep_png, "camera.png"),
        (deep_tiff, "camera.tif"),
        (functools.partial(deep_tiff, end=">"), "camera.tif"),
    ],
)
def test_deep_color_keeps_its_light(
    bob: Client, slide: Slide, bits: int, kind: Callable[[NDArray[np.int64]], bytes], name: str
) -> None:
    image = smear(1).image
    # A camera's white: what is brightest tells how many bits it has.
    image.paste((255, 255, 255), (0, 0, 4, 4))
    status, body = send(bob, slide, kind(deep(image, bits)), name)
    assert status == 201
    off = np.abs(np.asarray(stored(body["id"]), int) - np.asarray(image, int))
    assert off.max() <= 1


def test_transparency_lies_on_white(bob: Client, slide: Slide) -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    status, body = send(bob, slide, encoded(clear))
    assert status == 201
    assert stored(body["id"]).getpixel((1, 1)) == (255, 255, 255)


def test_a_name_like_a_record_number_is_warned_about(bob: Client, slide: Slide) -> None:
    status, body = send(bob, slide, smear_file(1), "Doe_19840312.png")
    assert status == 201
    assert "record number" in body["warning"]
    status, body = send(bob, slide, smear_file(2), "field-12.png")
    assert (status, body["warning"]) == (201, "")


def test_a_file_name_is_only_a_label(bob: Client, slide: Slide) -> None:
    status, body = send(bob, slide, smear_file(1), "..\\..\\etc\\passwd\x00\n.png")
    assert status == 201
    field = Field.objects.get(pk=body["id"])
    assert "/" not in field.name
    assert "\\" not in field.name
    assert field.name.isprintable()
