"""ONNX to TFLite, for the operators that U-Nets have: float graphs to float, QDQ graphs to int8.

The graph is written operator for operator in TFLite's own terms (NHWC, ReLU fused into the convolution before it, int8 at
the model's borders), so that LiteRT can hand all of it to XNNPACK; no other framework stands between. Weights are the
ONNX file's. As TFLite requires it, and as its own quantizer does it, the inputs and the output of a concatenation, a
pooling and a resize share one quantization: the range that covers them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import helper, numpy_helper

SHARING = ("Concat", "MaxPool", "Resize")
"""Operators that move int8 values without rescaling them."""

WEIGHT_AXES = {"Conv": (0, 2, 3, 1), "Depthwise": (1, 2, 3, 0), "ConvTranspose": (1, 2, 3, 0)}
"""How ONNX's weight axes are ordered in TFLite."""


@dataclass(frozen=True)
class Quant:
    """Scales (one, or one per channel) and the zero point of int8 values."""

    scale: np.ndarray
    zero_point: int = 0

    @property
    def range(self) -> tuple[float, float]:
        return (-128 - self.zero_point) * float(self.scale), (127 - self.zero_point) * float(self.scale)

    @staticmethod
    def covering(ranges: list[tuple[float, float]]) -> Quant:
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        scale = (high - low) / 255
        return Quant(np.float32(scale), int(round(-128 - low / scale)))


@dataclass
class Graph:
    """An ONNX graph with its quantize and dequantize nodes taken out."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    """Real values by name."""
    quants: dict[str, Quant] = field(default_factory=dict)
    """Quantization of activations by name; empty for a float model."""
    rectified: set[str] = field(default_factory=set)
    """Activations that a ReLU made."""
    weight_scales: dict[str, np.ndarray] = field(default_factory=dict)
    """Scales of int8 weights by name."""
    shapes: dict[str, list[int]] = field(default_factory=dict)
    """Shapes of activations, NCHW."""


def read(path: Path) -> Graph:
    """Reads a float or a QDQ model of fixed sizes."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    graph, stored = Graph(), {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    graph.shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    graph.constants = {name: value for name, value in stored.items() if value.dtype == np.float32}
    alias: dict[str, str] = {}
    for node in model.graph.node:
        inputs = [alias.get(name, name) for name in node.input]
        output = node.output[0]
        if node.op_type == "Constant":
            graph.constants[output] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "QuantizeLinear":
            quant = Quant(stored[inputs[1]], int(stored[inputs[2]]))
            if quant != graph.quants.setdefault(inputs[0], quant):
                raise SystemExit(f"{path}: {inputs[0]} is quantized in two ways, expected one")
            alias[output] = inputs[0]
        elif node.op_type == "DequantizeLinear" and node.input[0] in stored:
            values, scale = stored[inputs[0]], stored[inputs[1]]
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            spread = [-1 if i == axis else 1 for i in range(values.ndim)] if scale.ndim else []
            graph.constants[output] = values.astype(np.float32) * scale.reshape(spread)
            graph.weight_scales[output] = np.atleast_1d(scale)
        elif node.op_type == "DequantizeLinear":
            alias[output] = inputs[0]
        else:
            kept = onnx.NodeProto()
            kept.CopyFrom(node)
            kept.input[:] = inputs
            graph.nodes.append(kept)
    outputs = {alias.get(o.name, o.name): o.name for o in model.graph.output}
    for node in graph.nodes:
        graph.shapes.setdefault(node.output[0], graph.shapes.get(outputs.get(node.output[0], ""), []))
    fuse(graph)
    # Before a shared range moves the zero point away from -128.
    graph.rectified |= {name for name, quant in graph.quants.items() if quant.zero_point == -128}
    share(graph)
    return graph


def share(graph: Graph) -> None:
    """One quantization for all that an operator of SHARING connects."""
    if not graph.quants:
        return
    group = {name: name for name in graph.quants}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for node in graph.nodes:
        if node.op_type in SHARING:
            for name in node.input:
                if name in group:
                    group[root(name)] = root(node.output[0])
    ranges: dict[str, list[tuple[float, float]]] = {}
    for name, quant in graph.quants.items():
        ranges.setdefault(root(name), []).append(quant.range)
    graph.quants = {name: Quant.covering(ranges[root(name)]) for name in group}


