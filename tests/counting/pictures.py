"""Pictures for tests: small synthetic smears, and files that should be refused."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.synthetic import SyntheticField, render


def smear(seed: int, *, red_cells: int = 8, width: int = 320, height: int = 240) -> SyntheticField:
    """Render a small field, fast."""
    return render(
        seed, width=width, height=height, red_cells=red_cells, white_cells=0, cell_px=50.0
    )


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@functools.cache
def smear_file(seed: int, kind: str = "PNG") -> bytes:
    """Return a small field as a file. Most tests upload the same few, so each is made once."""
    return encoded(smear(seed).image, kind)


def png(width: int, height: int, bits: int, kind: int, body: bytes) -> bytes:
    """Return a PNG of these lines, each behind its filter's byte."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(body)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


def png_bomb() -> bytes:
    """Return a PNG of a few kilobytes that claims 40000 x 40000 pixels."""
    return png(40_000, 40_000, 8, 0, b"\0" * 40_001 * 20)


def deep(image: Image.Image, bits: int) -> NDArray[np.int64]:
    """Return the values [h, w, 3] that a camera of so many bits gives of what is in a picture."""
    values: NDArray[np.int64] = np.asarray(image.convert("RGB"), np.int64) * (2**bits - 1) // 255
    return values


def deep_png(values: NDArray[np.int64]) -> bytes:
    """Return a PNG of 16-bit color."""
    height, width, _ = values.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    return png(width, height, 16, 2, lines)


def deep_tiff(values: NDArray[np.int64], end: str = "<") -> bytes:
    """Return a plain TIFF of 16-bit color, little (<) or big (>) end first."""
    height, width, _ = values.shape
    data = values.astype(f"{end}u2").tobytes()
    depths = 8 + len(data)
    short, long = 3, 4
    tags = [
        (256, short, 1, width),
        (257, short, 1, height),
        (258, short, 3, depths),  # bits a value: where they are written
        (259, short, 1, 1),  # not compressed
        (262, short, 1, 2),  # RGB
        (273, long, 1, 8),  # where the pixels are
        (277, short, 1, 3),
        (278, short, 1, height),
        (279, long, 1, len(data)),
    ]
    head = b"II" if end == "<" else b"MM"
    out = head + struct.pack(f"{end}HI", 42, depths + 6) + data + struct.pack(f"{end}3H", *[16] * 3)
    out += struct.pack(f"{end}H", len(tags))
    for tag, kind, number, value in tags:
        alone = kind == short and number == 1
        told = struct.pack(f"{end}HH", value, 0) if alone else struct.pack(f"{end}I", value)
        out += struct.pack(f"{end}HHI", tag, kind, number) + told
    return out + struct.pack(f"{end}I", 0)


def animation() -> bytes:
    """Return an animated WebP of three frames."""
    frames = [Image.new("RGB", (64, 64), color) for color in ("red", "green", "blue")]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def stack_of_pages() -> bytes:
    """Return a TIFF of two pages."""
    pages = [Image.new("RGB", (64, 64), color) for color in ("red", "green")]
    return encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def truncated() -> bytes:
    """Return a JPEG that ends in the middle."""
    whole = smear_file(1, "JPEG")
    return whole[: len(whole) // 2]


def wrong_checksum() -> bytes:
    """Return a PNG with a flipped bit in its pixels."""
    whole = bytearray(smear_file(1))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n"

# Name of the file, its content, and words of the sentence that refuses it.
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty": ("field.jpg", lambda: b"", "empty"),
    "truncated": ("field.jpg", truncated, "damaged or cut short"),
    "wrong checksum": ("field.png", wrong_checksum, "damaged or cut short"),
    "bomb": ("field.png", png_bomb, "million pixels"),
    "svg named jpg": ("field.jpg", lambda: SVG, "JPEG, PNG, TIFF, BMP or WebP"),
    "html named jpg": ("field.jpg", lambda: HTML, "JPEG, PNG, TIFF, BMP or WebP"),
    "eps named jpg": ("field.jpg", lambda: EPS, "JPEG, PNG, TIFF, BMP or WebP"),
    "gif named png": (
        "field.png",
        lambda: encoded(Image.new("P", (64, 64)), "GIF"),
        "JPEG, PNG, TIFF, BMP or WebP",
    ),
    "animated": ("field.webp", animation, "several pictures"),
    "stack": ("field.tiff", stack_of_pages, "several pictures"),
    "tiny": ("field.png", lambda: encoded(Image.new("RGB", (8, 8))), "at least 16"),
}
