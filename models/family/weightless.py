"""Whole networks for the tests, without the weights that would make them too large to keep: exports as users make them,
whose weights are noise that the tests make anew, and what ONNX Runtime makes of those.

    python models/family/weightless.py models/compiler/tests/fixtures/smp [NAME ...]

Needs torch, torchvision, segmentation-models-pytorch, onnx, onnxscript and onnxruntime. A network is built and calibrated
as smp.py does it, and exported; only then every float initializer of at least `LEAST` values becomes noise of the same
mean and deviation, and stands in the file as external data at the location `noise`, with a `seed`, a `middle` and a
`reach`. Value i of it is middle + reach * u, in f32, where u in [-1, 1) is made of 24 bits of a hash of seed and i:
see `noise`, and `models/compiler/tests/common/noise.rs`, which makes the same bits.

Noise loses what calibration gave the weights: channels are no longer centred, so activations would grow from layer to
layer, and rounding with them. `tame` gives the products weights, one after the other, by which what they make of the
frames is of size 1 at most.

Writes NAME.onnx, NAME.bin and cases.txt, whose lines are as `compiler/tests/fixtures/exports/generate.py` has them, but
that `name:shape/N` stands for every Nth value of an output, from the first on.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import fcn_resnet50
import smp
from export import export, strip, values

NETWORKS = (
    "Unet-resnet18-ts17", "Unet-mobilenet_v2-dynamo18", "UnetPlusPlus-mobilenet_v2-ts11", "UnetPlusPlus-resnet18-dynamo20",
    "MAnet-efficientnet_b0-ts13", "MAnet-resnet18-dynamo19", "Linknet-mobilenetv3-ts14", "Linknet-efficientnet_b0-dynamo21",
    "FPN-resnet18-ts16", "FPN-mobilenetv3-dynamo18", "PSPNet-mobilenet_v2-ts12", "PSPNet-efficientnet_b0-dynamo20",
    "DeepLabV3-efficientnet_b0-ts15", "DeepLabV3-mobilenet_v2-dynamo19", "DeepLabV3Plus-resnet18-ts11",
    "DeepLabV3Plus-mobilenetv3-dynamo21", "PAN-mobilenet_v2-ts13", "PAN-mobilenetv3-dynamo18", "UPerNet-mobilenetv3-ts15",
    "UPerNet-resnet18-dynamo20", "Segformer-resnet18-ts12", "Segformer-mobilenet_v2-dynamo21", "DPT-vit_tiny-ts14",
    "DPT-vit_tiny-dynamo18", "fcn-resnet50-ts11", "fcn-resnet50-dynamo19",
)
"""Architecture, encoder, and exporter with its opset. Every architecture by both exporters."""

ENCODERS = {"efficientnet_b0": "efficientnet-b0", "mobilenetv3": "tu-mobilenetv3_small_100",
            "vit_tiny": "tu-vit_tiny_patch16_224"}
"""What smp calls those that have other names here."""

SIZES = {"PAN": [(128, 128), (128, 256)], "fcn": [(64, 96), (72, 40)]}
"""Rows and width of the frames, other than those of `sizes`."""

LEAST = 32
"""Values of an initializer that becomes noise."""

EVERY, MOST = (1, 7, 31, 101), 2500
"""Every Nth value of an output is kept, by the first N that leaves no more than `MOST`."""

PRODUCTS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def noise(seed: int, count: int, middle: np.float32, reach: np.float32) -> np.ndarray:
    """`count` values, uniform in [middle - reach, middle + reach)."""
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) + np.uint32(seed) * np.uint32(0x9E37_79B9)
        for shift, factor in ((16, 0x7FEB_352D), (15, 0x846C_A68B)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    bits = (x ^ (x >> np.uint32(16))) >> np.uint32(8)
    u = (bits.astype(np.int32) - (1 << 23)).astype(np.float32) * np.float32(2.0**-23)
    return np.float32(middle) + np.float32(reach) * u


class Weight:
    """An initializer that becomes noise of its mean and deviation, and its sign where all of it has the same."""

    def __init__(self, tensor: onnx.TensorProto, seed: int) -> None:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        self.tensor, self.seed, self.count, self.middle = tensor, seed, values.size, np.float32(values.mean())
        # Where all are the same, biases of 0 and scales of 1 for instance, some noise makes their place matter.
        reach = math.sqrt(3) * values.std() or 0.1
        self.reach = np.float32(min(reach, 0.9 * abs(self.middle)) if values.min() > 0 or values.max() < 0 else reach)

    def values(self) -> np.ndarray:
        return noise(self.seed, self.count, self.middle, self.reach).reshape(self.tensor.dims)

    def scale(self, factor: float) -> None:
        self.middle, self.reach = np.float32(self.middle * factor), np.float32(self.reach * factor)

    def empty(self) -> None:
        """Puts the noise's name in the place of the values."""
        self.tensor.ClearField("raw_data")
        self.tensor.data_location = TensorProto.EXTERNAL
        # str gives the shortest decimals that are read as the same f32.
        for key, value in (("location", "noise"), ("seed", self.seed), ("middle", self.middle), ("reach", self.reach)):
            self.tensor.external_data.add(key=key, value=str(value))


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    """What ONNX Runtime makes of the image."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": image})[0]


def probe(model: onnx.ModelProto, weights: dict[str, Weight]) -> onnxruntime.InferenceSession:
    """Takes the weights as inputs, and hands out every value."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    kept = [tensor for tensor in copy.graph.initializer if tensor.name not in weights]
    del copy.graph.initializer[:], copy.graph.output[:]
    copy.graph.initializer.extend(kept)
    copy.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(weight.tensor.dims))
                            for name, weight in weights.items())
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for node in copy.graph.node for name in node.output)
    return onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])


