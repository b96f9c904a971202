"""The U-Net of 2015 to the letter: valid 3x3 convolutions, 2x2 up-convolutions, crop and concatenate.

Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation (arXiv:1505.04597), figure 1.
A frame of 572x572 gives a map of 388x388.
"""

from __future__ import annotations

import numpy as np
import onnx

from graph import Graph

LEVELS = 4


def build(base: int = 64, classes: int = 2, opset: int = 17) -> onnx.ModelProto:
    """`base` channels at the first level, twice as many at each next one."""
    graph = Graph(1, opset)

    def double(x: str, channels: int) -> str:
        for _ in range(2):
            x = graph.relu(graph.conv(x, channels, 3))
        return x

    x, skips = "image", []
    for level in range(LEVELS):
        skips.append(double(x, base << level))
        x = graph.max_pool(skips[-1])
    x = double(x, base << LEVELS)
    # What the level below eats on each side, in its own pixels.
    eaten = 2
    for level in reversed(range(LEVELS)):
        channels = base << level
        weights = graph.weights(2 * channels, channels, 2, 2, fan_in=2 * channels)
        bias = graph.constant(np.zeros(channels, np.float32))
        up = graph.node("ConvTranspose", [x, weights, bias], channels, kernel_shape=[2, 2], strides=[2, 2])
        crop = 2 * eaten
        skip = graph.crop(skips[level], crop, graph.integers(-crop, -crop))
        x = double(graph.concat(skip, up), channels)
        eaten = crop + 4
    return graph.model(graph.conv(x, classes, 1), classes)
