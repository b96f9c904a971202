"""Building ONNX graphs by hand: tensors are their names, weights are seeded random numbers."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 11


class Graph:
    """Nodes and weights so far."""

    def __init__(self, channels: int, opset: int) -> None:
        self.random = np.random.default_rng(SEED)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.channels: dict[str, int] = {"image": channels}

    def node(self, op: str, inputs: list[str], channels: int = 0, **attributes) -> str:
        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def constant(self, values: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def weights(self, *shape: int, fan_in: int) -> str:
        """He's initialization: activations keep their size through ReLUs."""
        return self.constant(self.random.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32))

    def conv(self, x: str, outputs: int, kernel: int, pad: int = 0) -> str:
        inputs = self.channels[x]
        weights = self.weights(outputs, inputs, kernel, kernel, fan_in=inputs * kernel**2)
        bias = self.constant(self.random.normal(0, 0.05, outputs).astype(np.float32))
        return self.node("Conv", [x, weights, bias], outputs, kernel_shape=[kernel] * 2, pads=[pad] * 4)

    def relu(self, x: str) -> str:
        return self.node("Relu", [x], self.channels[x])

    def max_pool(self, x: str, ceil: bool = False) -> str:
        return self.node("MaxPool", [x], self.channels[x], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=int(ceil))

    def concat(self, *inputs: str) -> str:
        return self.node("Concat", list(inputs), sum(self.channels[x] for x in inputs), axis=1)

    def add(self, a: str, b: str) -> str:
        return self.node("Add", [a, b], self.channels[a])

    def crop(self, x: str, start: int, end: str) -> str:
        """Rows and columns from `start` to `end`."""
        starts, axes = self.integers(start, start), self.integers(2, 3)
        return self.node("Slice", [x, starts, end, axes], self.channels[x])

    def crop_to(self, x: str, offset: int, like: str) -> str:
        """As many rows and columns as `like` has, from `offset` on."""
        sides = self.node("Slice", [self.node("Shape", [like]), self.integers(2), self.integers(4)])
        return self.crop(x, offset, self.node("Add", [sides, self.integers(offset, offset)]))

    def model(self, output: str, classes: int) -> onnx.ModelProto:
        """`image` `[1, channels, rows, width]` to `logits` `[1, classes, …]`, of any size."""
        self.nodes.append(helper.make_node("Identity", [output], ["logits"], name="logits"))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, self.channels["image"], "rows", "width"])
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes, None, None])
        graph = helper.make_graph(self.nodes, "family", [image], [logits], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model
