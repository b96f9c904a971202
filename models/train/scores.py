"""How good a segmentation is: foreground overlap, objects found, objects counted.

Sums over frames are kept, so that scores of a set weigh every pixel and every object alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Scores:
    """Counts of one frame, or of the frames added together."""

    both: int = 0
    """Pixels that are foreground in truth and prediction."""
    either: int = 0
    true_objects: int = 0
    found_objects: int = 0
    matched: int = 0
    """Objects whose best partner overlaps with IoU >= 0.5."""
    count_error: int = 0
    """Sum over frames of |found - true|."""

    def __add__(self, other: Scores) -> Scores:
        return Scores(*(a + b for a, b in zip(vars(self).values(), vars(other).values())))

    @property
    def iou(self) -> float:
        return self.both / max(self.either, 1)

    @property
    def dice(self) -> float:
        return 2 * self.both / max(self.either + self.both, 1)

    @property
    def ap50(self) -> float:
        """TP / (TP + FP + FN), as StarDist reports it."""
        return self.matched / max(self.true_objects + self.found_objects - self.matched, 1)

    @property
    def f1(self) -> float:
        return 2 * self.matched / max(self.true_objects + self.found_objects, 1)

    @property
    def relative_count_error(self) -> float:
        return self.count_error / max(self.true_objects, 1)


def compare(truth: np.ndarray, found: np.ndarray, at: float = 0.5) -> Scores:
    """Scores of one frame's instance labels against the true ones (0 = background)."""
    pairs, areas = np.unique(np.stack([truth.ravel(), found.ravel()]), axis=1, return_counts=True)
    true_ids, true_of, true_area = _areas(pairs[0], areas)
    found_ids, found_of, found_area = _areas(pairs[1], areas)
    inner = (pairs[0] > 0) & (pairs[1] > 0)
    overlap = areas / (true_area[true_of] + found_area[found_of] - areas)
    good = inner & (overlap >= at)
    # At IoU exactly 0.5 an object could have two partners; it counts once.
    matched = min(len(np.unique(pairs[0][good])), len(np.unique(pairs[1][good])))
    true_count, found_count = int((true_ids > 0).sum()), int((found_ids > 0).sum())
    outside = areas[(pairs[0] == 0) & (pairs[1] == 0)].sum()
    return Scores(
        both=int(areas[inner].sum()),
        either=int(areas.sum() - outside),
        true_objects=true_count,
        found_objects=found_count,
        matched=matched,
        count_error=abs(found_count - true_count),
    )


def _areas(ids: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    unique, of = np.unique(ids, return_inverse=True)
    return unique, of, np.bincount(of, weights=counts)
