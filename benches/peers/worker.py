"""A worker of `cargo xtask bench peers` for the runtimes that are Python packages.

    worker.py RUNTIME MODEL FRAME ROWS WIDTH THREADS

RUNTIME is onnxruntime, openvino, openvino-bf16, or litert. The line protocol is that of src/protocol.rs. Memory is counted from
where the runtime is imported and nothing is loaded yet. Frames and outputs are as the model has them: f32 in NCHW for
ONNX models, f32 or int8 in NHWC for TFLite ones; no conversion is timed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Run = Callable[[], None]
Output = Callable[[], np.ndarray]
"""The last output, f32 `[rows, width, channels]`."""
Load = Callable[[str, np.ndarray, int], tuple[Run, Output]]
"""Model, frame `[rows, width]` f32 in [0, 1], threads."""


def pixels(planes: np.ndarray) -> np.ndarray:
    """`[1, channels, rows, width]` to `[rows, width, channels]`."""
    return planes[0].transpose(1, 2, 0)


def onnxruntime() -> tuple[str, Load]:
    import onnxruntime as ort

    def load(model: str, frame: np.ndarray, threads: int) -> tuple[Run, Output]:
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (port,), (out,) = session.get_inputs(), session.get_outputs()
        # Bound once, so that no copy and no allocation is timed.
        binding = session.io_binding()
        result = ort.OrtValue.ortvalue_from_shape_and_type(out.shape, np.float32)
        binding.bind_ortvalue_input(port.name, ort.OrtValue.ortvalue_from_numpy(frame[None, None]))
        binding.bind_ortvalue_output(out.name, result)
        return lambda: session.run_with_iobinding(binding), lambda: pixels(result.numpy())

    return f"onnxruntime {ort.__version__}", load


def openvino(precision: str) -> tuple[str, Load]:
    import openvino as ov

    def load(model: str, frame: np.ndarray, threads: int) -> tuple[Run, Output]:
        compiled = ov.Core().compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision})
        request = compiled.create_infer_request()
        request.set_input_tensor(ov.Tensor(np.ascontiguousarray(frame[None, None])))
        return request.infer, lambda: pixels(request.get_output_tensor().data)

    return f"openvino {ov.__version__.split('-')[0]}", load


def litert() -> tuple[str, Load]:
    import ai_edge_litert
    from ai_edge_litert.interpreter import Interpreter

    def load(model: str, frame: np.ndarray, threads: int) -> tuple[Run, Output]:
        interpreter = Interpreter(model, num_threads=threads)  # with XNNPACK, its default
        interpreter.allocate_tensors()
        (port,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
        values = frame.reshape(port["shape"])
        if port["dtype"] == np.int8:
            scale, zero_point = port["quantization"]
            values = np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8)
        interpreter.set_tensor(port["index"], values)

        def output() -> np.ndarray:
            found = interpreter.get_tensor(out["index"])[0].astype(np.float32)
            scale, zero_point = out["quantization"] if out["dtype"] == np.int8 else (1, 0)
            return (found - zero_point) * np.float32(scale)

        return interpreter.invoke, output

    from importlib.metadata import version

    return f"{ai_edge_litert.__name__.replace('_', '-')} {version('ai-edge-litert')}", load


RUNTIMES: dict[str, Callable[[], tuple[str, Load]]] = {
    "onnxruntime": onnxruntime,
    "openvino": lambda: openvino("f32"),
    "openvino-bf16": lambda: openvino("bf16"),
    "litert": litert,
}


def reset_peak() -> int:
    """Forgets the peak of resident memory; returns what is resident now, in kB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """The peak of resident memory in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def timed(run: Run, count: int) -> list[int]:
    """Nanoseconds of so many frames, after one that is not timed."""
    run()
    times = []
    for _ in range(count):
        start = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("model")
    parser.add_argument("frame", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("width", type=int)
    parser.add_argument("threads", type=int)
    args = parser.parse_args()

    version, load = RUNTIMES[args.runtime]()
    frame = np.fromfile(args.frame, np.uint8).reshape(args.rows, args.width).astype(np.float32) / 255
    empty = reset_peak()
    run, output = load(args.model, frame, args.threads)
    print(f"ready {version}", flush=True)
    for line in sys.stdin:
        verb, _, argument = line.strip().partition(" ")
        if verb == "run":
            print(*timed(run, int(argument)), flush=True)
        elif verb == "memory":
            print(empty, peak(), flush=True)
        elif verb == "output":
            output().astype("<f4").tofile(argument)
            print("done", flush=True)
        else:
            raise SystemExit(f"unknown command {verb!r}, expected run, memory or output")


if __name__ == "__main__":
    main()