def tame(model: onnx.ModelProto, frames: list[np.ndarray]) -> dict[str, Weight]:
    """Makes noise of the large initializers, for which products make values of a size of about 1 of these frames."""
    large = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT and math.prod(t.dims) >= LEAST]
    weights = {tensor.name: Weight(tensor, seed) for seed, tensor in enumerate(large)}
    session = probe(model, weights)
    given = {name: weight.values() for name, weight in weights.items()}
    for node in model.graph.node:
        if node.op_type not in PRODUCTS or node.input[1] not in weights:
            continue
        weight, *bias = (weights[name] for name in node.input[1:] if name in weights)
        if bias:
            bias[0].middle, bias[0].reach = np.float32(0), np.float32(0.3)
            given[node.input[2]] = bias[0].values()
        made = [session.run([node.output[0]], given | {"image": frame})[0] for frame in frames]
        # What is nowhere positive would end at the next ReLU.
        sign = 1 if max(array.max() for array in made) > 0 else -1
        size = max(math.sqrt(np.square(array, dtype=np.float64).mean()) for array in made)
        weight.scale(sign / (size or 1))
        given[node.input[1]] = weight.values()
    for name, weight in weights.items():
        weight.tensor.raw_data = given[name].tobytes()
    return weights


def sizes(architecture: str) -> list[tuple[int, int]]:
    """Rows and width of the frames."""
    side = smp.FIXED.get(architecture)
    return [(side, side)] if side else SIZES.get(architecture, [(64, 96), (128, 64)])


def exported(name: str) -> tuple[onnx.ModelProto, int]:
    """A network as its users export it, and the channels that it takes."""
    architecture, encoder, exporter = name.split("-")
    dynamo, opset = exporter.startswith("dynamo"), int(exporter[-2:])
    if architecture == "fcn":
        network, channels = fcn_resnet50.build(), 3
    else:
        network, channels = smp.build(architecture, ENCODERS.get(encoder, encoder)), 1
    side = smp.FIXED.get(architecture, smp.SIDE)
    free = None if architecture in smp.FIXED else {2: "rows", 3: "width"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(network, (torch.rand(1, channels, side, side),), path, (["image"], ["logits"]), dynamo=dynamo,
               opset=opset, free=free)
        return onnx.load(path), channels


def write(name: str, out: Path) -> list[str]:
    """Writes a network and what ONNX Runtime makes of it, and returns its lines of cases.txt."""
    model, channels = exported(name)
    strip(model)
    frames = [values("image", (1, channels, *size)) for size in sizes(name.split("-")[0])]
    weights = tame(model, frames)
    lines, recorded = [], []
    for image in frames:
        logits = run(model, image)
        every = next(n for n in EVERY if logits.size <= n * MOST)
        recorded.append(logits.ravel()[::every].astype("<f4"))
        sides = lambda array: "x".join(map(str, array.shape))  # noqa: E731
        lines.append(f"{name} image:{sides(image)} -> logits:{sides(logits)}/{every}")
        # A network whose output hardly depends on the place would not tell a wrong one from a right one.
        varied = np.ptp(logits, axis=(2, 3)).min() / np.ptp(logits)
        print(f"{lines[-1]}: {logits.min():.3g} to {logits.max():.3g}, {100 * varied:.0f} % of it within a channel", flush=True)
        if varied < 0.1 or not 0.01 < np.ptp(logits) < 1e3:
            raise SystemExit(f"{name}: its outputs are dead, or far too large")
    for weight in weights.values():
        weight.empty()
    onnx.save(model, out / f"{name}.onnx")
    np.concatenate(recorded).tofile(out / f"{name}.bin")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("name", nargs="*", choices=[*NETWORKS, []], help="one of NETWORKS; all, unless told")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    cases = given.out / "cases.txt"
    lines = cases.read_text().splitlines() if cases.exists() and given.name else []
    for name in given.name or NETWORKS:
        lines = [line for line in lines if line.split()[0] != name] + write(name, given.out)
        cases.write_text("\n".join(sorted(lines, key=lambda line: line.split()[0])) + "\n")


if __name__ == "__main__":
    main()
