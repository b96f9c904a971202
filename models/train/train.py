"""Trains a zoo model.

    python models/train/train.py nuclei --data DIR

Writes into RUNS/NAME: `latest.pt` (every 500 steps: weights, averaged weights, optimizer; `--resume` goes
on from it), `scores.csv` and `curves.png`. The averaged weights are the model; models/train/export.py makes an ONNX file of them.

Deterministic for a seed, a machine and a thread count: crops come from their own generators, and the schedule
counts steps, not time (unless `--minutes` bounds it).
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

import data
from augment import Crops
from network import UNet, parameters
from postprocess import Record, classify, objects, softmax
from predict import predict
from recipes import RECIPES, ZOO, Recipe
from scores import Scores, compare

RUNS = Path("runs")
WARM_UP = 200
AVERAGE = 0.998
"""Decay of the averaged weights: a memory of some 500 steps."""


def rate(step: int, along: float) -> float:
    """Share of the peak learning rate: linear warm-up, and a cosine down to a hundredth where `along` is 1."""
    return min((step + 1) / WARM_UP, 1.0) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


class Course:
    """How far along a run is, in [0, 1]: by steps, or by the clock where that is ahead.

    Without `minutes` only the steps count, and the run is reproducible. With them the schedule shrinks on a machine that
    is slower than hoped for, and still ends with its small learning rates.
    """

    def __init__(self, start: int, steps: int, minutes: float | None):
        self.steps, self.minutes = steps, minutes
        self.behind = start / steps
        self.began = time.monotonic()

    def along(self, step: int) -> float:
        clock = 0.0
        if self.minutes is not None:
            clock = self.behind + (1 - self.behind) * (time.monotonic() - self.began) / (60 * self.minutes)
        return min(max(step / self.steps, clock), 1.0)


@torch.no_grad()
def average(into: nn.Module, model: nn.Module, step: int) -> None:
    """Moves the averaged weights and batch-norm statistics towards the model's."""
    decay = min(AVERAGE, (1 + step) / (10 + step))
    for mean, value in zip(into.state_dict().values(), model.state_dict().values()):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def loss_of(logits: torch.Tensor, classes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted cross entropy, as in the U-Net paper."""
    pixels = functional.cross_entropy(logits.float(), classes, reduction="none")
    return (pixels * weights).sum() / weights.sum()


def validate(model: nn.Module, frames: list[data.Frame]) -> Scores:
    """Scores with the default post-processing, all kinds together."""
    record = Record()
    model.eval()
    total = Scores()
    for frame in frames:
        mask = classify(softmax(predict(model, frame)), record.threshold)
        total += compare(frame.labels, objects(mask, record))
    return total


def draw_curves(rows: list[dict[str, float]], path: Path) -> None:
    """Loss and validation scores over steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [row["step"] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    left.plot(steps, [row["loss"] for row in rows])
    left.set(title="training loss", xlabel="step", yscale="log")
    for name in ("iou", "ap50", "f1"):
        right.plot(steps, [row[name] for row in rows], label=name)
    right.set(title="validation (averaged weights)", xlabel="step", ylim=(max(0, min(row["ap50"] for row in rows) - 0.05), 1))
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def write_scores(rows: list[dict[str, float]], path: Path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def save(state: dict, path: Path) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def train(name: str, recipe: Recipe, directory: Path, out: Path, resume: bool, minutes: float | None) -> None:
    torch.manual_seed(recipe.seed)
    np.random.seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    sets = data.read_split(ZOO / (recipe.split or name) / "split.csv")
    frames = data.load(directory, sets["train"] | sets["validation"])
    held = [frame for frame in frames if frame.id in sets["validation"]]
    crops = Crops(
        data.prepare([frame for frame in frames if frame.id in sets["train"]], recipe.contact),
        recipe.batch, recipe.crop, recipe.odds, recipe.seed,
    )

    model = UNet(recipe.base, recipe.poolings).to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=1e-3)
    start, rows = 0, []
    if resume and (out / "latest.pt").exists():
        state = torch.load(out / "latest.pt", weights_only=True)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        start, rows = state["step"], state["rows"]
        crops = Crops(crops.examples, recipe.batch, recipe.crop, recipe.odds, recipe.seed + start)
    print(f"{name}: {parameters(model)} parameters, {len(crops.examples)} frames to train on, {len(held)} to validate")

    every = 500
    losses = []
    course = Course(start, recipe.steps, minutes)
    progress = tqdm(range(start, recipe.steps), desc=name, unit="step", initial=start, total=recipe.steps, mininterval=5)
    for step in progress:
        along = course.along(step)
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * rate(step, along)
        images, classes, weights = crops.draw()
        model.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(images.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, classes, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average(averaged, model, step)
        losses.append(loss.item())

        done = step + 1
        last = done == recipe.steps or along >= 1.0
        if done % every == 0 or last:
            scores = validate(averaged, held)
            rows.append({"step": done, "loss": round(float(np.mean(losses)), 5), "iou": round(scores.iou, 4),
                         "ap50": round(scores.ap50, 4), "f1": round(scores.f1, 4)})
            losses.clear()
            progress.set_postfix(rows[-1])
            save({"model": model.state_dict(), "averaged": averaged.state_dict(), "optimizer": optimizer.state_dict(),
                  "step": done, "rows": rows, "name": name}, out / "latest.pt")
            write_scores(rows, out / "scores.csv")
            draw_curves(rows, out / "curves.png")
        if last:
            break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder with index.csv, images/ and labels/")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where checkpoints and curves go (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--minutes", type=float, help="end after this time at the latest, with the schedule shrunk to it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="go on from the latest checkpoint")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe = RECIPES[args.name]
    if args.steps:
        recipe = Recipe(**{**vars(recipe), "steps": args.steps})
    train(args.name, recipe, args.data, args.runs / args.name, args.resume, args.minutes)


if __name__ == "__main__":
    main()
