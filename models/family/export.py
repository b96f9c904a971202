"""What the scripts of PyTorch networks share: calibrated batch normalization, both exporters, and inputs for tests."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn


def calibrate(network: nn.Module, *shape: int) -> nn.Module:
    """Batch normalization from noise of this shape, so that activations keep their size through random weights."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # The mean over all that was seen, rather than a moving one.
            module.momentum = None
    with torch.no_grad():
        for _ in range(2):
            network.train()(torch.rand(2, *shape))
    return network.eval()


def export(network: nn.Module, inputs: tuple, path: Path, names: tuple[list[str], list[str]], *, dynamo: bool = False,
           opset: int = 17, free: dict[int, str] | None = None) -> None:
    """`names`: of the inputs and outputs. `free`: axes of the first input, and of what has as many, that may have any size."""
    given, made = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            first = {axis: torch.export.Dim.DYNAMIC for axis in free or {}}
            torch.onnx.export(network, inputs, path, dynamo=True, opset_version=opset, input_names=given,
                              output_names=made, external_data=False, verbose=False,
                              dynamic_shapes=(first, *({} for _ in inputs[1:])))
        else:
            rank = inputs[0].ndim
            outputs = network(*inputs)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            axes = {given[0]: free} | {name: free for name, output in zip(made, outputs) if output.ndim == rank}
            torch.onnx.export(network, inputs, path, dynamo=False, opset_version=opset, input_names=given,
                              output_names=made, dynamic_axes=axes if free else None)


def values(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """What `cases.rs` of the compiler's tests gives an input: waves, or numbers from 1 to 9 for integers."""
    index = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
    if "int" in kind:
        return np.asarray(index * 7 % 9 + 1, np.int64)
    return np.asarray(1.5 * np.sin(0.7 * index + 0.3) * np.cos(0.013 * index), np.float32)


def strip(model: onnx.ModelProto) -> None:
    """Takes out what no reader needs, of exports that are kept as fixtures: where in the source nodes come from."""
    graph = model.graph
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:], model.metadata_props[:]


def script(description: str, build, frame: tuple[int, ...], path: str, names: tuple[list[str], list[str]],
           free: dict[int, str]) -> None:
    """The whole of a script that exports one network: `build()` for frames of this shape, to the file `path` in OUT."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments(parser)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    export(build(), (torch.rand(frame),), given.out / path, names, dynamo=given.dynamo,
           opset=given.opset or (18 if given.dynamo else 17), free=free)


def arguments(parser) -> None:
    """The options of every script."""
    parser.add_argument("out", type=Path)
    parser.add_argument("--dynamo", action="store_true", help="PyTorch's newer exporter, at opset 18 unless told")
    parser.add_argument("--opset", type=int)
