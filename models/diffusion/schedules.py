"""Records what diffusers' schedulers make of a few numbers, for the tests.

    python models/diffusion/schedules.py runtime-linux/tests/fixtures/schedulers.json

Each case has a configuration, the network's answers (random numbers), and the samples after every step. Samples of Euler
are written as the network sees them, over the root of σ² + 1, which leaves every level its own precision.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler

VALUES = 6

LINEAR = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
SCALED = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
COSINE = {"beta_schedule": "squaredcos_cap_v2"}

CASES = [
    ("ddim", {**LINEAR, "prediction_type": "epsilon", "clip_sample": True, "timestep_spacing": "leading"}, 10, 0.0),
    ("ddim", {**SCALED, "prediction_type": "epsilon", "clip_sample": False, "timestep_spacing": "leading",
              "steps_offset": 1, "set_alpha_to_one": False}, 8, 0.0),
    ("ddim", {**COSINE, "prediction_type": "v_prediction", "clip_sample": True, "timestep_spacing": "trailing"}, 10, 0.0),
    ("ddim", {**LINEAR, "prediction_type": "sample", "clip_sample": True, "clip_sample_range": 0.8,
              "timestep_spacing": "trailing"}, 5, 0.0),
    ("ddim", {**LINEAR, "prediction_type": "v_prediction", "clip_sample": False, "timestep_spacing": "trailing",
              "rescale_betas_zero_snr": True}, 5, 0.0),
    ("ddim", {**LINEAR, "prediction_type": "epsilon", "clip_sample": True, "timestep_spacing": "leading"}, 10, 0.7),
    ("euler", {**SCALED, "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}, 8, 0.0),
    ("euler", {**LINEAR, "prediction_type": "epsilon", "timestep_spacing": "linspace"}, 9, 0.0),
    ("euler", {**LINEAR, "prediction_type": "sample", "timestep_spacing": "trailing"}, 7, 0.0),
    ("euler", {**COSINE, "prediction_type": "v_prediction", "timestep_spacing": "leading"}, 10, 0.0),
]


def record(kind: str, config: dict, steps: int, eta: float, random: np.random.Generator) -> dict:
    scheduler = (DDIMScheduler if kind == "ddim" else EulerDiscreteScheduler)(num_train_timesteps=1000, **config)
    scheduler.set_timesteps(steps)

    def normal() -> torch.Tensor:
        return torch.from_numpy(random.normal(0, 1, VALUES).astype(np.float32))

    def listed(values: torch.Tensor) -> list[float]:
        return [float(value) for value in values]

    start = normal()
    x = start * scheduler.init_noise_sigma
    outputs, noises, samples = [], [], []
    for step, time in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(x, time)
        outputs.append(normal())
        if kind == "ddim":
            noises.append(normal())
            x = scheduler.step(outputs[-1], time, x, eta=eta, variance_noise=noises[-1] if eta else None).prev_sample
            samples.append(listed(x))
        else:
            x = scheduler.step(outputs[-1], time, x, s_churn=0.0).prev_sample
            samples.append(listed(x / (scheduler.sigmas[step + 1] ** 2 + 1) ** 0.5))
    return {"scheduler": kind, "config": config, "steps": steps, "eta": eta, "start": float(scheduler.init_noise_sigma),
            "timesteps": [float(time) for time in scheduler.timesteps], "noise": listed(start),
            "outputs": [listed(output) for output in outputs], "added": [listed(noise) for noise in noises],
            "samples": samples}


def main() -> None:
    random = np.random.default_rng(1)
    cases = [record(*case, random) for case in CASES]
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases) + "\n")
    print(f"{path}: {len(cases)} cases")


if __name__ == "__main__":
    main()
