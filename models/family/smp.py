"""Exports the architectures of Segmentation Models PyTorch, as its users do.

    pip install torch segmentation-models-pytorch onnx
    python models/family/smp.py OUT [--encoder resnet18 tu-mobilenetv3_small_100 ...] [--arch Unet ...] [--dynamo]

Weights are random, but seeded, and batch normalization is calibrated on noise, so that activations keep their size.
Frames are of any size, but for two architectures whose pyramids of pooled sizes PyTorch exports for one size only, and
for DPT, which is exported for the size of its vision transformer, its only encoder here.
"""

from __future__ import annotations

import argparse

import segmentation_models_pytorch as smp
import torch

from export import arguments, calibrate, export

ARCHITECTURES = ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "PAN",
                 "UPerNet", "Segformer", "DPT")
SIDE = 128
FIXED = {"PSPNet": 192, "UPerNet": 192, "DPT": 224}
"""Exported for one size of frames: adaptive pooling to several sizes, which these divide, and position embeddings."""


def build(architecture: str, encoder: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network = getattr(smp, architecture)(encoder_name=encoder, encoder_weights=None, in_channels=1, classes=2)
    side = FIXED.get(architecture, SIDE)
    return calibrate(network, 1, side, side)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    parser.add_argument("--encoder", nargs="+", default=["resnet18"])
    parser.add_argument("--arch", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for architecture in given.arch:
        for encoder in ["tu-vit_tiny_patch16_224"] if architecture == "DPT" else given.encoder:
            path = given.out / f"{architecture}-{encoder}.onnx"
            side = FIXED.get(architecture, SIDE)
            free = None if architecture in FIXED else {2: "rows", 3: "width"}
            export(build(architecture, encoder), (torch.rand(1, 1, side, side),), path, (["image"], ["logits"]),
                   dynamo=given.dynamo, opset=given.opset or (18 if given.dynamo else 17), free=free)
            print(path)


if __name__ == "__main__":
    main()
