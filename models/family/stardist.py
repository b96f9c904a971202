"""StarDist: for every second pixel, the probability that it is in an object, and the distances to its border along 32 rays.

    pip install torch onnx
    python models/family/stardist.py OUT

Schmidt, Weigert, Broaddus, Myers: Cell Detection with Star-Convex Polygons (arXiv:1806.03535), with the defaults of its
2D models: a U-Net of three levels on a grid of 2, and 128 features before the two heads. Weights are random, but seeded.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from export import script

RAYS, LEVELS = 32, 3


def double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(),
                         nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU())


class StarDist(nn.Module):
    """`[1, 1, rows, width]` to probabilities `[1, 1, rows / 2, width / 2]` and distances `[1, 32, rows / 2, width / 2]`."""

    def __init__(self, base: int = 32, features: int = 128, rays: int = RAYS) -> None:
        super().__init__()
        self.grid = double(1, base)
        self.down = nn.ModuleList(double(base << max(level - 1, 0), base << level) for level in range(LEVELS + 1))
        self.up = nn.ModuleList(double((base << level) * 3, base << level) for level in range(LEVELS))
        self.features = nn.Conv2d(base, features, 3, padding=1)
        self.probability = nn.Conv2d(features, 1, 1)
        self.distances = nn.Conv2d(features, rays, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.max_pool2d(self.grid(x), 2)
        skips = []
        for level, down in enumerate(self.down):
            x = down(x)
            if level < LEVELS:
                skips.append(x)
                x = F.max_pool2d(x, 2)
        for level in reversed(range(LEVELS)):
            x = self.up[level](torch.cat([F.interpolate(x, scale_factor=2.0), skips[level]], 1))
        x = F.relu(self.features(x))
        return torch.sigmoid(self.probability(x)), self.distances(x)


def build(**sizes: int) -> nn.Module:
    torch.manual_seed(0)
    network = StarDist(**sizes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return network.eval()


NAMES = ["image"], ["probability", "distances"]
FREE = {2: "rows", 3: "width"}


if __name__ == "__main__":
    script(__doc__, build, (1, 1, 128, 160), "stardist.onnx", NAMES, FREE)
