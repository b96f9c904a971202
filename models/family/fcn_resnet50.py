"""torchvision's FCN on ResNet-50, which enlarges its logits to the size of the frame.

    pip install torch torchvision onnx
    python models/family/fcn_resnet50.py OUT

Weights are random, but seeded.
"""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from export import calibrate, script


class Logits(nn.Module):
    """The network's `out`, without the head that only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torchvision.models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=21)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)["out"]


def build() -> nn.Module:
    torch.manual_seed(0)
    return calibrate(Logits(), 3, 128, 128)


if __name__ == "__main__":
    script(__doc__, build, (1, 3, 128, 160), "fcn_resnet50.onnx", (["image"], ["logits"]), {2: "rows", 3: "width"})
