"""Scores a zoo model's ONNX file on frames it never saw, per kind.

    python models/train/evaluate.py nuclei --data DIR [--card] [--overlays DIR]

`--card` writes the table into the model's CARD.md, between its `float` markers. `--overlays` writes each frame with
the outlines of true objects (green) and found ones (magenta; white where both agree).
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

import data
from postprocess import Record, classify, objects, softmax
from predict import network_input, padded
from recipes import RECIPES, ZOO
from scores import Scores, compare

SMALL = 50
"""Objects below this many pixels are counted apart: they are the hard ones."""


class Onnx:
    """A zoo model, as its two files describe it."""

    def __init__(self, directory: Path, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(directory / "model.onnx", options, ["CPUExecutionProvider"])
        output = tomllib.loads((directory / "model.toml").read_text())["output"]
        self.record = Record(output["threshold"], output["min_area"], output["grow"])

    def objects(self, frame: data.Frame) -> np.ndarray:
        """Instance labels of a frame."""
        rows, width = frame.labels.shape
        image = padded(torch.from_numpy(network_input(frame))).numpy()
        (logits,) = self.session.run(["logits"], {"image": image})
        return objects(classify(softmax(logits[0, :, :rows, :width]), self.record.threshold), self.record)


def small_found(truth: np.ndarray, found: np.ndarray) -> tuple[int, int]:
    """How many true objects below SMALL pixels there are, and how many of them are found (IoU >= 0.5)."""
    areas = np.bincount(truth.ravel())
    small = [label for label in range(1, len(areas)) if 0 < areas[label] < SMALL]
    hit = 0
    for label in small:
        inside = truth == label
        partner = np.bincount(found[inside])
        partner[0] = 0
        if partner.any():
            best = int(partner.argmax())
            hit += partner[best] / (areas[label] + int((found == best).sum()) - partner[best]) >= 0.5
    return len(small), hit


def outline(labels: np.ndarray) -> np.ndarray:
    """Inner outlines of all objects, touching ones apart."""
    return (labels > 0) & ((ndimage.maximum_filter(labels, 3) != labels) | (ndimage.minimum_filter(labels, 3) != labels))


def overlay(frame: data.Frame, found: np.ndarray) -> Image.Image:
    """The frame with both sets of outlines, twice as large."""
    grey = np.repeat(np.repeat(network_input(frame)[0, 0], 2, 0), 2, 1)
    picture = np.repeat((grey * 255).astype(np.uint8)[..., None], 3, 2)
    double = [np.repeat(np.repeat(labels, 2, 0), 2, 1) for labels in (frame.labels, found)]
    true, mine = (outline(labels) for labels in double)
    picture[true] = (0, 220, 0)
    picture[mine] = (255, 0, 200)
    picture[true & mine] = (255, 255, 255)
    return Image.fromarray(picture)


def table(scores: dict[str, Scores], frames: dict[str, int]) -> str:
    """Markdown, a line per kind or size."""
    lines = ["| frames | n | objects | IoU | Dice | AP50 | F1 | count error |", "| --- | --: | --: | --: | --: | --: | --: | --: |"]
    for name, s in scores.items():
        lines.append(f"| {name} | {frames[name]} | {s.true_objects} | {s.iou:.3f} | {s.dice:.3f} | {s.ap50:.3f} | {s.f1:.3f} "
                     f"| {100 * s.relative_count_error:.1f} % |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--card", action="store_true", help="put the table into CARD.md")
    parser.add_argument("--overlays", type=Path, help="folder for pictures")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.card and args.set != "test":
        parser.error("a card reports frames the model never saw: --card goes with --set test")

    recipe = RECIPES[args.name]
    model = Onnx(ZOO / args.name, args.threads)
    chosen = data.read_split(ZOO / (recipe.split or args.name) / "split.csv")[args.set]
    kinds, sizes = defaultdict(Scores), defaultdict(Scores)
    counts: dict[str, int] = defaultdict(int)
    small = np.zeros(2, int)
    for frame in tqdm(data.load(args.data, chosen), desc="evaluate", unit="frame"):
        found = model.objects(frame)
        scores = compare(frame.labels, found)
        kinds[frame.kind] += scores
        counts[frame.kind] += 1
        if frame.bucket != frame.kind:
            sizes[frame.bucket] += scores
            counts[frame.bucket] += 1
        small += small_found(frame.labels, found)
        if args.overlays:
            args.overlays.mkdir(parents=True, exist_ok=True)
            overlay(frame, found).save(args.overlays / f"{frame.bucket.replace(' ', '_')}_{scores.ap50:.2f}_{frame.id}.png")

    text = table(dict(sorted(kinds.items())), counts)
    text += "\n\nBy size:\n\n" + table(dict(sorted(sizes.items())), counts)
    if small[0]:
        text += f"\n\nOf {small[0]} true objects below {SMALL} pixels, {small[1]} were found."
    print(text)
    if args.card:
        card = ZOO / args.name / "CARD.md"
        begin, end = "<!-- float:begin -->", "<!-- float:end -->"
        old = card.read_text()
        new = re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", old, count=1, flags=re.S)
        if begin not in old or end not in old:
            raise SystemExit(f"{card}: expected the markers {begin} and {end}")
        card.write_text(new)


if __name__ == "__main__":
    main()
