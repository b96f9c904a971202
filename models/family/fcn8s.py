"""FCN-8s as published: a VGG-16 whose fully connected layers are convolutions, and two skips that are added.

Shelhamer, Long, Darrell: Fully Convolutional Networks for Semantic Segmentation (arXiv:1605.06211), and its reference
implementation (voc-fcn8s): the frame is padded by 100, pools round up, transposed convolutions start bilinear, and crops
begin at 5, 9 and 31.
"""

from __future__ import annotations

import numpy as np
import onnx

from graph import Graph

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""VGG-16: channels, in units of the first block's, and convolutions of each block."""


def bilinear(channels: int, kernel: int) -> np.ndarray:
    """Weights that interpolate every channel for itself: `[channels, channels, kernel, kernel]`."""
    factor = (kernel + 1) // 2
    centre = factor - 1 if kernel % 2 else factor - 0.5
    ramp = 1 - np.abs(np.arange(kernel) - centre) / factor
    weights = np.zeros((channels, channels, kernel, kernel), np.float32)
    weights[range(channels), range(channels)] = np.outer(ramp, ramp)
    return weights


def build(base: int = 64, hidden: int = 4096, classes: int = 21, opset: int = 17) -> onnx.ModelProto:
    """`base` channels in the first block, `hidden` behind the 7x7 convolution."""
    graph = Graph(3, opset)

    def up(x: str, factor: int) -> str:
        """`factor` times larger."""
        kernel = 2 * factor
        weights = graph.constant(bilinear(classes, kernel))
        return graph.node("ConvTranspose", [x, weights], classes, kernel_shape=[kernel] * 2, strides=[factor] * 2)

    x, pools = "image", []
    for block, (width, convolutions) in enumerate(BLOCKS):
        for index in range(convolutions):
            x = graph.relu(graph.conv(x, base * width, 3, pad=100 if block == index == 0 else 1))
        x = graph.max_pool(x, ceil=True)
        pools.append(x)
    x = graph.relu(graph.conv(x, hidden, 7))
    x = graph.relu(graph.conv(x, hidden, 1))
    x = up(graph.conv(x, classes, 1), 2)
    # The reference scales the pools down, as the score began as that of the 32-pixel network.
    for pool, offset, factor in ((pools[3], 5, 2), (pools[2], 9, 8)):
        skip = graph.crop_to(graph.conv(pool, classes, 1), offset, x)
        x = up(graph.add(x, skip), factor)
    return graph.model(graph.crop_to(x, 31, "image"), classes)
