"""The slim U-Net: one grey channel in, three logits per pixel out.

Two 3x3 convolutions (zero padding, batch norm, ReLU) per level, 2x2 max pooling on the way down,
nearest upsampling and concatenation `(skip, up)` on the way up, a 1x1 convolution as the head.
Only operators that stream row by row and quantize well; sides must be multiples of `2 ** poolings`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each followed by batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """`[N, 1, rows, width]` in [0, 1] to `[N, 3, rows, width]` logits."""

    def __init__(self, base: int, poolings: int, classes: int = 3):
        super().__init__()
        widths = [base << level for level in range(poolings + 1)]
        self.encoder = nn.ModuleList(block(a, b) for a, b in zip([1, *widths], widths))
        self.decoder = nn.ModuleList(block(a + b, a) for a, b in zip(widths[-2::-1], widths[:0:-1]))
        self.head = nn.Conv2d(base, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        skips = []
        x = image
        for level in self.encoder[:-1]:
            x = level(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.encoder[-1](x)
        for level in self.decoder:
            up = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = level(torch.cat([skips.pop(), up], 1))
        return self.head(x)


def parameters(model: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())
