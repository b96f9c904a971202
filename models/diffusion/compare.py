"""What int8 and weights in 16 bits change in the pictures: the figures and pictures of models/zoo/diffusion/CARD.md.

    python models/diffusion/compare.py FLOAT.onnx HALF.onnx INT8.onnx OUT [--microtome target/release/microtome]

All three start from the same noise. Writes OUT/samples.png (drawn frames, and the three, side by side), OUT/steps.png (a
sample on its way from noise), and prints tables: differences from float, answers to the inputs of float's own steps, nuclei
found against asked, and CPU time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cells import MOST, SIDE, STAINS, frames
from train import grid

DENSITIES = (1, 4, 8, 11)
SEED, EACH = 1, 4
STEPS = 25
"""As model.toml presets them; with guidance, the network answers twice at each."""

SHOWN = 8
"""Steps that steps.png shows."""


class Runner:
    """Runs the command, and keeps its files in a folder."""

    def __init__(self, command: Path, folder: Path) -> None:
        self.command, self.folder = command, folder

    def run(self, *arguments: str | Path) -> str:
        return subprocess.run([self.command, *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    def samples(self, model: Path, *more: str | Path) -> tuple[np.ndarray, float]:
        """Samples `[N, 3, rows, width]`, and the seconds of CPU time."""
        out = self.folder / "samples.npy"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run("diffuse", model, "--out", out, *more)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return np.load(out), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def answer(self, model: Path, inputs: Path) -> np.ndarray:
        out = self.folder / "answer.npy"
        self.run("predict", model, "--float", "--input", inputs, "--output", out)
        return np.load(out)


def pixels(samples: np.ndarray) -> np.ndarray:
    """Samples as `[N, rows, width, 3]` u8."""
    return np.rint((samples.clip(-1, 1) + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


def decibels(found: np.ndarray, expected: np.ndarray, peak: float) -> float:
    """The peak's power over that of the difference."""
    return float(10 * np.log10(peak**2 / np.mean((found - expected) ** 2, dtype=np.float64)))


def nuclei(image: np.ndarray, stain: str) -> int:
    """Connected nuclei of 12 pixels or more, by a threshold; those that touch are one."""
    values = image.astype(float)
    inside = values[..., 2] > 75 if stain == "dapi" else values[..., 0] < 168
    found, seen = 0, np.zeros_like(inside)
    for y, x in zip(*np.nonzero(inside)):
        if seen[y, x]:
            continue
        stack, area = [(y, x)], 0
        seen[y, x] = True
        while stack:
            b, a = stack.pop()
            area += 1
            for v, u in ((b - 1, a), (b + 1, a), (b, a - 1), (b, a + 1)):
                if 0 <= v < SIDE and 0 <= u < SIDE and inside[v, u] and not seen[v, u]:
                    seen[v, u] = True
                    stack.append((v, u))
        found += area >= 12
    return found


def drawn(stain: int, density: int, count: int) -> np.ndarray:
    """Frames of the drawing itself, none of which was trained on."""
    images, densities, stains = frames(1_000_003, 1800)
    return images[(stains == stain) & (densities == density)][:count]


def titled(panels: list[tuple[str, np.ndarray]]) -> Image.Image:
    """Panels side by side, each under its name."""
    gap, top = 12, 18
    height, widths = panels[0][1].shape[0], [panel.shape[1] for _, panel in panels]
    whole = Image.new("RGB", (sum(widths) + gap * (len(panels) - 1), height + top), "white")
    draw, left = ImageDraw.Draw(whole), 0
    for (name, panel), width in zip(panels, widths):
        draw.text((left + 2, 3), name, fill="black")
        whole.paste(Image.fromarray(panel), (left, top))
        left += width + gap
    return whole


