"""Makes the models that the comparison runs on, in every form that a peer reads.

    python benches/models/make.py OUT [--zoo models/zoo] [--only NAME ...]

Per model a folder OUT/NAME with

- float.onnx, s8.onnx, u8.onnx: the float model, and QDQ models with int8 and with uint8 activations,
- float.tflite, int8.tflite: the first two of them for LiteRT,
- frame.u8, expected.f32: a frame, and what ONNX Runtime makes of it in float,
- calibration/: the frames that the QDQ models were calibrated on, for `microtome compile`,
- float.toml: tells it to make no class mask, which the peers do not make either,
- model.json: rows, width, and multiply-accumulates per frame.

Models of the zoo get a fixed frame of 640x480. All is seeded; a folder that is complete is left as it is.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType
from PIL import Image

import networks
import quantize

try:
    import tflite
except ModuleNotFoundError as missing:  # LiteRT is not to be had on every machine; the others can do without
    print(f"no TFLite models: {missing}")
    tflite = None

FILES = ("float.onnx", "s8.onnx", "u8.onnx", "calibration", "float.toml", "frame.u8", "expected.f32", "model.json")
TFLITE_FILES = ("float.tflite", "int8.tflite")
"""What a complete folder has."""

ZOO_FRAME = (480, 640)
"""Rows and width of a model that takes any."""


def fixed(path: Path, rows: int, width: int) -> onnx.ModelProto:
    """The model at `path` for frames of one size."""
    model = onnx.load(path)
    for port in (*model.graph.input, *model.graph.output):
        for dim, side in zip(port.type.tensor_type.shape.dim[2:], (rows, width)):
            dim.dim_value = side
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def multiply_accumulates(model: onnx.ModelProto) -> int:
    """Of all convolutions, for one frame."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    sizes = {v.name: np.prod([d.dim_value for d in v.type.tensor_type.shape.dim], dtype=np.int64) for v in values}
    weights = {i.name: i.dims for i in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += sizes[node.output[0]] * np.prod(weights[node.input[1]][1:])
        elif node.op_type == "ConvTranspose":
            total += sizes[node.input[0]] * np.prod(weights[node.input[1]][1:])
    return int(total)


def make(model: onnx.ModelProto, out: Path) -> None:
    """Writes the folder of one model."""
    part = out.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    onnx.save(model, part / "float.onnx")
    for name, kind in (("s8", QuantType.QInt8), ("u8", QuantType.QUInt8)):
        quantize.quantize(part / "float.onnx", part / f"{name}.onnx", kind)
    for source, target in (("float.onnx", "float.tflite"), ("s8.onnx", "int8.tflite")) if tflite else ():
        tflite.convert(part / source, part / target)
    port = model.graph.input[0]
    rows, width = (d.dim_value for d in port.type.tensor_type.shape.dim[2:])
    image = quantize.frame(np.random.default_rng(2), rows, width)
    session = onnxruntime.InferenceSession(part / "float.onnx", providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {port.name: quantize.network_input(image)})
    image.tofile(part / "frame.u8")
    expected[0].transpose(1, 2, 0).astype("<f4").tofile(part / "expected.f32")
    (part / "calibration").mkdir()
    for index, calibration in enumerate(quantize.calibration(rows, width)):
        Image.fromarray(calibration).save(part / "calibration" / f"{index}.png")
    (part / "float.toml").write_text('[output]\ntask = "none"\n')
    about = {"rows": rows, "width": width, "macs": multiply_accumulates(model)}
    (part / "model.json").write_text(json.dumps(about) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--zoo", type=Path, help="folder of the zoo; its models are made, too")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these models and no others")
    args = parser.parse_args()

    wanted = {name: lambda network=network: networks.build(network) for name, network in networks.NETWORKS.items()}
    for plan in sorted(args.zoo.glob("*/model.mtm")) if args.zoo else []:  # what no plan holds has no frame either
        path = plan.with_name("model.onnx")
        wanted[path.parent.name] = lambda path=path: fixed(path, *ZOO_FRAME)
    unknown = sorted(set(args.only or []) - set(wanted))
    if unknown:
        raise SystemExit(f"no such model: {', '.join(unknown)} (there are {', '.join(wanted)})")
    files = FILES + TFLITE_FILES if tflite else FILES
    for name, build in wanted.items():
        out = args.out / name
        if (args.only and name not in args.only) or all((out / file).exists() for file in files):
            continue
        make(build(), out)
        print(f"{name}: {json.loads((out / 'model.json').read_text())}", flush=True)


if __name__ == "__main__":
    main()
