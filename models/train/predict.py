"""Runs a network over a whole frame, as a plan would: padded at the bottom and right, cropped back."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import data

MULTIPLE = 8
"""Sides are padded to multiples of this: 2 to the power of the zoo's poolings (3 at most)."""


def network_input(frame: data.Frame) -> np.ndarray:
    """`[1, 1, rows, width]` f32: luma, normalized by the frame's own levels."""
    grey = data.luma(frame.image)
    return data.normalize(grey, *data.levels(grey))[None, None]


def padded(image: torch.Tensor, multiple: int = MULTIPLE) -> torch.Tensor:
    """Sides filled up to multiples by repeating the last row and the last pixel."""
    rows, width = image.shape[-2:]
    return functional.pad(image, (0, -width % multiple, 0, -rows % multiple), mode="replicate")


@torch.no_grad()
def predict(model: nn.Module, frame: data.Frame) -> np.ndarray:
    """Logits `[3, rows, width]` f32 of a frame."""
    rows, width = frame.labels.shape
    image = padded(torch.from_numpy(network_input(frame)))
    return model(image)[0, :, :rows, :width].numpy()
