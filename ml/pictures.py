"""Open a picture that may be hostile, and hand out plain 8-bit RGB.

The one place where pictures are decoded: the upload, the command line and the trainer all come
through here. Needs Pillow only, so that the web process may use it.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image, ImageChops, ImageFile, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
# More than any picture of that many pixels takes up without loss (three bytes a pixel).
MAX_BYTES = 4 * MAX_PIXELS
MIN_SIDE = 16
# What is done piece by piece is done in strips of at most about this many pixels: a copy of a
# whole picture of MAX_PIXELS would take 400 MB (Pillow keeps four bytes a pixel).
STRIP_PIXELS = 4_000_000
# JPEG can be decoded at these parts of its size (Pillow's draft mode, libjpeg's scaled DCT).
SHRINKS = (8, 4, 2)
# EXIF's orientations that lie on their side (Exif 2.32, tag 0x0112).
ON_ITS_SIDE = (5, 6, 7, 8)
# Pillow's own limit, a warning at 89 million pixels, is for programs that have none.
Image.MAX_IMAGE_PIXELS = None
# A picture whose largest value fits in fewer bits than its container comes from a camera with
# that many bits; scaling it by the container would leave it nearly black.
CAMERA_BITS = (8, 10, 12, 14, 16)
# How Pillow calls color of 16 bits, little and big end first, and each one's other half.
DEEP_COLOR = {"RGB;16L": "RGB;16B", "RGB;16B": "RGB;16L"}
DEEP_COLOR["RGB;16N"] = DEEP_COLOR["RGB;16L" if sys.byteorder == "little" else "RGB;16B"]


class BadPicture(ValueError):
    """The picture cannot be used; the message is a sentence for the person who brought it.

    file: which one it is, where a path was read.
    """

    file: Path | None = None

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Picture:
    """A decoded picture: 8-bit RGB, upright, without metadata.

    size: width and height in the file, upright; `image` is smaller where the reader asked for less.
    """

    image: Image.Image
    source_format: str
    size: tuple[int, int]

    @property
    def digest(self) -> str:
        """SHA-256 of size and pixels: the same picture in another container is the same."""
        width, height = self.image.size
        digest = sha256(f"RGB {width}x{height}\n".encode())
        for box in strips(self.image.size):
            digest.update(self.image.crop(box).tobytes())
        return digest.hexdigest()


def strips(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the boxes (left, top, right, bottom) of a picture's strips, from the top."""
    width, height = size
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        yield 0, top, width, min(top + rows, height)


def read(
    source: bytes | Path | BinaryIO,
    *,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    enough: int | None = None,
) -> Picture:
    """Decode `source` (bytes, a path, or an open file that can seek) into 8-bit RGB.

    16-bit gray and color are scaled by the camera's bit depth, transparency is laid on white,
    EXIF orientation is applied, and no metadata stays behind. Decoding takes four bytes of memory
    a pixel, and as much again for a picture that lies on its side, is not RGB, or is color of 10
    to 14 bits.

    enough: the pixels that the reader can use. A larger picture is halved as often as that many
    remain, a JPEG already while it is decoded, which takes a fourth of the memory each time.

    Raises:
        BadPicture: empty, too large, of no known format, animated, truncated or broken.
        OSError: `source` is a path that cannot be read.
    """
    if isinstance(source, bytes):
        opened: nullcontext[BinaryIO] | BinaryIO = nullcontext(io.BytesIO(source))
    elif isinstance(source, Path):
        opened = source.open("rb")
    else:
        opened = nullcontext(source)
    with opened as file, unwarned():
        try:
            return _read(file, max_bytes, max_pixels, enough)
        except BadPicture as error:
            error.file = source if isinstance(source, Path) else None
            raise


@contextmanager
def unwarned() -> Iterator[None]:
    """Let Pillow not warn: broken files make it warn as well as raise, and the sentence says all.

    Warnings are one list for all threads: whoever reads in several does so inside of this, or one
    thread may leave another's list behind.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        yield


def _read(file: BinaryIO, max_bytes: int, max_pixels: int, enough: int | None) -> Picture:
    size = file.seek(0, io.SEEK_END)
    if not size:
        raise BadPicture("This file is empty. Export the picture again and retry.", "empty")
    if size > max_bytes:
        raise _too_many_bytes(max_bytes)
    try:
        return _decode(file, max_pixels, enough)
    except BadPicture:
        raise
    except MemoryError:
        raise _too_many_pixels(max_pixels) from None
    except Exception:  # Pillow's decoders raise nearly everything on broken input.
        raise BadPicture(
            "This picture is damaged or cut short and cannot be read to its end. "
            "Copy or export it again and retry.",
            "broken",
        ) from None


def pixels(source: bytes | BinaryIO) -> int:
    """Return how many pixels a file claims to hold, 0 where it is no picture; decodes nothing."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file.seek(0)
            width, height = Image.open(file, formats=FORMATS).size
    except Exception:  # As in `read`, which has the sentence for it.
        return 0
    return width * height