class Writer:
    """Writes a graph as one TFLite subgraph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.buffers = [schema.BufferT()]
        self.tensors: list[schema.TensorT] = []
        self.operators: list[schema.OperatorT] = []
        self.codes: list[int] = []
        self.index: dict[str, int] = {}

    def tensor(self, name: str, shape: list[int], kind: int, values: np.ndarray | None = None,
               quant: Quant | None = None, axis: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        if quant is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [float(s) for s in np.atleast_1d(quant.scale)]
            tensor.quantization.zeroPoint = [quant.zero_point] * len(tensor.quantization.scale)
            tensor.quantization.quantizedDimension = axis
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, name: str) -> int:
        if name not in self.index:
            n, c, h, w = self.graph.shapes[name]
            quant = self.graph.quants.get(name)
            kind = schema.TensorType.FLOAT32 if quant is None else schema.TensorType.INT8
            self.index[name] = self.tensor(name, [n, h, w, c], kind, quant=quant)
        return self.index[name]

    def integers(self, name: str, values: list[int]) -> int:
        return self.tensor(name, [len(values)], schema.TensorType.INT32, np.array(values, np.int32))

    def constants(self, node: onnx.NodeProto, order: str) -> list[int]:
        """Weights in TFLite's order, and the bias."""
        _, weights, bias = node.input
        axes = WEIGHT_AXES[order]
        real, offset = self.graph.constants[weights].transpose(axes), self.graph.constants[bias]
        if not self.graph.quants:
            float32 = schema.TensorType.FLOAT32
            return [self.tensor(weights, real.shape, float32, real), self.tensor(bias, offset.shape, float32, offset)]
        axis = 3 if order == "Depthwise" else 0
        scales = np.broadcast_to(self.graph.weight_scales[weights], real.shape[axis])
        spread = scales.reshape([-1 if i == axis else 1 for i in range(4)])
        whole = np.round(real / spread).astype(np.int8)
        sums = scales * self.graph.quants[node.input[0]].scale
        return [self.tensor(weights, real.shape, schema.TensorType.INT8, whole, Quant(scales), axis),
                self.tensor(bias, offset.shape, schema.TensorType.INT32, np.round(offset / sums).astype(np.int32),
                            Quant(sums))]

    def operator(self, code: int, inputs: list[int], output: int, kind: int, options: object) -> None:
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes.index(code), inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.operators.append(operator)

    def write(self, node: onnx.NodeProto) -> None:
        """One operator."""
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        (output,) = node.output
        x, out = self.activation(node.input[0]), self.activation(output)
        codes, kinds = schema.BuiltinOperator, schema.BuiltinOptions
        activations = schema.ActivationFunctionType
        relu = activations.RELU if output in self.graph.rectified else activations.NONE
        if node.op_type == "Conv":
            depthwise = attributes.get("group", 1) > 1
            options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.SAME, relu
            options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
            if depthwise:
                options.depthMultiplier = 1
            code = codes.DEPTHWISE_CONV_2D if depthwise else codes.CONV_2D
            kind = kinds.DepthwiseConv2DOptions if depthwise else kinds.Conv2DOptions
            self.operator(code, [x, *self.constants(node, "Depthwise" if depthwise else "Conv")], out, kind, options)
        elif node.op_type == "ConvTranspose":
            options = schema.TransposeConvOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.VALID, relu
            options.strideH, options.strideW = attributes["strides"]
            n, c, h, w = self.graph.shapes[output]
            weights, bias = self.constants(node, "ConvTranspose")
            self.operator(codes.TRANSPOSE_CONV, [self.integers(f"{output}_shape", [n, h, w, c]), weights, x, bias], out,
                          kinds.TransposeConvOptions, options)
        elif node.op_type == "MaxPool":
            options = schema.Pool2DOptionsT()
            options.padding = schema.Padding.VALID
            options.filterHeight, options.filterWidth = attributes["kernel_shape"]
            options.strideH, options.strideW = attributes["strides"]
            self.operator(codes.MAX_POOL_2D, [x], out, kinds.Pool2DOptions, options)
        elif node.op_type == "Resize":
            size = self.integers(f"{output}_size", self.graph.shapes[output][2:])
            if attributes["mode"] == b"nearest":
                options, kind = schema.ResizeNearestNeighborOptionsT(), kinds.ResizeNearestNeighborOptions
                code = codes.RESIZE_NEAREST_NEIGHBOR
            else:
                options, kind = schema.ResizeBilinearOptionsT(), kinds.ResizeBilinearOptions
                code = codes.RESIZE_BILINEAR
                options.halfPixelCenters = attributes["coordinate_transformation_mode"] == b"half_pixel"
            self.operator(code, [x, size], out, kind, options)
        elif node.op_type == "Concat":
            options = schema.ConcatenationOptionsT()
            options.axis = 3
            self.operator(codes.CONCATENATION, [self.activation(name) for name in node.input], out,
                          kinds.ConcatenationOptions, options)
        else:
            raise SystemExit(f"{node.op_type} ({output}) has no TFLite counterpart here: add it to {__file__}")


def fuse(graph: Graph) -> None:
    """Takes the Relu nodes of a float graph out. ONNX Runtime's quantizer left none: a zero point of -128 did their work."""
    kept = []
    for node in graph.nodes:
        if node.op_type == "Relu":
            producer = next(n for n in kept if n.output[0] == node.input[0])
            producer.output[0] = node.output[0]
            graph.rectified.add(node.output[0])
        else:
            kept.append(node)
    graph.nodes = kept


def convert(source: Path, target: Path) -> None:
    """Writes `target` (.tflite), the model of `source` (.onnx): int8 if it is a QDQ model."""
    graph = read(source)
    writer = Writer(graph)
    first, last = graph.nodes[0].input[0], graph.nodes[-1].output[0]
    for node in graph.nodes:
        writer.write(node)
    subgraph = schema.SubGraphT()
    subgraph.name, subgraph.tensors, subgraph.operators = "main", writer.tensors, writer.operators
    subgraph.inputs, subgraph.outputs = [writer.index[first]], [writer.index[last]]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [subgraph], writer.buffers
    model.operatorCodes = []
    for code in writer.codes:
        operator = schema.OperatorCodeT()
        operator.builtinCode = code
        operator.deprecatedBuiltinCode = min(code, 127)
        # Per-channel int8 weights, the bias of TRANSPOSE_CONV and half_pixel resizing came with later versions.
        operator.version = 5 if code == schema.BuiltinOperator.CONV_2D else 3
        model.operatorCodes.append(operator)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(builder.Output())
