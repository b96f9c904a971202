"""Cells that were never seen: frames of 48x48 pixels under three stains, drawn from a seed.

A frame is a set of nuclei with wobbly outlines, and a stain that says what light makes of them:

- `he`: hematoxylin and eosin, by optical densities: purple nuclei with chromatin and a rim, pink cytoplasm, pale gaps;
- `dapi`: blue fluorescence on black, with nucleoli, blur and photons;
- `phase`: phase contrast, grey, with bright halos, dark bodies and granules.

*Density* is the number of nuclei whose centre lies in the frame.
"""

from __future__ import annotations

import numpy as np

SIDE = 48
STAINS = ("he", "dapi", "phase")
FEWEST, MOST = 1, 12
"""Densities that are drawn."""

MARGIN = 7
"""Cells are placed this far beyond the frame too, in pixels, so that borders cut some."""

HEMATOXYLIN = np.array([0.65, 0.70, 0.29], np.float32)
EOSIN = np.array([0.07, 0.99, 0.11], np.float32)
"""Optical densities of red, green and blue (Ruifrok and Johnston, 2001)."""

Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5


def noise(random: np.random.Generator, cell: float) -> np.ndarray:
    """Smooth noise about 0, of standard deviation near 1: values on a lattice of `cell` pixels, eased between."""
    count = int(SIDE / cell) + 3
    lattice = random.normal(0, 1.6, (count, count)).astype(np.float32)
    shift = random.random(2).astype(np.float32)

    def ease(axis: np.ndarray, by: float) -> tuple[np.ndarray, np.ndarray]:
        at = axis / cell + by
        low = at.astype(int)
        t = at - low
        return low, t * t * (3 - 2 * t)

    (row, fy), (column, fx) = ease(Y, shift[0]), ease(X, shift[1])
    top = lattice[row, column] * (1 - fx) + lattice[row, column + 1] * fx
    bottom = lattice[row + 1, column] * (1 - fx) + lattice[row + 1, column + 1] * fx
    return top * (1 - fy) + bottom * fy


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian blur of the first two axes; edges are repeated."""
    radius = max(1, int(3 * sigma + 0.5))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        wide = np.pad(image, [(radius, radius) if a == axis else (0, 0) for a in range(image.ndim)], mode="edge")
        image = sum(w * wide.take(range(k, k + SIDE), axis) for k, w in enumerate(weights))
    return image


class Cells:
    """Where nuclei are, and how far every pixel is from each.

    `reach[i]` is 0 at the centre of nucleus i and 1 on its outline; `radius[i]` is its mean radius in pixels.
    """

    def __init__(self, random: np.random.Generator, target: int, size: float) -> None:
        wanted = round(target * ((SIDE + 2 * MARGIN) / SIDE) ** 2)
        centres: list[tuple[float, float, float]] = []
        for attempt in range(40 * wanted):
            if len(centres) == wanted:
                break
            y, x = random.uniform(-MARGIN, SIDE + MARGIN, 2)
            r = size * random.uniform(0.8, 1.2)
            apart = 1.0 - 0.2 * attempt / (40 * wanted)
            if all((y - b) ** 2 + (x - a) ** 2 > (apart * (r + s) + 0.6) ** 2 for b, a, s in centres):
                centres.append((y, x, r))
        self.density = sum(0 <= y < SIDE and 0 <= x < SIDE for y, x, _ in centres)
        places = np.array(centres, np.float32).reshape(-1, 3)
        self.radius = places[:, 2]
        count = len(places)
        dy, dx = Y - places[:, 0, None, None], X - places[:, 1, None, None]
        angle = random.uniform(0, np.pi, (count, 1, 1)).astype(np.float32)
        stretch = random.uniform(1.0, 1.45, (count, 1, 1)).astype(np.float32) ** 0.5
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        along, across = along / stretch, across * stretch
        theta = np.arctan2(across, along)
        outline = np.ones_like(theta)
        for k, strength in ((2, 0.05), (3, 0.05), (4, 0.03)):
            a = random.normal(0, strength, (count, 1, 1)).astype(np.float32)
            outline += a * np.cos(k * theta + random.uniform(0, 2 * np.pi, (count, 1, 1)).astype(np.float32))
        self.distance = np.hypot(along, across)
        self.reach = self.distance / (self.radius[:, None, None] * outline)

    def body(self, soft: float, scale: float = 1.0) -> np.ndarray:
        """How much of each pixel is nucleus i, with an edge of about `soft` pixels; of outlines `scale` times as large."""
        inside = (scale - self.reach) * self.radius[:, None, None] / soft
        return 1 / (1 + np.exp(-np.clip(4 * inside, -30, 30)))


def each(random: np.random.Generator, cells: Cells, low: float, high: float) -> np.ndarray:
    """A number of its own for every cell."""
    return random.uniform(low, high, (len(cells.radius), 1, 1)).astype(np.float32)


def spots(random: np.random.Generator, cells: Cells, count: int, size: float) -> np.ndarray:
    """`count` round spots within each nucleus, one plane per nucleus."""
    plane = np.zeros_like(cells.reach)
    flat = cells.reach.reshape(len(cells.radius), -1)
    for i in range(len(flat)):
        inside = np.flatnonzero(flat[i] < 0.65)
        for at in random.choice(inside, min(count, len(inside)), replace=False):
            y, x = at // SIDE + random.random(), at % SIDE + random.random()
            plane[i] = np.maximum(plane[i], np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * size**2)))
    return plane


def he(random: np.random.Generator, cells: Cells) -> np.ndarray:
    body = cells.body(0.9)
    nearest = np.sort(np.concatenate([cells.distance / cells.radius[:, None, None], np.full((2, SIDE, SIDE), 9.0)]), 0)
    seam = np.exp(-((nearest[1] - nearest[0]) / 0.28) ** 2) + 1 / (1 + np.exp(-(nearest[0] - 3.2) / 0.25))
    eosin = 0.36 + 0.05 * noise(random, 11) + 0.035 * noise(random, 3) - 0.2 * np.clip(seam, 0, 1)
    eosin = eosin * random.uniform(0.85, 1.15)
    chromatin = 0.72 + 0.15 * noise(random, 2.2) + 0.55 * np.exp(-(((cells.reach - 0.86) / 0.13) ** 2))
    chromatin = chromatin + 0.8 * spots(random, cells, 2, 0.8)
    hematoxylin = (body * np.clip(chromatin, 0.3, 1.6) * each(random, cells, 0.75, 1.15)).max(0, initial=0)
    covered = body.max(0, initial=0)
    density = hematoxylin[..., None] * HEMATOXYLIN + (eosin * (1 - 0.45 * covered))[..., None] * EOSIN
    density += (0.06 + 0.03 * covered)[..., None] * HEMATOXYLIN
    image = blur(np.exp(-density), 0.45) + random.normal(0, 0.008, (SIDE, SIDE, 3))
    return image


def dapi(random: np.random.Generator, cells: Cells) -> np.ndarray:
    texture = 0.85 + 0.13 * noise(random, 2.5) + 0.25 * spots(random, cells, 3, 0.8) - 0.5 * spots(random, cells, 1, 1.3)
    light = (cells.body(1.1) * np.clip(texture, 0.25, 1.25) * each(random, cells, 0.5, 0.95)).max(0, initial=0)
    light = 0.9 * blur(light, 0.55) + 0.1 * blur(light, 3.0) + 0.012
    photons = random.poisson(350 * light) / 350
    return np.stack([0.16 * photons, 0.38 * photons + 0.25 * np.clip(photons - 0.75, 0, 1), 1.02 * photons], -1)


def phase(random: np.random.Generator, cells: Cells) -> np.ndarray:
    """Bodies are larger than their nuclei here."""
    wide = cells.reach / 1.25
    body = cells.body(1.0, 1.25)
    inside = -0.17 + 0.05 * noise(random, 1.8) + 0.07 * noise(random, 6)
    inside = inside - 0.13 * np.exp(-(((wide - 0.9) / 0.1) ** 2)) + 0.1 * np.exp(-((wide / 0.5) ** 4))
    inside = inside - 0.28 * spots(random, cells, 2, 0.9) + 0.16 * spots(random, cells, 3, 0.6)
    halo = (0.42 * np.exp(-(((wide - 1.2) / 0.13) ** 2)) * each(random, cells, 0.8, 1.2)).max(0, initial=0)
    covered = body.max(0, initial=0)
    which = body.argmax(0) if len(body) else np.zeros((SIDE, SIDE), int)
    of = np.take_along_axis(inside, which[None], 0)[0] if len(body) else 0
    grey = 0.52 + 0.02 * noise(random, 24) + 0.012 * noise(random, 3) + halo * (1 - covered) + of * covered
    grey = blur(grey, 0.4) + random.normal(0, 0.012, (SIDE, SIDE))
    return np.repeat(grey[..., None], 3, -1)


DRAW = {"he": he, "dapi": dapi, "phase": phase}


def draw(random: np.random.Generator, stain: str) -> tuple[np.ndarray, int]:
    """A frame `[48, 48, 3]` u8, and its density."""
    target = int(random.integers(FEWEST, MOST + 2))
    cells = Cells(random, target, random.uniform(4.6, 5.4))
    image = DRAW[stain](random, cells)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), cells.density


def frames(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images `[count, 48, 48, 3]` u8, densities `[count]`, and stains `[count]` as indices."""
    images, densities, stains = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty(count, int), np.arange(count) % len(STAINS)
    for i in range(count):
        images[i], densities[i] = draw(np.random.default_rng([seed, i]), STAINS[stains[i]])
    return images, densities, stains
