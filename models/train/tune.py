"""Scores a checkpoint on the validation frames over thresholds and least areas, to fill in a recipe's `post`.

    python models/train/tune.py nuclei --data DIR [--runs DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import data
from export import load
from postprocess import Record, classify, objects, softmax
from predict import predict
from recipes import RECIPES, ZOO
from scores import Scores, compare
from train import RUNS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--areas", type=int, nargs="+", default=[8, 12, 16, 24])
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES[args.name]
    held = data.read_split(ZOO / (recipe.split or args.name) / "split.csv")["validation"]
    frames = data.load(args.data, held)
    model, _ = load(args.runs / args.name / "latest.pt", recipe)
    probabilities = [softmax(predict(model, frame)) for frame in frames]
    print("threshold  min_area  IoU    AP50   F1     count error")
    for threshold in (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7):
        masks = [classify(p, threshold) for p in probabilities]
        for area in args.areas:
            total = Scores()
            for frame, mask in zip(frames, masks):
                total += compare(frame.labels, objects(mask, Record(threshold, area, recipe.post.grow)))
            print(f"{threshold:9}  {area:8}  {total.iou:.3f}  {total.ap50:.3f}  {total.f1:.3f}  {total.relative_count_error:.3f}")


if __name__ == "__main__":
    main()