def side_by_side(runner: Runner, models: dict[str, Path], out: Path) -> None:
    asked = ["--condition", f"stain={','.join(STAINS)}", "--condition", f"density={','.join(map(str, DENSITIES))}",
             "--seed", str(SEED)]
    examples = np.concatenate([drawn(stain, density, 1) for stain in range(len(STAINS)) for density in DENSITIES])
    panels, kept = [("drawn", grid(examples, len(DENSITIES)))], {}
    for name, model in models.items():
        kept[name], _ = runner.samples(model, *asked)
        panels.append((name, grid(pixels(kept[name]), len(DENSITIES))))
    titled(panels).save(out / "samples.png", optimize=True)
    float_samples, *others = kept.items()
    print(f"\n| PSNR of pictures, dB (densities {', '.join(map(str, DENSITIES))}) | {' | '.join(STAINS)} | largest difference |")
    print("| --- |" + " --: |" * (len(STAINS) + 1))
    for name, samples in others:
        pairs = np.stack([samples.clip(-1, 1), float_samples[1].clip(-1, 1)], 1).reshape(len(STAINS), len(DENSITIES), 2, -1)
        cells = [", ".join(f"{decibels(found, expected, 2):.1f}" for found, expected in stain) for stain in pairs]
        print(f"| {name} | {' | '.join(cells)} | {np.abs(pairs[:, :, 0] - pairs[:, :, 1]).max():.4f} |")


def on_the_way(runner: Runner, models: dict[str, Path], out: Path) -> None:
    """steps.png, and each model's answers to what float was given."""
    lines, answers = [], {name: {} for name in models}
    for index, stain in enumerate(STAINS):
        inputs = runner.folder / f"inputs_{stain}"
        samples, _ = runner.samples(models["float"], "--condition", f"stain={stain}", "--condition", "density=6",
                                    "--seed", str(SEED + index), "--record", inputs)
        steps = sorted(inputs.glob("*_asked.npz"))
        shown = [steps[i] for i in np.linspace(0, len(steps) - 1, SHOWN - 1).round().astype(int)]
        lines += [pixels(np.load(path)["sample"]) for path in shown] + [pixels(samples)]
        for path in (steps[0], steps[len(steps) // 2], steps[-1]):
            time = int(np.load(path)["timestep"][0])
            for name, model in models.items():
                answers[name].setdefault(time, []).append(runner.answer(model, path))
    Image.fromarray(grid(np.concatenate(lines), SHOWN)).save(out / "steps.png", optimize=True)
    print("\n| answers to the same inputs, signal to noise in dB | " + " | ".join(f"t = {t}" for t in answers["float"]) + " |")
    print("| --- |" + " --: |" * len(answers["float"]))
    for name in list(models)[1:]:
        cells = []
        for time, expected in answers["float"].items():
            signal = np.sqrt(np.mean(np.square(expected)))
            cells.append(f"{decibels(np.stack(answers[name][time]), np.stack(expected), signal):.1f}")
        print(f"| {name} | {' | '.join(cells)} |")


def counted(runner: Runner, models: dict[str, Path]) -> None:
    densities = (1, 3, 5, 7, 9, 11)
    print(f"\n| nuclei found, mean of {EACH} | " + " | ".join(f"{d} asked" for d in densities) + " | ms of CPU time per answer |")
    print("| --- |" + " --: |" * (len(densities) + 1))
    for index, stain in enumerate(STAINS[:2]):
        means = [np.mean([nuclei(image, stain) for image in drawn(index, density, 20)]) for density in densities]
        print(f"| {stain}, drawn | {' | '.join(f'{mean:.1f}' for mean in means)} | |")
        for name, model in models.items():
            if name == "f16 weights":
                continue
            samples, seconds = runner.samples(model, "--condition", f"stain={stain}", "--count", str(EACH), "--seed", "77",
                                              "--steps", str(STEPS), "--condition",
                                              f"density={','.join(map(str, densities))}")
            found = [nuclei(image, stain) for image in pixels(samples)]
            means = np.reshape(found, (len(densities), EACH)).mean(1)
            ms = 1000 * seconds / (len(samples) * 2 * STEPS)
            print(f"| {stain}, {name} | {' | '.join(f'{mean:.1f}' for mean in means)} | {ms:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("float", "half", "int8"):
        parser.add_argument(name, type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--microtome", type=Path, default=Path("target/release/microtome"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    models = {"float": args.float, "f16 weights": args.half, "int8 islands": args.int8}
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(args.microtome.resolve(), Path(folder))
        side_by_side(runner, models, args.out)
        on_the_way(runner, models, args.out)
        counted(runner, models)


if __name__ == "__main__":
    main()
