"""Smooth outlines through points: the geometry of figures and garments.

Units are those of a figure about 470 high; the origin is the base of its neck, y points down.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
Curve = Points | Sequence[Sequence[float] | Points]


def points(values: Curve) -> Points:
    """Return values as an (n, 2) array of points."""
    return np.asarray(values, dtype=np.float64).reshape(-1, 2)


def offset(x: float, y: float) -> Points:
    """Return a step to add to points, (1, 2)."""
    return np.array([[x, y]], np.float64)


def smooth(corners: Curve, steps: int = 7) -> Points:
    """Draw a Catmull-Rom curve through the points, ends included."""
    knots = points(corners)
    if len(knots) < 3:
        return knots
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    before, start, end, after = (padded[i : i + len(knots) - 1, None, :] for i in range(4))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return np.vstack([curve.reshape(-1, 2), knots[-1:]])


def runs(*curves: Curve) -> Points:
    """Join curves, each smooth in itself, with a corner where one meets the next."""
    return np.vstack([smooth(curve) for curve in curves])


def mirror(shape: Points) -> Points:
    """Turn left into right."""
    return shape * offset(-1, 1)


def symmetric(*right: Curve) -> Points:
    """Close a right half, drawn from the top centre to the bottom centre, with its mirror image."""
    half = runs(*right)
    return np.vstack([half, mirror(half)[::-1]])


def along(path: Points, until: float, start: float = 0.0, steps: int = 14) -> Points:
    """Return points evenly spaced on a path between two shares of its length."""
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    wanted = np.linspace(start, until, steps) * lengths[-1]
    return np.column_stack([np.interp(wanted, lengths, path[:, i]) for i in range(2)])


def normals(path: Points) -> Points:
    """Return the unit normals of a path, to its left when walking down the page."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1])[:, None], 1e-6)
    return np.column_stack([tangent[:, 1], -tangent[:, 0]])


def tube(path: Points, half_widths: ArrayLike, capped: bool = False) -> Points:
    """Return the outline of a limb round a path; `capped` rounds its start."""
    widths = np.broadcast_to(np.asarray(half_widths, np.float64), (len(path),))[:, None]
    normal = normals(path)
    left, right = path + normal * widths, path - normal * widths
    if not capped:
        return np.vstack([left, right[::-1]])
    turn = np.linspace(0, np.pi, 9)[1:-1, None]
    back = np.array([-normal[0, 1], normal[0, 0]]) * -1
    if np.dot(back, path[1] - path[0]) > 0:
        back = -back
    cap = path[0] + widths[0] * (-normal[0] * np.cos(turn) + back * np.sin(turn))
    return np.vstack([left, right[::-1], cap])


def ellipse(x: float, y: float, rx: float, ry: float, steps: int = 28) -> Points:
    """Return the outline of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.column_stack([x + rx * np.cos(turn), y + ry * np.sin(turn)])
