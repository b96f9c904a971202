"""Training crops: where they are taken, and how they are varied.

The variations are the U-Net paper's (shifts, rotations, elastic deformation, grey values) and a camera's
(exposure, gamma, uneven light, blur, shot noise, the levels of another frame). One batch is warped by one
`grid_sample`, so that a step is spent on the network.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch.nn import functional

from data import JITTER_HIGH, JITTER_LOW, Example

LUMA = np.array([77, 150, 29], np.float32) / 256
PATCH = 1.5
"""Side of the patch that is cut out, in crops: room for rotation and for a smaller scale."""


class Crops:
    """An endless, seeded source of batches."""

    def __init__(self, examples: list[Example], batch: int, crop: int, odds: dict[str, float], seed: int):
        self.examples, self.batch, self.crop = examples, batch, crop
        self.random = np.random.default_rng(seed)
        self.torch_random = torch.Generator().manual_seed(seed)
        self.frame_odds = frame_odds(examples, odds)
        side = torch.linspace(-1, 1, crop) * (1 - 1 / crop)
        self.grid = torch.stack(torch.meshgrid(side, side, indexing="ij")[::-1], -1)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images `[N, 1, crop, crop]` f32 in [0, 1], classes `[N, crop, crop]` i64, weights f32."""
        chosen = self.random.choice(len(self.examples), self.batch, p=self.frame_odds)
        patches = [self.patch(self.examples[i]) for i in chosen]
        grid = self.warp()
        images = torch.from_numpy(np.stack([p[0] for p in patches]))[:, None]
        targets = torch.from_numpy(np.stack([p[1] for p in patches]))
        images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        targets = functional.grid_sample(targets, grid, mode="nearest", padding_mode="reflection", align_corners=False)
        return self.expose(images), targets[:, 0].long(), targets[:, 1]

    def patch(self, example: Example) -> tuple[np.ndarray, np.ndarray]:
        """A normalized, unclamped patch, and its classes and weights."""
        rows, width = example.classes.shape
        side = int(self.crop * PATCH)
        if len(example.centres) and self.random.random() < 0.5:
            middle = example.centres[self.random.choice(len(example.centres), p=example.odds)]
            middle = middle + self.random.uniform(-0.35, 0.35, 2) * self.crop
        else:
            middle = self.random.uniform(0, 1, 2) * (rows, width)
        height, breadth = min(side, rows), min(side, width)
        top = int(np.clip(middle[0] - height / 2, 0, rows - height))
        left = int(np.clip(middle[1] - breadth / 2, 0, width - breadth))
        window = np.s_[..., top : top + height, left : left + breadth]

        image = example.frame.image[window].astype(np.float32)
        if len(image) == 3:  # stains and white balance differ
            mix = LUMA * np.exp(self.random.normal(0, 0.25, 3))
            image = np.tensordot((mix / mix.sum()).astype(np.float32), image, 1)
        else:
            image = image[0]
        low, high = example.low[2], example.high[2]
        if self.random.random() < 0.5:  # the levels of the frame before
            low = np.interp(self.random.uniform(JITTER_LOW[0], JITTER_LOW[-1]), JITTER_LOW, example.low)
            high = np.interp(self.random.uniform(JITTER_HIGH[0], JITTER_HIGH[-1]), JITTER_HIGH, example.high)
            high = low + (high - low) * self.random.uniform(0.85, 1.15)
        image = (image - np.float32(low)) / np.float32(max(high - low, 1))
        target = np.stack([example.classes[window].astype(np.float32), example.weights[window].astype(np.float32)])
        if (height, breadth) != (side, side):
            pad = ((0, side - height), (0, side - breadth))
            image = np.pad(image, pad, mode="symmetric")
            target = np.pad(target, ((0, 0), *pad), mode="symmetric")
        return image, target

    def warp(self) -> torch.Tensor:
        """Sampling grid `[N, crop, crop, 2]` in the patch: rotation, mirror, scale, elastic deformation."""
        count = self.batch
        turned = self.random.random(count) < 0.6
        angle = np.where(turned, self.random.uniform(-np.pi, np.pi, count), self.random.integers(0, 4, count) * np.pi / 2)
        scale = np.where(turned, np.exp(self.random.uniform(np.log(0.75), np.log(1.35), count)), 1.0) / PATCH
        mirror = self.random.choice([-1.0, 1.0], count)
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.stack([cos * mirror, -sin, sin * mirror, cos], -1).reshape(count, 1, 2, 2)
        grid = (self.grid.reshape(1, -1, 1, 2) * torch.from_numpy(matrix).float()).sum(-1)
        grid = grid.reshape(count, self.crop, self.crop, 2)
        # The paper's elastic deformation: random vectors on a coarse grid, bicubic in between.
        strength = np.where(turned, self.random.uniform(0, 0.035, count), 0.0)
        coarse = self.normal(count, 2, 5, 5) * torch.from_numpy(strength).float().reshape(-1, 1, 1, 1)
        bend = functional.interpolate(coarse, size=self.crop, mode="bicubic", align_corners=True)
        return grid + bend.permute(0, 2, 3, 1)

    def expose(self, images: torch.Tensor) -> torch.Tensor:
        """What lens and sensor do to normalized images; ends with the device's clamp to [0, 1]."""
        count = len(images)
        light = functional.interpolate(self.normal(count, 1, 3, 3), size=self.crop, mode="bicubic", align_corners=True)
        images = images * (1 + self.sometimes(0.5, 0.15) * light) + self.sometimes(0.3, 0.05) * light.flip(2)
        images = self.blur(images.clamp(0, 1.5))
        gamma = torch.exp(self.sometimes(0.5, 0.35) * self.normal(count, 1, 1, 1))
        images = images.clamp(min=1e-4) ** gamma
        grain = self.sometimes(0.4, 0.04) + self.sometimes(0.3, 0.08) * images.clamp(min=0).sqrt()
        return (images + grain * self.normal(*images.shape)).clamp(0, 1)

    def blur(self, images: torch.Tensor) -> torch.Tensor:
        """A Gaussian of its own width for every third image."""
        sigma = self.sometimes(0.35, 1.6).clamp(min=0.05)
        taps = torch.arange(-4, 5).float()
        kernel = torch.exp(-(taps**2) / (2 * sigma.reshape(-1, 1) ** 2))
        kernel = (kernel / kernel.sum(1, keepdim=True)).reshape(self.batch, 1, 1, 9)
        stacked = functional.pad(images.transpose(0, 1), (4, 4, 4, 4), mode="reflect")
        stacked = functional.conv2d(stacked, kernel, groups=self.batch)
        stacked = functional.conv2d(stacked, kernel.transpose(2, 3), groups=self.batch)
        return stacked.transpose(0, 1)

    def sometimes(self, odds: float, most: float) -> torch.Tensor:
        """Per image `[N, 1, 1, 1]`: with the given odds a number in [0, most], else 0."""
        value = np.where(self.random.random(self.batch) < odds, self.random.uniform(0, most, self.batch), 0.0)
        return torch.from_numpy(value).float().reshape(-1, 1, 1, 1)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.torch_random)


def frame_odds(examples: list[Example], odds: dict[str, float]) -> np.ndarray:
    """How likely each frame is drawn, so that kinds and sizes get the shares in `odds`."""
    buckets = defaultdict(list)
    for i, example in enumerate(examples):
        bucket = example.frame.bucket
        buckets[bucket if bucket in odds else "rest"].append(i)
    rest = 1.0 - sum(odds[bucket] for bucket in buckets if bucket != "rest")
    chances = np.zeros(len(examples))
    for bucket, members in buckets.items():
        chances[members] = odds.get(bucket, rest) / len(members)
    return chances / chances.sum()
