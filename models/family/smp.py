"""Exports the architectures of Segmentation Models PyTorch, as its users do.

    pip install torch segmentation-models-pytorch onnx
    python models/family/smp.py OUT [--encoder resnet18 ...] [--arch Unet ...]

Weights are random, but seeded, and batch normalization is calibrated on noise, so that activations keep their size.
Frames are of any size, but for two architectures whose pyramids of pooled sizes PyTorch exports for one size only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import segmentation_models_pytorch as smp
import torch

ARCHITECTURES = ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "PAN",
                 "UPerNet", "Segformer")
SIDE = 128
FIXED = {"PSPNet": 192, "UPerNet": 192}
"""Adaptive pooling to several sizes: exported for one size of frames, which these divide."""


def build(architecture: str, encoder: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = getattr(smp, architecture)(encoder_name=encoder, encoder_weights=None, in_channels=1, classes=2)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # The mean over all that was seen, rather than a moving one.
            module.momentum = None
    with torch.no_grad():
        for _ in range(2):
            model.train()(torch.rand(2, 1, SIDE, SIDE))
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", nargs="+", default=["resnet18"])
    parser.add_argument("--arch", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    parser.add_argument("--opset", type=int, default=17)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for encoder in arguments.encoder:
        for architecture in arguments.arch:
            path = arguments.out / f"{architecture}-{encoder}.onnx"
            side = FIXED.get(architecture, SIDE)
            sides = {2: "rows", 3: "width"}
            free = {} if architecture in FIXED else {"image": sides, "logits": sides}
            torch.onnx.export(build(architecture, encoder), (torch.rand(1, 1, side, side),), path,
                              opset_version=arguments.opset, dynamo=False, input_names=["image"],
                              output_names=["logits"], dynamic_axes=free)
            print(path)


if __name__ == "__main__":
    main()
