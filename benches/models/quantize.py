"""Float ONNX to QDQ int8, by ONNX Runtime's own tool: per-channel weights, min-max ranges over smooth random frames."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

CALIBRATION_FRAMES = 4


def frame(random: np.random.Generator, rows: int, width: int) -> np.ndarray:
    """A smooth random frame `[rows, width]` u8 with the full range of greys: waves of some pixels to the whole side."""
    y, x = np.mgrid[:rows, :width].astype(np.float32)
    image = np.zeros((rows, width), np.float32)
    for _ in range(24):
        length = 8 * (max(rows, width) / 8) ** random.random()
        angle, phase = random.random(2) * 2 * np.pi
        image += np.sqrt(length) * np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / length) + phase)
    image -= image.min()
    return np.round(image * (255 / image.max())).astype(np.uint8)


def network_input(image: np.ndarray) -> np.ndarray:
    """`[1, 1, rows, width]` f32 in [0, 1]."""
    return (image.astype(np.float32) / 255)[None, None]


def calibration(rows: int, width: int) -> list[np.ndarray]:
    """Calibration frames, the same ones for every model of a size."""
    random = np.random.default_rng(1)
    return [frame(random, rows, width) for _ in range(CALIBRATION_FRAMES)]


class Frames(CalibrationDataReader):
    """The calibration frames, as ONNX Runtime's tool reads them."""

    def __init__(self, name: str, rows: int, width: int) -> None:
        self.left = iter([{name: network_input(image)} for image in calibration(rows, width)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)


def quantize(source: Path, target: Path, activations: QuantType) -> None:
    """Writes `target`, the QDQ model of `source`, with activations of that type and int8 weights."""
    port = onnx.load(source).graph.input[0]
    rows, width = (d.dim_value for d in port.type.tensor_type.shape.dim[2:])
    logging.disable(logging.WARNING)  # it recommends a pre-processing that has nothing to do on these graphs
    quantize_static(source, target, Frames(port.name, rows, width), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=activations, weight_type=QuantType.QInt8)
    logging.disable(logging.NOTSET)
