"""Makes the networks of the family that are written by hand here.

    python models/family/make.py OUT             # as published
    python models/family/make.py OUT --fixtures  # small, with what ONNX Runtime makes of a frame, for the tests

Needs numpy and onnx; with --fixtures, onnxruntime too. Weights are random, but seeded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx

import attention
import fcn8s
import unet2015

PUBLISHED = {"unet2015": unet2015.build, "fcn8s": fcn8s.build, "attention": attention.build}
SMALL = {
    "unet2015": (lambda: unet2015.build(base=2), (1, 204, 188)),
    "attention": (attention.build, (1, 32, 48)),
    "fcn8s": (lambda: fcn8s.build(base=2, hidden=8, classes=3), (3, 32, 64)),
}
"""Builders, and the channels, rows and width of the frame for ONNX Runtime."""


def frame(channels: int, rows: int, width: int) -> np.ndarray:
    """Waves in [0, 1], the same as in the tests: `[1, channels, rows, width]`."""
    c, y, x = np.meshgrid(np.arange(channels), np.arange(rows), np.arange(width), indexing="ij")
    return (0.5 + 0.5 * np.sin(0.11 * x + 0.9 * c) * np.cos(0.07 * y)).astype(np.float32)[None]


def fixtures(out: Path) -> None:
    import onnxruntime

    for name, (build, shape) in SMALL.items():
        path = out / f"{name}.onnx"
        onnx.save(build(), path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (logits,) = session.run(None, {"image": frame(*shape)})
        logits.astype("<f4").tofile(out / f"{name}.logits.bin")
        print(f"{path}: {shape} to {logits.shape}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fixtures", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.fixtures:
        return fixtures(arguments.out)
    for name, build in PUBLISHED.items():
        onnx.save(build(), arguments.out / f"{name}.onnx")


if __name__ == "__main__":
    main()
