#!/usr/bin/env python3
"""Times products with a constant that is partly zero beside the same product without zeros, taking turns, and prints time / dense time.

  sparse_matmul.py build/release/onecard [--size 4096] [--rows 1 4 16] [--zeros 0.5 0.8] [--rounds 7] [--threads 1]

The floor is the bytes read for the constant / those of the dense one: what a product that only waits for memory could reach. One product a network,
so a figure holds the few microseconds that a run of any network takes. Needs numpy and onnx in the Python that runs it."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--size", type=int, nargs="+", default=[4096], help="columns and rows of the constant; one number: square")
parser.add_argument("--rows", type=int, nargs="*", default=[1, 4, 16])
parser.add_argument("--zeros", type=float, nargs="*", default=[0.5, 0.8])
parser.add_argument("--types", nargs="*", default=["float32", "int8"])
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
k, n = options.size[0], options.size[-1]
rng = np.random.default_rng(3)


def call(*words):
    done = subprocess.run([options.program, *map(str, words), "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def network(kind, share):
    """y = x w, or with integers y = dequantize(quantize(x)) dequantize(w), which is computed in integers."""
    w = rng.integers(1, 127, (k, n)).astype(np.int8) * rng.choice([-1, 1], (k, n)).astype(np.int8)
    w[rng.random((k, n)) < share] = 0
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size]) for name, size in (("x", k), ("y", n)))
    if kind == "float32":
        nodes, weights = [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": w.astype(np.float32) / 100}
    else:
        nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
                 helper.make_node("DequantizeLinear", ["w", "s", "z"], ["v"]), helper.make_node("MatMul", ["d", "v"], ["y"])]
        weights = {"w": w, "s": np.float32(0.02), "z": np.int8(0)}
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(np.asarray(a), name) for name, a in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def facts(bundle, rows):
    plan = call("inspect", bundle, "--plan", "--dim", f"rows={rows}", "--device", "cpu")
    kernels = [s["kernel"] for s in plan["steps"] if "matmul" in s["kernel"]]
    return kernels[0], plan["memory"]["weights_bytes"]


def medians(bundles, rows):
    times = {name: [] for name in bundles}
    for _ in range(options.rounds):
        for name, path in bundles.items():
            r = call("bench", path, "--random", 1, "--dim", f"rows={rows}", "--iterations", 30, "--warmup", 5, "--threads", options.threads, "--device", "cpu")
            times[name].append(r["median_ms"])
    return {name: statistics.median(t) for name, t in times.items()}


print(f"{k} by {n}, {options.threads} thread(s)")
print(f"{'type':8} {'rows':>4} {'zeros':>5} {'dense ms':>9} {'ms':>8} {'time':>6} {'floor':>6}  kernel")
with tempfile.TemporaryDirectory() as tmp:
    for kind in options.types:
        bundles = {}
        for share in (0, *options.zeros):
            model, bundles[share] = pathlib.Path(tmp, "m.onnx"), pathlib.Path(tmp, f"{kind}{share}.onecard")
            onnx.save(network(kind, share), model)
            call("optimize", model, "-o", bundles[share], "--device", "cpu")
        for rows in options.rows:
            ms = medians(bundles, rows)
            dense_bytes = facts(bundles[0], rows)[1]
            for share in options.zeros:
                kernel, read = facts(bundles[share], rows)
                print(f"{kind:8} {rows:4} {share:5} {ms[0]:9.3f} {ms[share]:8.3f} {ms[share] / ms[0]:6.2f} {read / dense_bytes:6.2f}  {kernel}", flush=True)
