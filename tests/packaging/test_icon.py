"""Icons: what a launcher never cuts off holds what is seen, whatever the picture is stored as."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from edgekit.errors import InputError
from edgekit.packaging.icon import CANVAS, SAFE, VISIBLE, draw_foreground

RED, BLUE = (200, 30, 40, 255), (20, 60, 220, 255)


def drawn(path: Path) -> np.ndarray:
    """The foreground as (432, 432, 4)."""
    image = Image.open(io.BytesIO(draw_foreground(path).png))
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (CANVAS, CANVAS))
    return np.asarray(image)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, "PNG", **options)
    return path


def logo(size: int = 512) -> Image.Image:
    """A disc left of the middle on nothing."""
    image = Image.new("RGBA", (size, size))
    ImageDraw.Draw(image).ellipse((size // 10, size // 4, size // 2, size // 4 + size * 2 // 5), fill=RED)
    return image


def distances(pixels: np.ndarray) -> np.ndarray:
    """How far from the middle each visible pixel is."""
    rows, columns = np.nonzero(pixels[..., 3] > 8)
    return np.hypot(rows + 0.5 - CANVAS / 2, columns + 0.5 - CANVAS / 2)


def test_a_logo_is_centred_and_fills_the_circle_that_is_never_cut(tmp_path: Path) -> None:
    pixels = drawn(saved(tmp_path / "logo.png", logo()))
    assert SAFE / 2 - 4 < distances(pixels).max() <= SAFE / 2 + 3
    assert tuple(pixels[CANVAS // 2, CANVAS // 2]) == RED
    assert pixels[0, 0, 3] == 0


def test_a_square_logo_keeps_its_corners(tmp_path: Path) -> None:
    image = Image.new("RGBA", (300, 300))
    ImageDraw.Draw(image).rectangle((20, 20, 280, 280), fill=BLUE)
    assert distances(drawn(saved(tmp_path / "square.png", image))).max() <= SAFE / 2 + 3


def test_a_full_bleed_picture_fills_all_that_launchers_show_and_goes_on_at_its_border(tmp_path: Path) -> None:
    image = Image.new("RGBA", (512, 512), RED)
    ImageDraw.Draw(image).rectangle((256, 0, 511, 511), fill=BLUE)
    pixels, border = drawn(saved(tmp_path / "full.png", image)), (CANVAS - VISIBLE) // 2
    assert (pixels[..., 3] == 255).all()
    assert tuple(pixels[200, 0]) == tuple(pixels[200, border + 5]) == tuple(pixels[0, 0]) == RED
    assert tuple(pixels[200, -1]) == tuple(pixels[0, -1]) == BLUE


def test_only_a_logo_has_a_shape(tmp_path: Path) -> None:
    assert draw_foreground(saved(tmp_path / "logo.png", logo())).has_shape
    assert not draw_foreground(saved(tmp_path / "full.png", Image.new("RGB", (192, 192), "green"))).has_shape


@pytest.mark.parametrize("mode", ["RGB", "P", "L", "1", "LA", "I;16"])
def test_every_way_to_store_a_picture_is_read(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((200, 200), 200 * 256 + 7, dtype=np.uint16))
    else:
        image = Image.new("RGBA", (200, 200), (200, 200, 200, 255)).convert(mode)
    expected = 255 if mode == "1" else 200
    assert abs(int(drawn(saved(tmp_path / "x.png", image))[216, 216, 0]) - expected) <= 3


def test_a_palette_with_a_transparent_colour_is_a_logo(tmp_path: Path) -> None:
    image = Image.new("P", (200, 200), 0)
    image.putpalette([0, 0, 0, 200, 30, 40])
    ImageDraw.Draw(image).ellipse((50, 50, 150, 150), fill=1)
    path = saved(tmp_path / "palette.png", image, transparency=0)
    assert draw_foreground(path).has_shape
    assert tuple(drawn(path)[216, 216])[:3] == (200, 30, 40)


def test_the_orientation_in_exif_is_obeyed(tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 200), "red")
    ImageDraw.Draw(image).rectangle((0, 0, 199, 99), fill="blue")
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = drawn(saved(tmp_path / "x.png", image, exif=exif))
    assert tuple(pixels[100, 216])[:3] == (255, 0, 0)
    assert tuple(pixels[330, 216])[:3] == (0, 0, 255)


def test_the_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path / "logo.png", logo())
    assert draw_foreground(path) == draw_foreground(path)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (Image.new("RGB", (191, 191)), "191 pixels are fewer than 192"),
        (Image.new("RGB", (200, 300)), "200 x 300 pixels are not square"),
        (Image.new("1", (8193, 8193)), "8193 x 8193 pixels are more than 8192"),
        (Image.new("RGBA", (200, 200)), "every pixel is transparent"),
    ],
)
def test_what_makes_no_icon_is_refused(image: Image.Image, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        draw_foreground(saved(tmp_path / "x.png", image))


def test_what_is_no_png_is_refused(tmp_path: Path) -> None:
    jpeg = tmp_path / "x.png"
    Image.new("RGB", (200, 200)).save(jpeg, "JPEG")
    with pytest.raises(InputError, match="no PNG"):
        draw_foreground(jpeg)
    with pytest.raises(InputError, match="No such file"):
        draw_foreground(tmp_path / "none.png")


@pytest.mark.parametrize("keep", [0, 10, 60, 500, 2000])
def test_a_truncated_picture_is_refused(keep: int, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.effect_noise((200, 200), 90))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="this icon cannot be used") as refusal:
        draw_foreground(path)
    assert refusal.value.where == str(path)
