#!/usr/bin/env python3
"""Bytes of networks as float without loss, int8, and int8 with 50% zeros, beside what information there is: a Markdown table.

  bytes.py build/release/onecard MODEL.onnx … [--samples FOLDER]

FOLDER/NAME (golden answers lie so) holds samples for NAME.onnx. Bytes are those of the weights as stored in the bundle, of all constants. The limit is the
order-0 entropy: of float weights per byte plane, of integers per element, of a pruned tensor the places of its zeros and the values that are left. A coder
that knows more (zstd finds repeats) may go below it."""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("models", nargs="+")
parser.add_argument("--samples")
options = parser.parse_args()


def entropy(counts):
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def limit(t):
    """Bits of a tensor by its own frequencies."""
    flat = np.ascontiguousarray(t).reshape(-1)
    if flat.size == 0 or flat.dtype.kind not in "fiu":
        return 8 * flat.nbytes
    left, zeros, bits = flat[flat != 0], int((flat == 0).sum()), 0.0
    if zeros > 0.05 * flat.size:
        bits += flat.size * entropy(np.array([zeros, flat.size - zeros]))
        flat = left
    planes = flat.view(np.uint8).reshape(flat.size, -1) if flat.size else np.zeros((0, 1), np.uint8)
    return bits + sum(flat.size * entropy(np.bincount(planes[:, i], minlength=256)) for i in range(planes.shape[1])) if flat.size else bits


def tensors(graph):
    for t in graph.initializer:
        yield numpy_helper.to_array(t)
    for n in graph.node:
        for a in n.attribute:
            if a.name == "value" and n.op_type == "Constant":
                yield numpy_helper.to_array(a.t)
            for g in ([a.g] if a.type == onnx.AttributeProto.GRAPH else a.graphs):
                yield from tensors(g)


def made(model, folder, *words):
    out = f"{folder}/{model.stem}.onecard"
    done = subprocess.run([options.program, "optimize", model, "-o", out, *words, "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode:
        return None
    facts = json.loads(done.stdout)
    exported = f"{folder}/exported.onnx"
    done = subprocess.run([options.program, "export", out, "-o", exported, "--quiet"], capture_output=True)
    bits = sum(limit(t) for t in tensors(onnx.load(exported).graph)) if done.returncode == 0 else float("nan")
    return facts["weight_bytes_source"], facts["weight_bytes_stored"], bits / 8


print("| network | weights, bytes | float | limit | int8 | limit | int8, 50% zeros | limit |")
print("|---|---|---|---|---|---|---|---|")
for path in map(pathlib.Path, options.models):
    samples = pathlib.Path(options.samples or "") / path.stem
    data = ["--data", samples, "--calibration", "minmax"] if options.samples and samples.is_dir() else None
    with tempfile.TemporaryDirectory() as folder:
        row = [made(path, folder)]
        for zeros in ([], ["--prune", "0.5", "--prune-scope", "tensor", "--prune-repair", "none"]):
            row.append(made(path, folder, "--precision", "int8", *data, *zeros) if data else made(path, folder, "--precision", "int8-weights", *zeros))
    source = next((r[0] for r in row if r), 0)
    cells = [f"{r[1]} ({r[1] / source:.3f}) | {r[2] / source:.3f}" if r and source else "- | -" for r in row]
    print(f"| {path.stem}{'' if data else ', weights alone'} | {source} | " + " | ".join(cells) + " |", flush=True)
