"""torchvision's FCN on ResNet-50, which enlarges its logits to the size of the frame.

    pip install torch torchvision onnx
    python models/family/fcn_resnet50.py OUT

Weights are random, but seeded.
"""

from __future__ import annotations

import argparse

import torch
import torchvision
from torch import nn

from export import arguments, calibrate, export


class Logits(nn.Module):
    """The network's `out`, without the head that only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)["out"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = calibrate(Logits(), 3, 128, 128)
    export(network, (torch.rand(1, 3, 128, 160),), given.out / "fcn_resnet50.onnx", (["image"], ["logits"]),
           dynamo=given.dynamo, opset=given.opset or (18 if given.dynamo else 17), free={2: "rows", 3: "width"})


if __name__ == "__main__":
    main()
