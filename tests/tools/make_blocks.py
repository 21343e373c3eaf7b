#!/usr/bin/env python3
"""Make tests/data/reference/blocks.safetensors: blocks of each of ggml's types and their numbers in fp32.

    pip install gguf safetensors
    python tests/tools/make_blocks.py

The numbers are those of the `gguf` package's reference dequantisation, which is held to ggml's own bit for bit. Of each
type there are random blocks (any bytes, with finite scales) and such with extreme scales: zeros of both signs, the
smallest and the largest subnormal half, the largest half, infinities, NaN.
"""

import pathlib

import gguf
import numpy as np
import safetensors.numpy

# Where a block has its halves.
HALVES = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
EXTREMES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00]
OUT = pathlib.Path(__file__).parent.parent / "data/reference/blocks.safetensors"


def blocks(rng, name, size):
    halves = HALVES.get(name, [])
    random = 2 if size > 80 else 6
    rows = rng.integers(0, 256, (random + len(EXTREMES) if halves else 64, size), dtype=np.uint8)
    for i, row in enumerate(rows):
        for k, at in enumerate(halves):
            value = EXTREMES[(i - random + 3 * k) % len(EXTREMES)] if i >= random else None
            half = np.uint16(value) if value is not None else np.float16(rng.normal() * 0.1).view(np.uint16)
            row[at:at + 2] = np.frombuffer(half.tobytes(), np.uint8)
    return rows


def main():
    rng = np.random.default_rng(7)
    tensors = {}
    for name in ["F32", "F16", "BF16", *list(HALVES)[1:]]:
        kind = gguf.GGMLQuantizationType[name]
        rows = blocks(rng, name, gguf.GGML_QUANT_SIZES[kind][1])
        with np.errstate(all="ignore"):
            values = np.asarray(gguf.dequantize(rows, kind), np.float32)
        tensors[name + ".blocks"] = rows
        tensors[name + ".values"] = np.ascontiguousarray(values.reshape(len(rows), -1))
    safetensors.numpy.save_file(tensors, OUT)


main()
