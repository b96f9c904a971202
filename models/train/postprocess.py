"""From logits to objects: the reference of what a plan's post-processing record says.

1. A pixel is interior if its interior probability exceeds `threshold`; otherwise background if its background
   probability is at least 0.5; otherwise border.
2. Interior pixels form 8-connected components.
3. A border pixel belongs to the component of its nearest interior pixel, if that is at most `grow`
   pixels away (Euclidean); among equally near ones, to the smaller label.
4. Components with fewer than `min_area` interior pixels are dropped, with what they grew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data import BACKGROUND, BORDER, INTERIOR


@dataclass(frozen=True)
class Record:
    """The numbers of the post-processing, as in model.toml's `[output]`."""

    threshold: float = 0.6
    min_area: int = 12
    grow: float = 2.5


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the first axis of `[3, rows, width]`."""
    power = np.exp(logits - logits.max(0))
    return power / power.sum(0)


def classify(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Class mask `[rows, width]` u8 of `[3, rows, width]` probabilities."""
    mask = np.where(probabilities[BACKGROUND] >= 0.5, BACKGROUND, BORDER).astype(np.uint8)
    mask[probabilities[INTERIOR] > threshold] = INTERIOR
    return mask


def objects(mask: np.ndarray, record: Record) -> np.ndarray:
    """Instance labels `[rows, width]` i32, 1.. without gaps, of a class mask."""
    seeds, count = ndimage.label(mask == INTERIOR, structure=np.ones((3, 3)))
    areas = np.bincount(seeds.ravel(), minlength=count + 1)
    grown = grow(seeds, mask == BORDER, record.grow)
    keep = areas >= record.min_area
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[grown]


def grow(seeds: np.ndarray, border: np.ndarray, distance: float) -> np.ndarray:
    """Labels with border pixels given to the nearest seed within `distance`."""
    reach = int(distance)
    rings: dict[int, list[tuple[int, int]]] = {}
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if 0 < dy * dy + dx * dx <= distance * distance:
                rings.setdefault(dy * dy + dx * dx, []).append((dy, dx))
    rows, width = seeds.shape
    none = np.iinfo(seeds.dtype).max
    padded = np.pad(np.where(seeds > 0, seeds, none), reach, constant_values=none)
    grown = seeds.copy()
    free = border & (seeds == 0)
    for _, offsets in sorted(rings.items()):
        nearest = np.full(seeds.shape, none, seeds.dtype)
        for dy, dx in offsets:
            shifted = padded[reach + dy : reach + dy + rows, reach + dx : reach + dx + width]
            np.minimum(nearest, shifted, out=nearest)
        found = free & (nearest < none)
        grown[found] = nearest[found]
        free &= ~found
    return grown
