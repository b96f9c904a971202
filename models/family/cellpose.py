"""Cellpose: flows to the middle of cells and their probability, by a residual U-Net with a style.

    pip install torch onnx
    python models/family/cellpose.py OUT

Stringer, Wang, Michaelos, Pachitariu: Cellpose (doi:10.1038/s41592-020-01018-x), as its package builds the network
`cyto`: blocks of batch normalization, ReLU and convolution, added to a 1x1 projection; the deepest level, averaged over the
frame and of length 1, is the style, which goes into every block of the decoder. Weights are random, but seeded.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from export import calibrate, script


def conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))


def projection(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.Conv2d(inputs, outputs, 1))


class Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.projection = projection(inputs, outputs)
        self.convs = nn.ModuleList(conv(inputs if index == 0 else outputs, outputs) for index in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.projection(x) + self.convs[1](self.convs[0](x))
        return x + self.convs[3](self.convs[2](x))


class Styled(nn.Module):
    """A convolution of what has the style added."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.conv = conv(inputs, outputs)
        self.full = nn.Linear(style, outputs)

    def forward(self, style: torch.Tensor, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        x = x if skip is None else x + skip
        return self.conv(x + self.full(style).unsqueeze(-1).unsqueeze(-1))


class Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        super().__init__()
        self.projection = projection(inputs, outputs)
        self.conv = conv(inputs, outputs)
        self.styled = nn.ModuleList(Styled(outputs, outputs, style) for _ in range(3))

    def forward(self, x: torch.Tensor, skip: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        x = self.projection(x) + self.styled[0](style, self.conv(x), skip)
        return x + self.styled[2](style, self.styled[1](style, x))


class Cellpose(nn.Module):
    """`[1, 2, rows, width]` to `[1, 3, rows, width]` and the style, `[1, channels[-1]]`."""

    def __init__(self, channels: tuple[int, ...] = (32, 64, 128, 256), inputs: int = 2, outputs: int = 3) -> None:
        super().__init__()
        before = (inputs, *channels)
        self.down = nn.ModuleList(map(Down, before, channels))
        above = (*channels[1:], channels[-1])
        self.up = nn.ModuleList(Up(wide, narrow, channels[-1]) for wide, narrow in zip(above, channels))
        self.output = conv(channels[0], outputs, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        skips = []
        for level, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        style = F.adaptive_avg_pool2d(x, 1).flatten(1)
        style = style / torch.sum(style**2, dim=1, keepdim=True) ** 0.5
        for level in reversed(range(len(skips))):
            x = self.up[level](x, skips[level], style)
            if level:
                x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.output(x), style


def build(**sizes) -> nn.Module:
    torch.manual_seed(0)
    return calibrate(Cellpose(**sizes), 2, 64, 64)


NAMES = ["image"], ["flows", "style"]
FREE = {2: "rows", 3: "width"}


if __name__ == "__main__":
    script(__doc__, build, (1, 2, 128, 160), "cellpose.onnx", NAMES, FREE)
