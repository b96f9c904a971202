"""Writes a zoo model's split.csv: which frames are trained on, tuned on, and never seen.

    python models/train/split.py nuclei --data DIR

Frames that look alike stay on one side. For `nuclei` these are crops that continue each other at an
edge (the challenge cut larger fields into tiles), and frames of one kind and size whose grey levels are
nearly the same (one plate). For a time lapse, `phase`, they are runs of consecutive frames.
Within every kind and size, groups go to the sets in an order drawn from a fixed seed.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

import data
from recipes import RECIPES, ZOO

TEST, VALIDATION = 0.14, 0.08
"""Share of the frames of every kind and size."""


class Groups:
    """Disjoint sets of frames."""

    def __init__(self, count: int):
        self.parent = list(range(count))

    def find(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, a: int, b: int) -> None:
        self.parent[self.find(a)] = self.find(b)


def continuing(frames: list[data.Frame], unlike: float = 0.12) -> list[tuple[int, int]]:
    """Pairs of frames whose facing edges agree in absolute grey: neighbouring crops of one field.

    An edge's one best partner counts, if each is the other's and they differ by an RMS of at most
    `unlike` times the edge's own standard deviation.
    """
    pairs = []
    greys = [data.luma(frame.image).astype(np.float32) for frame in frames]
    for near, far in ((lambda g: g[:, -1], lambda g: g[:, 0]), (lambda g: g[-1], lambda g: g[0])):
        ends = np.stack([near(grey) for grey in greys])
        starts = np.stack([far(grey) for grey in greys])
        apart = np.sqrt(((ends[:, None] - starts[None]) ** 2).mean(2))
        np.fill_diagonal(apart, np.inf)
        for a in range(len(frames)):
            b = int(apart[a].argmin())
            # An edge without an object (nearly flat) says nothing.
            texture = float(ends[a].std())
            if int(apart[:, b].argmin()) == a and texture > 2.0 and apart[a, b] <= unlike * texture:
                pairs.append((a, b))
    return pairs


def alike(frames: list[data.Frame], distance: float = 0.12) -> np.ndarray:
    """A cluster number per frame, by levels and colour: exposure and background are a plate's signature."""
    if len(frames) < 2:
        return np.zeros(len(frames), int)
    marks = []
    for frame in frames:
        grey = data.luma(frame.image)
        marks.append([np.log2(2.0 + np.percentile(c, p)) for c in (grey, *frame.image[1:]) for p in (1, 50, 95, 99.8)])
    return fcluster(linkage(np.array(marks), "complete"), distance, "distance")


def group_by_look(frames: list[data.Frame]) -> list[list[int]]:
    """Groups of look-alike frames among frames of one kind and size.

    Where one look takes more than half of them (a single plate), only fields that continue each other are kept together:
    otherwise that kind could not be evaluated at all.
    """
    pairs = continuing(frames)
    clusters = alike(frames)
    if np.bincount(clusters).max() <= len(frames) / 2:
        for cluster in np.unique(clusters):
            members = np.flatnonzero(clusters == cluster)
            pairs += [(members[0], member) for member in members[1:]]
    groups = Groups(len(frames))
    for a, b in pairs:
        groups.join(a, b)
    gathered = defaultdict(list)
    for item in range(len(frames)):
        gathered[groups.find(item)].append(item)
    return list(gathered.values())


def draw(frames: list[data.Frame], groups: list[list[int]]) -> dict[str, tuple[str, str]]:
    """Set and group name of every frame: whole groups, until each set has its share."""
    want = {"test": round(TEST * len(frames)), "validation": round(VALIDATION * len(frames))}
    if len(frames) >= 5:
        want = {name: max(1, count) for name, count in want.items()}
    chosen = {}
    # The order depends on the ids alone, so that adding a kind does not redraw the others.
    names = {tuple(group): min(frames[i].id for i in group) for group in groups}
    for group in sorted(names, key=lambda group: hashlib.sha256(names[group].encode()).digest()):
        fits = [name for name, left in want.items() if len(group) <= left]
        name = fits[0] if fits else "train"
        if name in want:
            want[name] -= len(group)
        for i in group:
            chosen[frames[i].id] = (name, names[group])
    return chosen


def runs(frames: list[data.Frame], bounds: dict[str, tuple[int, int]]) -> dict[str, tuple[str, str]]:
    """Sets as runs of consecutive frames (0-based, end excluded); a frame in none is trained on."""
    chosen = {}
    for i, frame in enumerate(frames):
        name = next((name for name, (start, end) in bounds.items() if start <= i < end), "train")
        chosen[frame.id] = (name, name)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    recipe = RECIPES[args.name]

    frames = data.load(args.data)
    if recipe.runs:
        chosen = runs(frames, recipe.runs)
    else:
        buckets = defaultdict(list)
        for frame in frames:
            buckets[frame.bucket].append(frame)
        chosen = {}
        for bucket, members in sorted(buckets.items()):
            groups = group_by_look(members)
            chosen |= draw(members, groups)
            sets = [chosen[frame.id][0] for frame in members]
            print(f"{bucket}: {len(members)} frames in {len(groups)} groups (largest {max(map(len, groups))}),",
                  ", ".join(f"{sets.count(s)} {s}" for s in ("train", "validation", "test")))

    out = ZOO / args.name / "split.csv"
    with open(out, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "kind", "width", "height", "group", "set"])
        for frame in frames:
            rows, width = frame.labels.shape
            name, group = chosen[frame.id]
            writer.writerow([frame.id, frame.kind, width, rows, group, name])
    print(out)


if __name__ == "__main__":
    main()
