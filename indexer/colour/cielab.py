"""Convert colours between sRGB, linear light, CIELAB and hex."""

import re

import cv2
import numpy as np
from numpy.typing import NDArray

_HEX = re.compile(r"#?[0-9a-fA-F]{6}")


def rgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the CIELAB values (m, 3) of sRGB colours (m, 3) uint8."""
    return _to_lab(rgb.reshape(-1, 3).astype(np.float32) / np.float32(255))


def linear_of_srgb() -> NDArray[np.float64]:
    """Return the linear light (256,) in 0..1 of each value of an sRGB channel (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab_to_linear(lab: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the linear light (m, 3) in 0..1 of CIELAB values (m, 3), clipped to sRGB."""
    if lab.size == 0:
        return np.zeros((0, 3), np.float32)
    pixels = np.ascontiguousarray(lab.reshape(1, -1, 3), np.float32)
    return np.clip(cv2.cvtColor(pixels, cv2.COLOR_LAB2LRGB).reshape(-1, 3), 0, 1)


def linear_to_lab(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the CIELAB values (m, 3) of linear light (m, 3); what is beyond 0..1 is clipped."""
    if linear.size == 0:
        return np.zeros((0, 3), np.float32)
    pixels = np.ascontiguousarray(np.clip(linear, 0, 1).reshape(1, -1, 3), np.float32)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_LRGB2LAB).reshape(-1, 3), np.float32)


def relight(lab: NDArray[np.floating], gains: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return CIELAB values (m, 3) with each channel's linear light multiplied by gains (3,)."""
    return linear_to_lab(lab_to_linear(lab) * gains)


def hex_to_lab(colour: str) -> NDArray[np.float32]:
    """Return the CIELAB value (3,) of a colour like `#1b2444`. Raises ValueError."""
    if not _HEX.fullmatch(colour):
        raise ValueError(f"{colour!r} is no colour; expected six hexadecimal digits like #1b2444")
    digits = colour.lstrip("#")
    rgb = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)], np.uint8)
    return np.asarray(rgb_to_lab(rgb)[0], np.float32)


def lab_to_hex(lab: NDArray[np.floating]) -> str:
    """Return a CIELAB value (3,) as `#rrggbb`, clipped to sRGB."""
    pixel = np.ascontiguousarray(lab.reshape(1, 1, 3), np.float32)
    rgb = cv2.cvtColor(pixel, cv2.COLOR_LAB2RGB).reshape(3)
    red, green, blue = np.clip(np.round(rgb * 255), 0, 255).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _to_lab(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    pixels = scaled.reshape(1, -1, 3)
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB) if scaled.size else pixels
    return np.asarray(lab.reshape(-1, 3), np.float32)
