#!/usr/bin/env python3
"""The masks of `--prune AMOUNT --prune-scope tensor --prune-repair none` on 50 random weights of distinct magnitudes, amounts 0.1 to 0.9: l1_masks.py PROGRAM.

By the definition: round(amount * n), half to even, of the smallest |w| are zero and the others are what they were. With equal magnitudes the same
count, lowest index first. Where PyTorch can be imported, against torch.nn.utils.prune.l1_unstructured itself too."""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

try:
    import torch
    from torch.nn.utils import prune
except ImportError:
    torch = None

program = str(pathlib.Path(sys.argv[1]).resolve())
rng = np.random.default_rng(5)
failed = []
AMOUNTS = [round(0.1 * k, 1) for k in range(1, 10)]


def need(ok, what):
    if not ok:
        failed.append(what)
        print("FAILED:", what)


def magnitudes(shape, distinct):
    n = int(np.prod(shape))
    steps = rng.permutation(n) + 1 if distinct else rng.integers(1, 4, n)
    return (steps * rng.choice([-1.0, 1.0], n) * 0.0078125).reshape(shape).astype(np.float32)


def layer(i, w):
    """A node that reads w, with the input it needs and the kind of layer it is."""
    r, x, y, tensor = w.ndim, f"x{i}", f"y{i}", helper.make_tensor_value_info
    if r == 2 and i % 4 == 3 and w.shape[1] >= 8:
        return helper.make_node("Gather", [f"w{i}", x], [y]), tensor(x, TensorProto.INT64, [2])
    if r == 2 and i % 2:
        return helper.make_node("Gemm", [x, f"w{i}"], [y], transB=1), tensor(x, TensorProto.FLOAT, [2, w.shape[1]])
    if r == 2:
        return helper.make_node("MatMul", [x, f"w{i}"], [y]), tensor(x, TensorProto.FLOAT, [2, w.shape[0]])
    spatial = [s + 2 for s in w.shape[2:]]
    if i % 3 == 0:
        return helper.make_node("ConvTranspose", [x, f"w{i}"], [y]), tensor(x, TensorProto.FLOAT, [1, w.shape[0], *spatial])
    return helper.make_node("Conv", [x, f"w{i}"], [y]), tensor(x, TensorProto.FLOAT, [1, w.shape[1], *spatial])


def wanted(w, amount):
    count = round(amount * w.size)
    out = w.copy().reshape(-1)
    out[np.argsort(np.abs(out), kind="stable")[:count]] = 0
    return out.reshape(w.shape)


def by_torch(w, amount):
    module = torch.nn.Module()
    module.register_parameter("w", torch.nn.Parameter(torch.from_numpy(w.copy())))
    prune.l1_unstructured(module, "w", amount=amount)
    return module.w.detach().numpy()


def pruned(weights, amount, tmp):
    nodes, inputs = zip(*(layer(i, w) for i, w in enumerate(weights)))
    outputs = [helper.make_empty_tensor_value_info(f"y{i}") for i in range(len(weights))]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp / "m.onnx")
    for command in (["optimize", tmp / "m.onnx", "-o", tmp / "m.onecard", "--prune", amount, "--prune-scope", "tensor", "--prune-repair", "none"],
                    ["export", tmp / "m.onecard", "-o", tmp / "p.onnx"]):
        done = subprocess.run([program, *map(str, command), "--quiet"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    made = onnx.load(tmp / "p.onnx").graph
    reader = {n.output[0]: n.input[0 if n.op_type == "Gather" else 1] for n in made.node}
    arrays = {t.name: numpy_helper.to_array(t) for t in made.initializer}
    return [arrays[reader[f"y{i}"]] for i in range(len(weights))]


def shapes(count):
    for i in range(count):
        rank = 2 + i % 3
        yield [int(d) for d in rng.integers(1, 40 if rank == 2 else 9, rank)]


with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    for distinct in (True, False):
        weights = [magnitudes(s, distinct) for s in shapes(50)]
        for amount in AMOUNTS if distinct else (0.3, 0.5):
            for i, (w, got) in enumerate(zip(weights, pruned(weights, amount, tmp))):
                what = f"weight {i} {list(w.shape)} at {amount}, {'distinct' if distinct else 'equal'} magnitudes"
                need(got.shape == w.shape and np.array_equal(got, wanted(w, amount)), what)
                if torch and distinct:
                    need(np.array_equal(got, by_torch(w, amount)), what + ", by PyTorch")
print("L1 masks:", "FAILED" if failed else "all equal", "" if torch else "(PyTorch is not here: by the definition alone)")
sys.exit(bool(failed))
