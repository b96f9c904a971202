"""Frames, masks and what the network learns from them.

A data directory holds `index.csv`, `images/ID.png` (8/16-bit grey, or 8-bit RGB) and `labels/ID.png`
(one value per object, 0 = background). Everything is decoded once into memory; class maps and loss
weights are computed once per frame, so that training only crops and warps.

Invariant: `luma`, `levels` and `normalize` are the definition of a network input. The device repeats
them in integers, so they use no arithmetic that a histogram and one division cannot reproduce.
"""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

BACKGROUND, INTERIOR, BORDER = 0, 1, 2
CLASSES = ("background", "interior", "border")

LOW_PERCENT, HIGH_PERCENT = 1.0, 99.8
"""Black and white point, as percentiles of the frame's luma."""

JITTER_LOW = (0.1, 0.5, 1.0, 2.0, 4.0)
JITTER_HIGH = (99.3, 99.6, 99.8, 99.9, 99.97)
"""Percentiles between which training draws its levels: a live camera uses the previous frame's."""

MIN_INTERIOR = 12
"""Pixels of interior that an object's outline must leave, where the object has that many."""


@dataclass
class Frame:
    """One decoded frame with its object labels."""

    id: str
    kind: str
    image: np.ndarray
    """`[channels, rows, width]`, u8 or u16, 1 or 3 channels."""
    labels: np.ndarray
    """`[rows, width]` i32, one value per object."""

    @property
    def bucket(self) -> str:
        """Kind and size: what frames of one source share."""
        rows, width = self.labels.shape
        return f"{self.kind} {width}x{rows}"


def luma(image: np.ndarray) -> np.ndarray:
    """Grey rows of `[channels, rows, width]`: `(77 R + 150 G + 29 B + 128) >> 8`, in the input's units."""
    if image.shape[0] == 1:
        return image[0]
    wide = image.astype(np.uint32)
    return ((77 * wide[0] + 150 * wide[1] + 29 * wide[2] + 128) >> 8).astype(image.dtype)


def levels(grey: np.ndarray, low: float = LOW_PERCENT, high: float = HIGH_PERCENT) -> tuple[int, int]:
    """Black and white point: the inverted CDF, i.e. the smallest value `v` such that at least
    `percent / 100 * pixels` pixels are `<= v`. Always a value that occurs in the frame.

    A flat frame gets a white point one unit above its black point.
    """
    black, white = np.percentile(grey, [low, high], method="inverted_cdf")
    return int(black), max(int(white), int(black) + 1)


def normalize(grey: np.ndarray, black: float, white: float) -> np.ndarray:
    """The network's input: `(x - black) / (white - black)`, clamped to [0, 1]; f32."""
    value = (grey.astype(np.float32) - np.float32(black)) / np.float32(white - black)
    return np.clip(value, 0.0, 1.0)


def read_png(path: Path) -> np.ndarray:
    """A PNG as `[channels, rows, width]` (1 or 3 channels), u8 or u16."""
    with Image.open(path) as picture:
        if picture.mode not in ("L", "RGB") and not picture.mode.startswith("I"):
            picture = picture.convert("RGB")
        pixels = np.asarray(picture)
    if pixels.ndim == 2:
        return pixels[None].astype(np.uint16 if pixels.dtype.itemsize > 1 else np.uint8)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def index(directory: Path) -> list[dict[str, str]]:
    """The rows of `index.csv`, ordered by id; a frame without a kind is of the directory's."""
    with open(directory / "index.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    for row in rows:
        row.setdefault("kind", directory.name)
    return rows


def load(directory: Path, ids: set[str] | None = None) -> list[Frame]:
    """Decodes the frames of `directory` (those in `ids`, or all), ordered by id."""
    frames = []
    for row in tqdm(index(directory), desc="decode", unit="frame", leave=False):
        if ids is not None and row["id"] not in ids:
            continue
        image = read_png(directory / "images" / f"{row['id']}.png")
        labels = read_png(directory / "labels" / f"{row['id']}.png")[0].astype(np.int32)
        if image.shape[1:] != labels.shape:
            raise ValueError(f"{row['id']}: the image is {image.shape[1:]}, its labels are {labels.shape}")
        frames.append(Frame(row["id"], row["kind"], image, labels))
    return frames


def read_split(path: Path) -> dict[str, set[str]]:
    """Ids by set (`train`, `validation`, `test`) from a `split.csv`."""
    sets: dict[str, set[str]] = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            sets.setdefault(row["set"], set()).add(row["id"])
    return sets


def class_map(labels: np.ndarray, contact: float) -> np.ndarray:
    """Background, interior and border of labelled objects, u8.

    Border is what lies inside an object and either has a 4-neighbour outside it, or lies within
    `contact` pixels of another object: touching objects keep `2 * contact` pixels between their
    interiors. An object that this would leave with too little interior gives up contact pixels only.
    """
    classes = (labels > 0).astype(np.uint8)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        # A margin as wide as the distances asked for; the frame's own edge is no outline.
        margin = int(np.ceil(contact)) + 1
        box = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in box)
        patch = labels[box]
        own = patch == label
        area = int(own.sum())
        other = (patch > 0) & ~own
        outline = own & ~ndimage.binary_erosion(own, border_value=1)
        near = np.zeros_like(own)
        touch = near
        if other.any():
            away = ndimage.distance_transform_edt(~other)
            near = own & (away <= contact)
            touch = own & (away <= 1.0)
        least = max(MIN_INTERIOR, int(0.3 * area))
        border = outline | near
        for narrower in (outline | touch, near, touch):
            if area - int((border & own).sum()) >= least:
                break
            border = narrower
        classes[box][border] = BORDER
    return classes