def _decode(file: BinaryIO, max_pixels: int, enough: int | None) -> Picture:
    file.seek(0)
    try:
        probe = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise BadPicture(
            "This is not a picture that can be read here, whatever its name says. "
            "Use JPEG, PNG, TIFF, BMP or WebP.",
            "format",
        ) from None
    width, height = probe.size
    if width * height > max_pixels:
        raise _too_many_pixels(max_pixels)
    if min(width, height) < MIN_SIDE:
        raise BadPicture(
            f"This picture is only {width} x {height} pixels; a field needs at least "
            f"{MIN_SIDE} on each side.",
            "small",
        )
    # A phone's JPEG often carries a depth or gain map behind the picture (MPO): not a stack.
    if getattr(probe, "n_frames", 1) > 1 and probe.format != "MPO":
        raise BadPicture(
            "This file holds several pictures (an animation or a stack). "
            "Save the one to count as a file of its own.",
            "frames",
        )
    source_format = str(probe.format)
    probe.verify()
    file.seek(0)
    image: Image.Image = Image.open(file, formats=FORMATS)
    shrink = _shrink(image.size, enough)
    if shrink > 1:
        image.draft(None, (width // shrink, height // shrink))  # does nothing where it is no JPEG
    drafted = image.size != (width, height)
    lower = _lower_halves(image)
    image.load()
    if lower:
        _deep_color(image, file, lower)
    on_its_side = image.getexif().get(ExifTags.Base.Orientation) in ON_ITS_SIDE
    ImageOps.exif_transpose(image, in_place=True)
    image = to_rgb(image)
    if shrink > 1 and not drafted:
        image = image.reduce(shrink)
    # Whatever an encoder would write along (EXIF, comments, profiles) is kept here, and only here.
    image.info.clear()
    return Picture(image, source_format, (height, width) if on_its_side else (width, height))


def _shrink(size: tuple[int, int], enough: int | None) -> int:
    if enough is None:
        return 1
    pixels = size[0] * size[1]
    return next((step for step in SHRINKS if pixels >= enough * step * step), 1)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture of any mode as 8-bit RGB: deep gray scaled, clear parts white.

    Raises:
        BadPicture: gray values outside 16 bits.
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        to_plain = _deep_gray(image)
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        to_plain = _on_white
    else:
        to_plain = _convert
    plain = Image.new("RGB", image.size)
    for box in strips(image.size):
        plain.paste(to_plain(image.crop(box)), box)
    return plain


def _convert(strip: Image.Image) -> Image.Image:
    return strip.convert("RGB")


def _on_white(strip: Image.Image) -> Image.Image:
    layer = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _lower_halves(image: Image.Image) -> list[ImageFile._Tile]:
    """Return the tiles that decode the lower eight bits of each value of a picture of 16-bit color
    that is not loaded yet; none for others.

    Pillow keeps the upper eight bits; told that the other end comes first, it keeps the lower ones.
    """
    out = []
    for tile in getattr(image, "tile", []):
        args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        if not args or args[0] not in DEEP_COLOR:
            return []
        out.append(tile._replace(args=(DEEP_COLOR[args[0]], *args[1:])))
    return out


def _deep_color(image: Image.Image, file: BinaryIO, lower: list[ImageFile._Tile]) -> None:
    """Scale color of 10 to 14 bits, loaded as the upper eight of 16, by the camera's bit depth."""
    high = max(int(high) for _, high in image.getextrema())  # type: ignore[misc]
    bits = next(bits for bits in CAMERA_BITS if high < 2 ** (bits - 8))
    if bits == CAMERA_BITS[-1]:
        return
    file.seek(0)
    low = Image.open(file, formats=FORMATS)
    low.tile = lower
    low.load()
    scale = 255.0 / (2**bits - 1)
    above = [min(255, round(256 * value * scale)) for value in range(256)]
    below = [round(value * scale) for value in range(256)]
    for box in strips(image.size):
        parts = image.crop(box).point(3 * above), low.crop(box).point(3 * below)
        image.paste(ImageChops.add(*parts), box)


def _deep_gray(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what scales gray of more than 8 bits to 8 bits, by the camera's bit depth."""
    extrema = [_wide(image.crop(box)).getextrema() for box in strips(image.size)]
    low = min(float(each[0]) for each in extrema)  # type: ignore[arg-type]
    high = max(float(each[1]) for each in extrema)  # type: ignore[arg-type]
    if image.mode == "F" and low >= 0.0 and high <= 1.0:
        full = 1.0
    elif low < 0 or high >= 2 ** CAMERA_BITS[-1]:
        raise BadPicture(
            "The gray values of this picture are outside 0 to 65535. Save it with 8 or 16 bits.",
            "depth",
        )
    else:
        full = float(next(2**bits - 1 for bits in CAMERA_BITS if high < 2**bits))
    scale = 255.0 / full
    return lambda strip: (
        _wide(strip).point(lambda value: value * scale + 0.0).convert("L").convert("RGB")
    )


def _wide(image: Image.Image) -> Image.Image:
    return image if image.mode in ("I", "F") else image.convert("I")


def _too_many_bytes(max_bytes: int) -> BadPicture:
    return BadPicture(
        f"This file is larger than {max_bytes // (1024 * 1024)} MB. "
        "Save it as JPEG, or cut it into fields.",
        "bytes",
    )


def _too_many_pixels(max_pixels: int) -> BadPicture:
    return BadPicture(
        f"This picture has more than {max_pixels // 1_000_000} million pixels. "
        "Cut it into fields or save it smaller.",
        "pixels",
    )
