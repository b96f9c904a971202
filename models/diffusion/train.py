"""Trains the network to take noise from drawn cells.

    python models/diffusion/train.py [--minutes 50] [--resume]

Writes runs/diffusion/{latest.pt,losses.csv,curve.png}, and every few minutes a picture of what the averaged weights make
of noise, samples.png.
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
from diffusers import DDIMScheduler
from torch import nn
from tqdm import tqdm

from cells import STAINS, frames
from network import PREDICTION, SCHEDULE, TRAINING_STEPS, Denoiser, condition_of, parameters

RUNS = Path("runs/diffusion")
SEED, FRAMES, BATCH, RATE = 1, 12000, 16, 1e-3
AVERAGE = 0.999
UNCONDITIONAL = 0.1
"""Share of examples without a condition, for guidance (Ho and Salimans, 2022)."""

GAMMA = 5.0
"""Most weight of a noise level, as a signal-to-noise ratio (Hang et al., 2023)."""


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(num_train_timesteps=TRAINING_STEPS, beta_schedule=SCHEDULE, prediction_type=PREDICTION,
                         clip_sample=True, set_alpha_to_one=True, timestep_spacing="trailing")


class Examples:
    """Batches of drawn frames, turned and mirrored."""

    def __init__(self, seed: int, count: int) -> None:
        images, densities, stains = frames(seed, count)
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)
        self.conditions = condition_of(torch.from_numpy(densities), torch.from_numpy(stains))

    def draw(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `[batch, 3, 48, 48]` in [-1, 1], and conditions."""
        at = torch.randint(len(self.images), (batch,))
        images = self.images[at].float() / 127.5 - 1
        if torch.rand(()) < 0.5:
            images = images.flip(3)
        images = torch.rot90(images, int(torch.randint(4, ())), (2, 3))
        kept = (torch.rand(batch, 1) >= UNCONDITIONAL).float()
        return images, self.conditions[at] * kept


def loss_of(model: nn.Module, schedule: DDIMScheduler, images: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
    noise = torch.randn_like(images)
    times = torch.randint(TRAINING_STEPS, (len(images),))
    noisy = schedule.add_noise(images, noise, times).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(noisy, times, conditions)
    alpha = schedule.alphas_cumprod[times]
    ratio = alpha / (1 - alpha)
    weight = ratio.clamp(max=GAMMA) / (ratio + 1)
    error = (found.float() - schedule.get_velocity(images, noise, times)).square().mean((1, 2, 3))
    # Where there is only noise left the ratio is 0, but what is learned there is the picture as a whole.
    return (error * weight.clamp(min=0.1)).mean()


@torch.no_grad()
def sample(model: nn.Module, conditions: torch.Tensor, steps: int = 25, guidance: float = 1.0, seed: int = 7) -> np.ndarray:
    """Images `[N, 48, 48, 3]` u8 from noise."""
    schedule = scheduler()
    schedule.set_timesteps(steps)
    side = model.unet.config.sample_size
    x = torch.randn((len(conditions), 3, side, side), generator=torch.Generator().manual_seed(seed))
    for time in schedule.timesteps:
        times = time.expand(len(x))
        found = model(x, times, conditions)
        if guidance != 1.0:
            free = model(x, times, torch.zeros_like(conditions))
            found = free + guidance * (found - free)
        x = schedule.step(found, time, x).prev_sample
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def grid(images: np.ndarray, columns: int, scale: int = 2) -> np.ndarray:
    rows, side = len(images) // columns, images.shape[1]
    whole = images.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(rows * side, columns * side, 3)
    return whole.repeat(scale, 0).repeat(scale, 1)


def picture(model: nn.Module, path: Path) -> None:
    from PIL import Image

    densities = torch.tensor([1, 3, 6, 9, 12, 12] * len(STAINS))
    stains = torch.arange(len(STAINS)).repeat_interleave(6)
    Image.fromarray(grid(sample(model, condition_of(densities, stains)), 6, 3)).save(path)


def curve(rows: list[tuple[int, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot(*zip(*rows))
    axes.set(title="training loss", xlabel="step", yscale="log")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=50, help="length of the course; the rate falls to 0 over it")
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate at the start of the course")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from the latest checkpoint, for another --minutes")
    args = parser.parse_args()
    args.runs.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    examples = Examples(SEED, FRAMES)
    model = Denoiser().to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-3)
    schedule, step, rows, losses, spent = scheduler(), 0, [], [], 0.0
    if args.resume:
        state = torch.load(args.runs / "latest.pt", weights_only=True)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        step, rows, spent = state["step"], state["rows"], state["minutes"]
        torch.manual_seed(SEED + step)
    print(f"{parameters(model)} parameters, {len(examples.images)} frames", flush=True)
    begin, saved = time.monotonic(), time.monotonic()
    progress = tqdm(desc="diffusion", unit="step", initial=step, mininterval=20)
    while True:
        minutes = (time.monotonic() - begin) / 60
        along = min(minutes / args.minutes, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min((step + 1) / 100, 1.0) * (0.5 + 0.5 * math.cos(math.pi * along))
        loss = loss_of(model, schedule, *examples.draw(BATCH))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(AVERAGE, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, value in zip(averaged.parameters(), model.parameters()):
                mean.lerp_(value, 1 - decay)
        losses.append(loss.item())
        progress.update()
        if step % 50 == 0 or along == 1.0:
            rows.append((step, round(float(np.mean(losses)), 5)))
            losses.clear()
        if along == 1.0 or time.monotonic() - saved > 240:
            saved = time.monotonic()
            part = args.runs / "latest.part"
            torch.save({"model": model.state_dict(), "averaged": averaged.state_dict(),
                        "optimizer": optimizer.state_dict(), "step": step, "rows": rows, "minutes": spent + minutes}, part)
            part.replace(args.runs / "latest.pt")
            with open(args.runs / "losses.csv", "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([("step", "loss"), *rows])
            picture(averaged, args.runs / "samples.png")
            curve(rows, args.runs / "curve.png")
            progress.set_postfix(loss=rows[-1][1])
        if along == 1.0:
            break


if __name__ == "__main__":
    main()
