"""The network: diffusers' UNet2DConditionModel, small, and what makes tokens of a condition."""

from __future__ import annotations

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from cells import MOST, SIDE, STAINS

CHANNELS = (32, 48, 64)
TOKENS, WIDTH = 4, 32
CONDITION = 1 + len(STAINS)
"""Values of a condition: density / MOST, and one for each stain, of which one is 1. All 0: anything."""

TRAINING_STEPS = 1000
SCHEDULE, PREDICTION = "squaredcos_cap_v2", "v_prediction"


class Denoiser(nn.Module):
    """`sample` `[N, 3, 48, 48]` in [-1, 1] with noise, `timestep` `[N]`, `condition` `[N, CONDITION]`: the velocity."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(CONDITION, 64), nn.SiLU(), nn.Linear(64, TOKENS * WIDTH))
        self.unet = UNet2DConditionModel(
            sample_size=SIDE,
            in_channels=3,
            out_channels=3,
            down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
            block_out_channels=CHANNELS,
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # diffusers means the number of heads
            norm_num_groups=8,
        )

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(condition).reshape(-1, TOKENS, WIDTH)
        return self.unet(sample, timestep, tokens, return_dict=False)[0]


def condition_of(density: torch.Tensor, stain: torch.Tensor) -> torch.Tensor:
    """Densities and stains (indices) `[N]` as conditions `[N, CONDITION]`."""
    stains = nn.functional.one_hot(stain, len(STAINS)).float()
    return torch.cat([density.float()[:, None] / MOST, stains], 1)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
