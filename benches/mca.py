"""A static estimate of AArch64 inner loops: every loop of a kernel that multiplies, through LLVM's model of a core.

    CARGO_PROFILE_RELEASE_STRIP=none cargo build --release -p microtome-benches --target aarch64-unknown-linux-gnu
    python benches/mca.py target/aarch64-unknown-linux-gnu/release/bench-worker > benches/record/aarch64-llvm-mca/DATE.csv

Needs aarch64-linux-gnu-objdump and llvm-mca 19 (Debian: binutils-aarch64-linux-gnu, llvm-19): its model of
neoverse-n1 stands for the Cortex-A76, of which LLVM has none of its own. Steady state of the loops alone: no epilogue, no
memory, no row set-up.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys

ITERATIONS = 200
SMALLEST, LARGEST = 16, 900
"""Multiplications that make a loop worth a row, and instructions that are still one loop."""

KERNELS = [
    # Kernel, pattern of its functions, instructions that multiply, products of each, core, products per cycle at most.
    ("aarch64-neon-dot", r"aarch64.*neon_dot", ("sdot",), 16, "neoverse-n1", 32),
    ("aarch64-neon", r"aarch64.*neon[^_]", ("smull", "smull2", "smlal", "smlal2"), 8, "cortex-a72", 8),
]

Instruction = tuple[int, str]


def functions(binary: str, pattern: str) -> list[Instruction]:
    """Addresses and instructions of the functions whose names match."""
    command = ["aarch64-linux-gnu-objdump", "-d", "-C", "--no-show-raw-insn", binary]
    found: list[Instruction] = []
    inside = False
    for line in subprocess.check_output(command, text=True).splitlines():
        if name := re.match(r"^[0-9a-f]+ <(.*)>:", line):
            inside = re.search(pattern, name[1]) is not None
        elif inside and (instruction := re.match(r"^\s*([0-9a-f]+):\s+(.*)$", line)):
            found.append((int(instruction[1], 16), instruction[2].split("//")[0].strip()))
    return found


def loops(instructions: list[Instruction], operations: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Innermost loops, with their numbers of such operations; alike ones once."""
    index = {address: i for i, (address, _) in enumerate(instructions)}
    found: dict[tuple[int, int], list[str]] = {}
    for i, (address, text) in enumerate(instructions):
        branch = re.match(r"b\.\w+\s+([0-9a-f]+)", text)
        if not branch or (start := int(branch[1], 16)) >= address or start not in index:
            continue
        body = [text for _, text in instructions[index[start]:i + 1]]
        leaves = any(re.match(r"(b|b\.\w+|bl|ret|cbn?z|tbn?z)\s", text) for text in body[:-1])
        count = sum(text.split()[0] in operations for text in body)
        if not leaves and count >= SMALLEST and len(body) <= LARGEST:
            found[count, len(body)] = body
    return [(count, body) for (count, _), body in sorted(found.items())]


def assembly(body: list[str]) -> str:
    """The loop, as an assembler reads it."""
    def registers(span: re.Match[str]) -> str:
        first, last, shape = int(span[1]), int(span[3]), span[2]
        return "{ " + ", ".join(f"v{n}.{shape}" for n in range(first, last + 1)) + " }"

    lines = [re.sub(r"\s[0-9a-f]+ <.*$", " loop", text) if text.startswith("b.") else text for text in body]
    text = "\n".join([".arch_extension dotprod", ".arch_extension i8mm", "loop:", *lines, ""])
    return re.sub(r"\{v(\d+)\.(\w+)-v(\d+)\.\w+\}", registers, text)


def cycles(body: list[str], core: str) -> float:
    """Cycles of one time around."""
    command = ["llvm-mca-19", "-mtriple=aarch64", f"-mcpu={core}", f"-iterations={ITERATIONS}"]
    report = subprocess.run(command, input=assembly(body), text=True, capture_output=True, check=True).stdout
    total = re.search(r"Total Cycles:\s+(\d+)", report)
    if not total:
        raise SystemExit(f"llvm-mca says nothing of cycles: {report[:200]!r}")
    return int(total[1]) / ITERATIONS


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["kernel", "core", "instructions", "multiplications", "cycles", "MAC per cycle", "of peak"])
    for kernel, pattern, operations, products, core, peak in KERNELS:
        instructions = functions(sys.argv[1], pattern)
        if not instructions:
            raise SystemExit(f"{sys.argv[1]}: no functions of {kernel}; was it built with symbols?")
        for count, body in loops(instructions, operations):
            time = cycles(body, core)
            rate = count * products / time
            rows.writerow([kernel, core, len(body), count, f"{time:.1f}", f"{rate:.2f}", f"{100 * rate / peak:.1f} %"])


if __name__ == "__main__":
    main()