def weight_map(labels: np.ndarray, classes: np.ndarray, w0: float = 5.0, sigma: float = 4.0) -> np.ndarray:
    """Loss weight per pixel, f32: the U-Net paper's `1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2))`, where d1
    and d2 are the distances to the two nearest objects, outside interiors; and up to threefold
    on small objects, whose few pixels would hardly count otherwise.
    """
    weights = np.ones(labels.shape, np.float32)
    # Distance to the second-nearest object: nearest over all objects but the one whose zone this is.
    # Only pixels close to two objects matter, so a window around each object is enough.
    reach = int(3 * sigma)
    first = np.full(labels.shape, np.inf, np.float32)
    second = np.full(labels.shape, np.inf, np.float32)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        box = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in box)
        own = labels[box] == label
        distance = ndimage.distance_transform_edt(~own).astype(np.float32)
        near, next_ = first[box], second[box]
        second[box] = np.minimum(next_, np.maximum(near, distance))
        first[box] = np.minimum(near, distance)
        small = np.clip(np.sqrt(150.0 / own.sum()), 1.0, 3.0)
        weights[box][own] = small
    total = np.where(np.isfinite(second), first + second, np.inf)
    between = w0 * np.exp(-(total**2) / (2 * sigma**2))
    return weights + np.where(classes == INTERIOR, 0.0, between).astype(np.float32)


@dataclass
class Example:
    """A frame, ready to crop from."""

    frame: Frame
    classes: np.ndarray
    """`[rows, width]` u8."""
    weights: np.ndarray
    """`[rows, width]` f16."""
    low: np.ndarray
    high: np.ndarray
    """Luma at JITTER_LOW and JITTER_HIGH percent."""
    centres: np.ndarray
    """`[objects, 2]` row and column of every object."""
    odds: np.ndarray
    """How likely a crop is centred on each object: small ones are rare and hard."""


def prepare(frames: list[Frame], contact: float) -> list[Example]:
    """Class maps, weights and levels of every frame."""

    def one(frame: Frame) -> Example:
        classes = class_map(frame.labels, contact)
        weights = weight_map(frame.labels, classes)
        grey = luma(frame.image)
        numbers, areas = np.unique(frame.labels[frame.labels > 0], return_counts=True)
        centres = np.array(ndimage.center_of_mass(frame.labels > 0, frame.labels, numbers)).reshape(-1, 2)
        odds = areas.astype(np.float64) ** -0.5
        return Example(
            frame,
            classes,
            weights.astype(np.float16),
            np.percentile(grey, JITTER_LOW, method="inverted_cdf").astype(np.float32),
            np.percentile(grey, JITTER_HIGH, method="inverted_cdf").astype(np.float32),
            centres,
            odds / odds.sum() if len(odds) else odds,
        )

    with ThreadPoolExecutor(2) as pool:
        return list(tqdm(pool.map(one, frames), total=len(frames), desc="prepare", unit="frame", leave=False))
