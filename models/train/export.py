"""Makes a zoo model of a checkpoint: model.onnx, and beside it what ONNX cannot say, model.toml.

    python models/train/export.py nuclei [--runs DIR]

The ONNX file takes `image` `[1, 1, rows, width]` f32 in [0, 1], sides multiples of `2 ** poolings`, and gives
`logits` `[1, 3, rows, width]`. It is checked against the checkpoint with ONNX Runtime before it is put in place.
"""

from __future__ import annotations

import argparse
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import data
from network import UNet, parameters
from recipes import RECIPES, ZOO, Recipe
from train import RUNS

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference of a logit between PyTorch and ONNX Runtime; logits span some tens."""


def load(path: Path, recipe: Recipe) -> tuple[UNet, int]:
    """The averaged weights of a checkpoint, and the step they are of."""
    state = torch.load(path, weights_only=True)
    model = UNet(recipe.base, recipe.poolings)
    model.load_state_dict(state["averaged"])
    return model.eval(), state["step"]


def write_onnx(model: UNet, path: Path) -> None:
    """Exports with free rows and width; batch norm is folded into the convolutions by the exporter."""
    axes = {2: "rows", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(1, 1, 64, 96),), path, dynamo=False, opset_version=OPSET,
                          input_names=["image"], output_names=["logits"],
                          dynamic_axes={"image": axes, "logits": axes})
    graph = onnx.load(path)
    for node in graph.graph.node:  # where the exporter ran is nobody's business
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)


def check(model: UNet, path: Path, multiple: int) -> float:
    """Largest difference between the checkpoint and the file, over several sizes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = 0.0
    for rows, width in ((multiple, multiple), (64, 96), (3 * multiple, 50 * multiple), (520 // multiple * multiple, 696)):
        image = random.random((1, 1, rows, width), np.float32)
        with torch.no_grad():
            expected = model(torch.from_numpy(image)).numpy()
        (found,) = session.run(["logits"], {"image": image})
        if found.shape != expected.shape:
            raise SystemExit(f"{path}: logits are {found.shape} for {rows}x{width}, expected {expected.shape}")
        worst = max(worst, float(np.abs(found - expected).max()))
    if worst > TOLERANCE:
        raise SystemExit(f"{path}: logits differ by {worst:.2e} from PyTorch's, at most {TOLERANCE} is allowed")
    return worst


def model_toml(name: str, recipe: Recipe) -> str:
    """What the compiler must know beside the ONNX file; the keys are explained in models/train/README.md."""
    classes = ", ".join(f'"{name}"' for name in data.CLASSES)
    post = recipe.post
    return f"""\
# What model.onnx does not say. Written by models/train/export.py; the keys are explained in models/train/README.md.
name = "{name}"
objects = "{recipe.kinds}"
source = "{recipe.source}"

[input]
channels = 1
normalization = "percentile"
low = {data.LOW_PERCENT}
high = {data.HIGH_PERCENT}
of = "frame"
gain = [1.0]
offset = [0.0]

[output]
classes = [{classes}]
task = "interior-border"
object = {data.INTERIOR}
border = {data.BORDER}
threshold = {post.threshold}
min_area = {post.min_area}
grow = {post.grow}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--runs", type=Path, default=RUNS)
    args = parser.parse_args()
    recipe = RECIPES[args.name]

    model, step = load(args.runs / args.name / "latest.pt", recipe)
    out = ZOO / args.name
    part = out / "model.onnx.part"
    write_onnx(model, part)
    worst = check(model, part, 1 << recipe.poolings)
    part.replace(out / "model.onnx")
    (out / "model.toml").write_text(model_toml(args.name, recipe))
    shutil.copyfile(args.runs / args.name / "curves.png", out / "curves.png")
    size = (out / "model.onnx").stat().st_size
    print(f"{args.name}: step {step}, {parameters(model)} parameters, {size} bytes, "
          f"logits within {worst:.1e} of PyTorch's")


if __name__ == "__main__":
    main()
