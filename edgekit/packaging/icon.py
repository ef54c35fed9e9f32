"""The launcher icon: a picture of the user's as the foreground of the base's adaptive icon.

An adaptive icon is 108 x 108 dp, of which launchers show the middle 72 x 72, cut to a shape of theirs; a circle of
66 dp in the middle is never cut (Android's guide on adaptive icons). At the highest density: 432, 288 and 264 pixels.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgekit.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

CANVAS, VISIBLE, SAFE = 432, 288, 264
SMALLEST, LARGEST = 192, 8192


@dataclass(frozen=True)
class Foreground:
    """A foreground of 432 x 432 pixels. png: the file. has_shape: whether parts of it are transparent."""

    png: bytes
    has_shape: bool


def draw_foreground(path: Path) -> Foreground:
    """Make the foreground of an adaptive icon from a square PNG of at least 192 pixels.

    A picture with transparency is a logo: what is seen of it is centred and scaled to the circle that no launcher cuts.
    One without is full-bleed: it is scaled to what launchers show, and its border goes on outwards, for launchers that
    move icons. Raises InputError when the picture is no PNG, not square, too small, too large, or empty.
    """
    from PIL import Image

    picture = _open(path)
    alpha = np.asarray(picture.getchannel("A"))
    if not alpha.any():
        raise InputError("this icon is empty: every pixel is transparent", where=path)
    if alpha.min() == 255:
        inner = np.asarray(picture.resize((VISIBLE, VISIBLE), Image.Resampling.LANCZOS))
        border = (CANVAS - VISIBLE) // 2
        canvas = Image.fromarray(np.pad(inner, ((border, border), (border, border), (0, 0)), mode="edge"))
        return Foreground(_png(canvas), has_shape=False)
    logo = picture.crop(picture.getchannel("A").getbbox())
    scale = SAFE / 2 / _radius(np.asarray(logo.getchannel("A")))
    size = (max(1, round(logo.width * scale)), max(1, round(logo.height * scale)))
    logo = logo.resize(size, Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (CANVAS, CANVAS))
    canvas.paste(logo, ((CANVAS - size[0]) // 2, (CANVAS - size[1]) // 2))
    return Foreground(_png(canvas), has_shape=True)


def _open(path: Path) -> Image.Image:
    from PIL import Image, ImageOps

    def refuse(why: str) -> InputError:
        return InputError(
            f"this icon cannot be used: {why}",
            where=path,
            remedy="a square PNG, 512 x 512 pixels for example",
        )

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on large pictures: their size is looked at here
            with Image.open(path, formats=("PNG",)) as image:
                if max(image.size) > LARGEST:
                    raise refuse(f"{image.width} x {image.height} pixels are more than {LARGEST}")
                if image.width != image.height:
                    raise refuse(f"{image.width} x {image.height} pixels are not square")
                if image.width < SMALLEST:
                    raise refuse(f"{image.width} pixels are fewer than {SMALLEST}")
                image.load()
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I"):  # 16 bits of grey
                    grey = (np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8)
                    upright = Image.fromarray(grey)
                return upright.convert("RGBA")
    except OSError as error:
        reason = error.strerror or "it is no PNG, or a part of one"
        raise refuse(reason) from error
    except (SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refuse(f"its PNG is damaged ({error})") from error


def _radius(alpha: np.ndarray) -> float:
    """How far from the middle something can be seen, in pixels."""
    rows, columns = np.nonzero(alpha)
    height, width = alpha.shape
    distance = np.hypot(np.abs(rows + 0.5 - height / 2) + 0.5, np.abs(columns + 0.5 - width / 2) + 0.5)
    return float(distance.max())


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=False, compress_level=9)
    return out.getvalue()
