"""diffusers' denoising networks, tiny: `UNet2DConditionModel`, as in Stable Diffusion, and `UNet2DModel`, as in DDPM.

    python models/family/diffusion.py OUT

Writes NAME.onnx, as diffusers' own exporters name and type the inputs, and NAME.answer.bin, what ONNX Runtime makes of the
waves of make.py as sample and hidden states at timestep 321. Weights are random, but seeded. Needs what
models/diffusion/requirements.txt names.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from diffusers import UNet2DConditionModel, UNet2DModel

from make import frame

SIDE, TOKENS, WIDTH, TIME = 16, 3, 8, 321


class Answer(torch.nn.Module):
    """The tensor of a network's answer."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.network(*inputs, return_dict=False)[0]


def condition() -> torch.nn.Module:
    return UNet2DConditionModel(
        sample_size=SIDE, in_channels=4, out_channels=4, block_out_channels=(4, 8), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=2, norm_num_groups=2)


def ddpm() -> torch.nn.Module:
    return UNet2DModel(
        sample_size=SIDE, in_channels=3, out_channels=3, block_out_channels=(4, 8), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4, norm_num_groups=2)


def shorten(graph: onnx.GraphProto) -> None:
    """Short names: the exporter's are longer than these weights."""
    names = {port.name: port.name for port in (*graph.input, *graph.output)}
    names[""] = ""

    def short(name: str) -> str:
        return names.setdefault(name, f"v{len(names)}")

    for tensor in graph.initializer:
        tensor.name = short(tensor.name)
    for index, node in enumerate(graph.node):
        node.name, node.doc_string = f"{node.op_type}{index}", ""
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)


def write(name: str, network: torch.nn.Module, inputs: dict[str, np.ndarray], out: Path) -> None:
    torch.manual_seed(1)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.xavier_normal_(parameter)
        else:
            torch.nn.init.normal_(parameter, parameter.mean().item(), 0.1)
    path = out / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Answer(network.eval()), tuple(map(torch.from_numpy, inputs.values())), path, dynamo=False,
                          opset_version=17, input_names=list(inputs), output_names=["out_sample"])
    graph = onnx.load(path)
    shorten(graph.graph)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
    (answer,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, inputs)
    answer.astype("<f4").tofile(out / f"{name}.answer.bin")
    print(f"{path}: {path.stat().st_size} bytes, answers up to {np.abs(answer).max():.3f}")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    time = np.array([TIME], np.int64)
    hidden = frame(1, TOKENS, WIDTH)[0]
    write("condition", condition(), {"sample": frame(4, SIDE, SIDE), "timestep": time, "encoder_hidden_states": hidden}, out)
    write("ddpm", ddpm(), {"sample": frame(3, SIDE, SIDE), "timestep": time}, out)


if __name__ == "__main__":
    main()
