"""Take in pictures: check, hash, strip, store, and ask for their prediction."""

from __future__ import annotations

import io
import re
import secrets
import threading
from contextlib import nullcontext
from pathlib import PurePath
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import Field, Slide
from counting.retold import retold
from ml import pictures

from . import audit, predictions, tiles
from .slides import is_blind

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from PIL import Image

THUMBNAIL = (320, 240)
# Lossy sources stay JPEG: without loss they would be ten times as large for the same cells.
LOSSY = ("JPEG", "MPO")
JPEG_QUALITY = 95
# Six digits in a row or a date look like a record number; pictures are to carry none.
# Decoding takes four bytes of memory a pixel: pictures of more pixels than this go one by one.
LARGE_PIXELS = 8_000_000
_one_large = threading.Lock()
RECORD_NUMBER = re.compile(r"\d{6,}|\d{1,4}[-.]\d{1,2}[-.]\d{1,4}")


def add_field(*, slide: Slide, data: bytes | BinaryIO, name: str, actor: User) -> Field:
    """Store one picture as a field of `slide`, and ask for its prediction and, if large, its tiles.

    The stored file is a fresh copy of the pixels under a random name, without metadata.

    Raises:
        Conflict: the study holds the same picture; `existing` is that field's id.
        Refused: it is not a picture that can be counted; the sentence says what to do.
    """
    with _one_large if pictures.pixels(data) > LARGE_PIXELS else nullcontext():
        field = _stored(slide, data, name, actor)
    try:
        with transaction.atomic():
            field.save()
            audit.record(
                actor=actor,
                action="field.upload",
                target=field,
                study_id=slide.study_id,
                new={"slide": slide.code, "sha256": field.sha256},
            )
            predictions.request(fields=[field])
            tiles.request(field=field)
    except IntegrityError:
        # The same picture came in twice at once; the database let one in.
        delete_files(field)
        _refuse_duplicate(slide, field.sha256)
        raise
    except BaseException:
        delete_files(field)
        raise
    return field


def _stored(slide: Slide, data: bytes | BinaryIO, name: str, actor: User) -> Field:
    """Return a field that is not saved yet, its files stored; the decoded picture is let go."""
    try:
        picture = pictures.read(
            data, max_bytes=settings.MAX_UPLOAD_BYTES, max_pixels=settings.MAX_PIXELS
        )
    except pictures.BadPicture as error:
        raise Refused(retold(str(error)), error.code) from None
    digest = picture.digest
    _refuse_duplicate(slide, digest)
    field = Field(
        slide=slide,
        study=slide.study,
        name=clean_name(name),
        sha256=digest,
        width=picture.image.width,
        height=picture.image.height,
        blind=is_blind(slide.study.salt, digest, slide.study.blind_share),
        uploaded_by=actor,
    )
    stem = secrets.token_hex(16)
    try:
        with TemporaryFile() as file:
            suffix = _encode(picture, file)
            field.image.save(f"{stem}{suffix}", File(file), save=False)
        field.thumbnail.save(f"{stem}.webp", ContentFile(_thumbnail(picture.image)), save=False)
    except BaseException:
        delete_files(field)
        raise
    return field


def name_warning(name: str) -> str:
    """Return a sentence when a file's name looks like a record number, else an empty string."""
    if RECORD_NUMBER.search(PurePath(name).stem):
        return _(
            "This file name looks as if it held a record number or a date. "
            "Use names that say nothing about a patient."
        )
    return ""


def clean_name(name: str) -> str:
    """Return the last part of a file name without control characters, at most 120 long."""
    last = re.split(r"[\\/]", name)[-1]
    printable = "".join(char for char in last if char.isprintable()).strip()
    return printable[-120:] or "field"


def _encode(picture: pictures.Picture, file: BinaryIO) -> str:
    """Write the copy to store and return its suffix."""
    if picture.source_format in LOSSY:
        picture.image.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return ".jpg"
    # zlib's default level takes four times as long for a seventh less, while the person waits.
    large = picture.image.width * picture.image.height > LARGE_PIXELS
    picture.image.save(file, "PNG", compress_level=1 if large else 6)
    return ".png"


def _thumbnail(image: Image.Image) -> bytes:
    # Twice the size that is asked for is enough to scale down from, and no second whole picture.
    wide, high = THUMBNAIL
    small = image.reduce(max(1, min(image.width // (2 * wide), image.height // (2 * high))))
    small.thumbnail(THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _refuse_duplicate(slide: Slide, digest: str) -> None:
    same = Field.objects.filter(study=slide.study, sha256=digest).select_related("slide").first()
    if same is not None:
        raise Conflict(
            _("This picture is in the study already: %(name)s on slide %(slide)s.")
            % {"name": same.name, "slide": same.slide.code},
            "duplicate",
            same.pk,
        )


def delete_files(field: Field) -> None:
    """Delete the pictures of a field that is gone, or never came to be."""
    try:
        if field.image:
            tiles.remove(field)
            field.image.delete(save=False)
    finally:
        if field.thumbnail:
            field.thumbnail.delete(save=False)
