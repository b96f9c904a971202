"""Makes runs/diffusion/model.onnx of the latest checkpoint, in float32, and beside it what ONNX cannot say, model.toml.

    python models/diffusion/export.py [--out DIR]

The file takes `sample` `[1, 3, 48, 48]`, `timestep` `[1]` and `condition` `[1, 4]`, and is checked against the checkpoint
with ONNX Runtime before it is put in place.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from cells import MOST, SIDE, STAINS
from network import CONDITION, PREDICTION, SCHEDULE, TRAINING_STEPS, Denoiser, parameters
from train import RUNS

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference of a velocity between PyTorch and ONNX Runtime; velocities are about 1."""

INPUTS = ("sample", "timestep", "condition")


def load(path: Path) -> tuple[Denoiser, int, float]:
    """The averaged weights of a checkpoint, the step they are of, and the minutes it took."""
    state = torch.load(path, weights_only=True)
    model = Denoiser()
    model.load_state_dict(state["averaged"])
    return model.eval(), state["step"], state["minutes"]


def arguments(seed: int) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(seed)
    condition = torch.zeros(1, CONDITION)
    condition[0, 0], condition[0, 1 + seed % len(STAINS)] = 0.5, 1.0
    return torch.randn(1, 3, SIDE, SIDE), torch.tensor([float(1 + 37 * seed)]), condition


def write_onnx(model: Denoiser, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, arguments(0), path, dynamo=False, opset_version=OPSET, input_names=list(INPUTS),
                          output_names=["velocity"])
    graph = onnx.load(path)
    for node in graph.graph.node:  # where the exporter ran is nobody's business
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)


def check(model: Denoiser, path: Path) -> float:
    """Largest difference between the checkpoint and the file, over several noise levels."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed in range(0, 27, 5):
        given = arguments(seed)
        with torch.no_grad():
            expected = model(*given).numpy()
        (found,) = session.run(None, {name: value.numpy() for name, value in zip(INPUTS, given)})
        worst = max(worst, float(np.abs(found - expected).max()))
    if worst > TOLERANCE:
        raise SystemExit(f"{path}: velocities differ by {worst:.2e} from PyTorch's, at most {TOLERANCE} is allowed")
    return worst


def model_toml() -> str:
    stains = ", ".join(f'"{stain}"' for stain in STAINS)
    return f"""\
# What model.onnx does not say. Written by models/diffusion/export.py; the keys are explained in models/diffusion/README.md.
name = "diffusion"

[diffusion]
num_train_timesteps = {TRAINING_STEPS}
beta_schedule = "{SCHEDULE}"
prediction_type = "{PREDICTION}"
timestep_spacing = "trailing"
steps = 25
guidance = 1.5

[[diffusion.condition]]
name = "density"
range = [0, {MOST}]

[[diffusion.condition]]
name = "stain"
choices = [{stains}]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--out", type=Path, default=RUNS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, step, minutes = load(args.runs / "latest.pt")
    args.out.mkdir(parents=True, exist_ok=True)
    part = args.out / "model.onnx.part"
    write_onnx(model, part)
    worst = check(model, part)
    part.replace(args.out / "model.onnx")
    (args.out / "model.toml").write_text(model_toml())
    size = (args.out / "model.onnx").stat().st_size
    print(f"step {step} after {minutes:.0f} minutes, {parameters(model)} parameters, {size} bytes, "
          f"velocities within {worst:.1e} of PyTorch's")


if __name__ == "__main__":
    main()
