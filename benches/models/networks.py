"""The four networks that the comparison is made on, as float ONNX graphs with seeded random weights.

| | frame | what it stands for |
| --- | --- | --- |
| S | 256x256 | a slim U-Net: 8 to 64 channels, three poolings, linear upsampling; 666 MMAC |
| Sn | 256x256 | S with nearest upsampling |
| T | 512x512 | twice the channels, 2x2 transposed convolutions for upsampling; 9,202 MMAC |
| D | 256x256 | S, depthwise-separable behind the first convolution; 123 MMAC |

All have two 3x3 convolutions with ReLU per level and a 1x1 head. Weights are He-initialized, so that activations keep their
size from the first level to the last, as in a trained network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
POOLINGS = 3
SEED = 7


@dataclass(frozen=True)
class Network:
    """One of the networks."""

    side: int
    """Rows and width of the frame."""
    base: int
    """Channels of the first level; each next one has twice as many."""
    up: Literal["linear", "nearest", "transposed"]
    separable: bool = False


NETWORKS = {
    "S": Network(256, 8, "linear"),
    "Sn": Network(256, 8, "nearest"),
    "T": Network(512, 16, "transposed"),
    "D": Network(256, 8, "linear", separable=True),
}


class Builder:
    """Collects nodes and weights; tensors are their names."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(SEED)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.channels: dict[str, int] = {"image": 1}

    def node(self, op: str, inputs: list[str], channels: int, **attributes) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def constants(self, shape: tuple[int, ...], fan_in: int, biases: int) -> list[str]:
        """Weights of a convolution, and its bias."""
        at = len(self.weights)
        weights = self.constant(f"weights_{at}", self.random.normal(0, np.sqrt(2 / fan_in), shape))
        return [weights, self.constant(f"bias_{at}", self.random.normal(0, 0.05, biases))]

    def conv(self, x: str, outputs: int, kernel: int, group: int = 1) -> str:
        depth = self.channels[x] // group
        fan_in = depth * kernel * kernel
        constants = self.constants((outputs, depth, kernel, kernel), fan_in, outputs)
        return self.node("Conv", [x, *constants], outputs, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4,
                         strides=[1, 1], group=group)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], self.channels[x])

    def layer(self, x: str, outputs: int, separable: bool) -> str:
        """A 3x3 convolution with ReLU, whole or as a depthwise and a pointwise one."""
        if not separable:
            return self.relu(self.conv(x, outputs, 3))
        x = self.relu(self.conv(x, self.channels[x], 3, group=self.channels[x]))
        return self.relu(self.conv(x, outputs, 1))

    def up(self, x: str, how: str) -> str:
        """Twice the size."""
        channels = self.channels[x]
        if how == "transposed":
            constants = self.constants((channels, channels // 2, 2, 2), channels, channels // 2)
            return self.node("ConvTranspose", [x, *constants], channels // 2, kernel_shape=[2, 2], strides=[2, 2])
        scales = self.constant(f"scales_{len(self.nodes)}", np.array([1, 1, 2, 2]))
        if how == "nearest":
            return self.node("Resize", [x, "", scales], channels, mode="nearest", nearest_mode="floor",
                             coordinate_transformation_mode="asymmetric")
        return self.node("Resize", [x, "", scales], channels, mode="linear",
                         coordinate_transformation_mode="half_pixel")


def build(network: Network) -> onnx.ModelProto:
    """`image` `[1, 1, side, side]` to `logits` `[1, 1, side, side]`, both f32."""
    builder = Builder()
    x, skips = "image", []
    for level in range(POOLINGS + 1):
        if level:
            skips.append(x)
            x = builder.node("MaxPool", [x], builder.channels[x], kernel_shape=[2, 2], strides=[2, 2])
        for _ in range(2):
            x = builder.layer(x, network.base << level, network.separable and x != "image")
    for level in reversed(range(POOLINGS)):
        both = [skips[level], builder.up(x, network.up)]
        x = builder.node("Concat", both, sum(builder.channels[b] for b in both), axis=1)
        for _ in range(2):
            x = builder.layer(x, network.base << level, network.separable)
    x = builder.conv(x, 1, 1)
    builder.nodes[-1].output[0] = "logits"
    port = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, network.side, network.side])
            for name in ("image", "logits")]
    graph = helper.make_graph(builder.nodes, "benchmark", port[:1], port[1:], builder.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
