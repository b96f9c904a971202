"""The zoo models, as numbers: everything that differs between one training run and another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from postprocess import Record

ZOO = Path(__file__).resolve().parent.parent / "zoo"


@dataclass(frozen=True)
class Recipe:
    """How a zoo model is trained."""

    base: int
    """Channels of the first level; each level below has twice as many."""
    poolings: int
    steps: int
    batch: int
    crop: int
    """Rows and width of a training crop."""
    contact: float = 2.0
    """Pixels of border that an object keeps towards another one (see data.class_map)."""
    odds: dict[str, float] = field(default_factory=dict)
    """Share of the crops per kind and size; what is not named shares the rest by its frames."""
    runs: dict[str, tuple[int, int]] = field(default_factory=dict)
    """For time lapses: the held-out runs of consecutive frames."""
    split: str | None = None
    """The model whose split.csv this one uses, if not its own."""
    rate: float = 3e-3
    """Peak learning rate."""
    seed: int = 1
    post: Record = Record(threshold=0.5)
    """Post-processing, chosen on the validation frames with models/train/tune.py."""
    kinds: str = "nuclei"
    """What an object is, for model.toml."""
    source: str = "Data Science Bowl 2018 stage 1 (BBBC038), masks corrected; CC0; Caicedo et al., Nature Methods 16, 1247 (2019)"
    """Where the frames come from, with their licence."""


NUCLEI_ODDS = {
    "fluorescence 256x256": 0.32,
    "fluorescence 360x360": 0.10,
    "fluorescence 696x520": 0.24,
    "fluorescence 1272x603": 0.04,
    "histology_rgb 320x256": 0.17,
    "brightfield_gray 1024x1024": 0.09,
}

RECIPES = {
    "nuclei": Recipe(base=8, poolings=3, steps=5000, batch=16, crop=128, odds=NUCLEI_ODDS),
    "nuclei-micro": Recipe(base=4, poolings=2, steps=5000, batch=16, crop=128, odds=NUCLEI_ODDS, split="nuclei",
                           post=Record(threshold=0.45)),
    "phase": Recipe(base=8, poolings=3, steps=3500, batch=4, crop=256,
                    post=Record(threshold=0.6, min_area=300),
                    runs={"validation": (0, 2), "test": (31, 37)},
                    kinds="T98G glioblastoma cells in phase contrast",
                    source="Usiigaci phase-contrast T98G cells; MIT; Tsai et al., SoftwareX 9, 230 (2019)"),
}
