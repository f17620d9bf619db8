"""The named colours of the sample shop, of its people and of its studios."""

from collections.abc import Sequence

RGB = tuple[int, int, int]

# Far enough apart in CIELAB that shading never turns one into its neighbour.
COLOURS: dict[str, RGB] = {
    "black": (36, 36, 40),
    "white": (243, 243, 241),
    "grey": (138, 140, 144),
    "navy": (32, 44, 88),
    "blue": (42, 94, 186),
    "light blue": (152, 194, 232),
    "teal": (20, 128, 132),
    "green": (40, 138, 74),
    "olive": (108, 110, 54),
    "yellow": (244, 206, 62),
    "orange": (236, 128, 40),
    "red": (204, 36, 44),
    "burgundy": (112, 24, 48),
    "pink": (242, 158, 186),
    "purple": (108, 58, 150),
    "lilac": (196, 172, 224),
    "brown": (112, 72, 44),
    "beige": (216, 194, 160),
}

SKINS: tuple[RGB, ...] = (
    (248, 220, 198),
    (236, 196, 166),
    (218, 168, 132),
    (190, 136, 100),
    (150, 100, 70),
    (104, 68, 48),
    (76, 50, 38),
)
HAIRS: tuple[RGB, ...] = (
    (30, 26, 26),
    (58, 40, 30),
    (98, 66, 40),
    (150, 104, 56),
    (206, 168, 104),
    (150, 70, 38),
    (150, 148, 146),
)
STUDIOS: tuple[RGB, ...] = (
    (250, 250, 250),
    (240, 240, 242),
    (232, 234, 238),
    (244, 239, 232),
    (226, 232, 236),
    (238, 230, 228),
    (230, 236, 230),
)
SHOES: tuple[RGB, ...] = (
    (40, 38, 38),
    (240, 240, 238),
    (120, 80, 52),
    (70, 76, 90),
    (200, 180, 150),
)
# What others wear in an item's picture: quiet, so that the item is what one sees.
QUIET: tuple[str, ...] = ("white", "grey", "black", "navy", "beige", "blue", "light blue", "olive")


def luma(colour: Sequence[float]) -> float:
    """Return a colour's brightness, 0..1 (ITU-R BT.601)."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255


def blend(one: Sequence[float], other: Sequence[float], share: float) -> RGB:
    """Mix two colours; `share` is the other's."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return round(red), round(green), round(blue)
