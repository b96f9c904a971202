"""A slim U-Net whose deepest level attends to itself, with group normalization around it: the shape of a Stable Diffusion
U-Net's middle, in small. What core runs is islands; attention and normalization are float.
"""

from __future__ import annotations

import numpy as np
import onnx

from graph import Graph

LEVELS = 2
GROUPS = 2


def build(base: int = 8, classes: int = 2, opset: int = 17) -> onnx.ModelProto:
    """`base` channels at the first level, twice as many at each next one."""
    graph = Graph(1, opset)

    def double(x: str, channels: int) -> str:
        for _ in range(2):
            x = graph.relu(graph.conv(x, channels, 3, pad=1))
        return x

    def normalize(x: str) -> str:
        """Group normalization as PyTorch exports it: instance normalization of the groups, then a scale and an offset."""
        channels = graph.channels[x]
        groups = graph.node("Reshape", [x, graph.integers(0, GROUPS, -1)])
        ones = graph.constant(np.ones(GROUPS, np.float32))
        zeros = graph.constant(np.zeros(GROUPS, np.float32))
        groups = graph.node("InstanceNormalization", [groups, ones, zeros], epsilon=1e-5)
        back = graph.node("Reshape", [groups, graph.node("Shape", [x])], channels)
        scale = graph.constant(graph.random.uniform(0.5, 1.5, (channels, 1, 1)).astype(np.float32))
        offset = graph.constant(graph.random.normal(0, 0.2, (channels, 1, 1)).astype(np.float32))
        return graph.node("Add", [graph.node("Mul", [back, scale], channels), offset], channels)

    def attend(x: str) -> str:
        """Self-attention over all pixels, one head, with a residual."""
        channels = graph.channels[x]
        normal = normalize(x)

        def tokens(transposed: bool) -> str:
            """`[1, pixels, channels]`, or `[1, channels, pixels]`."""
            flat = graph.node("Reshape", [graph.conv(normal, channels, 1), graph.integers(0, channels, -1)])
            return flat if transposed else graph.node("Transpose", [flat], perm=[0, 2, 1])

        scale = graph.constant(np.array(channels**-0.5, np.float32))
        scores = graph.node("Mul", [graph.node("MatMul", [tokens(False), tokens(True)]), scale])
        mixed = graph.node("MatMul", [graph.node("Softmax", [scores], axis=-1), tokens(False)])
        image = graph.node("Transpose", [mixed], perm=[0, 2, 1])
        image = graph.node("Reshape", [image, graph.node("Shape", [x])], channels)
        return graph.add(x, graph.conv(image, channels, 1))

    x, skips = "image", []
    for level in range(LEVELS):
        skips.append(double(x, base << level))
        x = graph.max_pool(skips[-1])
    x = attend(double(x, base << LEVELS))
    for level in reversed(range(LEVELS)):
        scales = graph.constant(np.array([1, 1, 2, 2], np.float32))
        up = graph.node("Resize", [x, "", scales], graph.channels[x], mode="nearest", nearest_mode="floor",
                        coordinate_transformation_mode="asymmetric")
        x = double(graph.concat(skips[level], up), base << level)
    return graph.model(graph.conv(x, classes, 1), classes)
