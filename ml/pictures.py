"""Open a picture that may be hostile, and hand out plain 8-bit RGB.

The one place where pictures are decoded: the upload, the command line and the trainer all come
through here. Needs Pillow only, so that the web process may use it.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 50_000_000
MIN_SIDE = 16
# A picture whose largest value fits in fewer bits than its container comes from a camera with
# that many bits; scaling it by the container would leave it nearly black.
CAMERA_BITS = (8, 10, 12, 14, 16)


class BadPicture(ValueError):
    """The picture cannot be used; the message is a sentence for the person who brought it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Picture:
    """A decoded picture: 8-bit RGB, upright, without metadata."""

    image: Image.Image
    source_format: str

    @property
    def digest(self) -> str:
        """SHA-256 of size and pixels: the same picture in another container is the same."""
        width, height = self.image.size
        head = f"RGB {width}x{height}\n".encode()
        return sha256(head + self.image.tobytes()).hexdigest()


def read(
    source: bytes | Path, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode `source` into 8-bit RGB.

    16-bit gray is scaled by the camera's bit depth, transparency is laid on white, EXIF
    orientation is applied, and the pixels are copied so that no metadata stays behind.

    Raises:
        BadPicture: empty, too large, of no known format, animated, truncated or broken.
        OSError: `source` is a path that cannot be read.
    """
    if isinstance(source, Path):
        if source.stat().st_size > max_bytes:
            raise _too_many_bytes(max_bytes)
        source = source.read_bytes()
    if not source:
        raise BadPicture("This file is empty. Export the picture again and retry.", "empty")
    if len(source) > max_bytes:
        raise _too_many_bytes(max_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        # Broken files make Pillow warn as well as raise; the sentence below says all of it.
        warnings.filterwarnings("ignore", category=UserWarning)
        try:
            return _decode(source, max_pixels)
        except BadPicture:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_many_pixels(max_pixels) from None
        except MemoryError:
            raise _too_many_pixels(max_pixels) from None
        except Exception:  # Pillow's decoders raise nearly everything on broken input.
            raise BadPicture(
                "This picture is damaged or cut short and cannot be read to its end. "
                "Copy or export it again and retry.",
                "broken",
            ) from None


def _decode(data: bytes, max_pixels: int) -> Picture:
    try:
        probe = Image.open(io.BytesIO(data), formats=FORMATS)
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
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    image.load()
    upright = ImageOps.exif_transpose(image)
    plain = to_rgb(upright)
    clean = Image.new("RGB", plain.size)
    clean.paste(plain)
    return Picture(clean, source_format)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded picture of any mode as 8-bit RGB: deep gray scaled, clear parts white.

    Raises:
        BadPicture: gray values outside 16 bits.
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_gray(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _deep_gray(image: Image.Image) -> Image.Image:
    """Scale gray of more than 8 bits to 8 bits by the camera's bit depth."""
    wide = image if image.mode in ("I", "F") else image.convert("I")
    extrema = wide.getextrema()
    low, high = float(extrema[0]), float(extrema[1])  # type: ignore[arg-type]
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
    return wide.point(lambda value: value * scale + 0.0).convert("L")


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
