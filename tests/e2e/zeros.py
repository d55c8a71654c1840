#!/usr/bin/env python3
"""What zeros are worth is said, bytes and speed apart, and shown: zeros.py PROGRAM.

A pruned network's file and resident weights are smaller by what its zeros allow; a product reads them without zeros only where that kernel was measured
faster; 2:4 is kept, stored, recognized in a model that comes with it, and nothing is claimed for its speed; a network that pruning destroys is said
not to survive, with the amount that it does."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

program = str(pathlib.Path(sys.argv[1]).resolve())
rng = np.random.default_rng(1)
failed = []


def need(ok, what):
    if not ok:
        failed.append(what)
        print("FAILED:", what)


def call(*words):
    device = [] if words[0] == "export" else ["--device", "cpu"]
    done = subprocess.run([program, *map(str, words), "--quiet", *device], capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def facts(*words):
    return json.loads(call(*words, "--json"))


def network(path, weights, activation=None):
    """x through matrix products by these weights."""
    nodes, last = [], "x"
    for i, w in enumerate(weights):
        nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"h{i}"]))
        last = f"h{i}"
        if activation and i + 1 < len(weights):
            nodes.append(helper.make_node(activation, [last], [f"r{i}"]))
            last = f"r{i}"
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [tensor("x", TensorProto.FLOAT, ["rows", weights[0].shape[0]])], [tensor(last, TensorProto.FLOAT, ["rows", weights[-1].shape[1]])],
                              [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def plan(bundle):
    made = facts("inspect", bundle, "--plan")
    return [s["kernel"] for s in made["steps"] if "matmul" in s["kernel"]], made["memory"]["weights_bytes"]


def has_kernel(bundle):
    made = facts("inspect", bundle, "--plan")
    return not any("expands no packed" in line for s in made["steps"] for line in s.get("why_not", []))


def zeros_pay(tmp):
    w = rng.standard_normal((1100, 1024)).astype(np.float32)
    network(tmp / "m.onnx", [w])
    dense, half = facts("optimize", tmp / "m.onnx", "-o", tmp / "dense.onecard"), facts("optimize", tmp / "m.onnx", "-o", tmp / "half.onecard", "--prune", 0.5)
    text = call("optimize", tmp / "m.onnx", "-o", tmp / "half.onecard", "--prune", 0.5).splitlines()
    need(half["weight_bytes_stored"] < 0.5 * w.nbytes < dense["weight_bytes_stored"], "half of the zeros is half of the bytes, but for the bitmap")
    need(any(l.startswith("zeros: stored") for l in text) and any(l.startswith("zeros: speed") for l in text), "bytes and speed are told apart")
    need(any("not measured" in l for l in text), "without samples the cost is said not to be measured")
    np.savez(tmp / "x.npz", x=rng.standard_normal((2, 1100)).astype(np.float32))
    answers = []
    for device in ("cpu", "reference"):
        subprocess.run([program, "run", tmp / "half.onecard", "--data", tmp / "x.npz", "--output-dir", tmp / device, "--device", device, "--quiet"], check=True, capture_output=True)
        answers.append(np.load(tmp / device / "x.npz")["h0"])
    need(np.allclose(*answers, atol=1e-3), "the packed weights give the answers of the definition")
    if not has_kernel(tmp / "half.onecard"):
        print("SKIPPED: this processor expands no packed elements")
        return
    (kernels, resident), (dense_kernels, dense_resident) = plan(tmp / "half.onecard"), plan(tmp / "dense.onecard")
    need(kernels == ["cpu.matmul_sparse"] and dense_kernels == ["onednn.matmul"], f"zeros are left out where there are some: {kernels}, {dense_kernels}")
    need(resident < 0.55 * dense_resident, f"resident {resident} of {dense_resident} bytes")
    need(half["zeros"]["steps_without_zeros"] == 1 and half["memory"]["weights_bytes"] == resident, "optimize plans what run plans")


def two_of_four(tmp):
    w = [rng.standard_normal((64, 48)).astype(np.float32), rng.standard_normal((48, 33)).astype(np.float32)]
    network(tmp / "m.onnx", w)
    made = facts("optimize", tmp / "m.onnx", "-o", tmp / "fours.onecard", "--prune", "2:4")
    need(made["pruning"]["pattern"] == "2:4" and made["pruning"]["zeros"] * 2 == made["pruning"]["elements"], "2:4 is told in the figures")
    call("export", tmp / "fours.onecard", "-o", tmp / "fours.onnx")
    for t in onnx.load(tmp / "fours.onnx").graph.initializer:
        v = numpy_helper.to_array(t)
        source = next(s for s in w if s.shape == v.shape)
        groups, sources = v.reshape(-1, 4, v.shape[1]), np.abs(source.reshape(-1, 4, v.shape[1]))
        kept = np.take_along_axis(sources, np.argsort(sources, axis=1), axis=1)[:, 2:]
        need(np.allclose(np.sort(np.abs(groups), axis=1)[:, 2:], kept) and (np.sort(np.abs(groups), axis=1)[:, :2] == 0).all(), "the two largest of each four stay")
    again = call("optimize", tmp / "fours.onnx", "-o", tmp / "again.onecard")
    need("2 weights are in the 2:4 pattern; no kernel of the CPU is faster" in again, "a model that comes in the pattern is recognized, and no speed is claimed")
    need(facts("optimize", tmp / "m.onnx", "-o", tmp / "again.onecard")["zeros"]["two_of_four_weights"] == 0, "a dense one is not")
    stored = {x["type"]: x["encoding"] for x in facts_of_weights(tmp / "fours.onecard")}
    need(all("bitmap" in e for e in stored.values()), f"stored as bitmaps: {stored}")


def facts_of_weights(bundle):
    return json.loads(subprocess.run([program, "inspect", bundle, "--weights", "--json", "--quiet"], capture_output=True, text=True, check=True).stdout)["weights"]


def by_what_is_multiplied(tmp):
    w = rng.standard_normal((20, 6)).astype(np.float32)
    network(tmp / "m.onnx", [w])
    scale = rng.uniform(0.1, 10, 20).astype(np.float32)
    (tmp / "data").mkdir()
    samples = [(rng.standard_normal((50, 20)) * scale).astype(np.float32) for _ in range(4)]
    for i, x in enumerate(samples):
        np.savez(tmp / "data" / f"{i}.npz", x=x)
    call("optimize", tmp / "m.onnx", "-o", tmp / "m.onecard", "--prune", 0.5, "--prune-score", "wanda", "--prune-scope", "tensor", "--prune-repair", "none", "--data", tmp / "data")
    call("export", tmp / "m.onecard", "-o", tmp / "p.onnx")
    got = numpy_helper.to_array(onnx.load(tmp / "p.onnx").graph.initializer[0])
    score = np.abs(w) * np.linalg.norm(np.concatenate(samples), axis=0)[:, None]
    want = np.where(np.argsort(np.argsort(score, axis=0), axis=0) < 10, 0, w)
    need(np.array_equal(got, want), "of each output the smallest |w| |x| go")


def survival(tmp):
    depth, width = 6, 64
    network(tmp / "m.onnx", [(rng.choice([-1, 1], (width, width)) * rng.uniform(0.5, 1, (width, width)) * 0.2).astype(np.float32) for _ in range(depth)], "Relu")
    (tmp / "data").mkdir()
    for i in range(16):
        np.savez(tmp / "data" / f"{i:02}.npz", x=rng.standard_normal((8, width)).astype(np.float32))
    made = facts("optimize", tmp / "m.onnx", "-o", tmp / "much.onecard", "--prune", 0.8, "--data", tmp / "data")["pruning"]["cost"]
    need(not made["survives"] and made["db"] < made["least_db"] <= made["survives_db"] and 0 < made["survives_amount"] < 0.8, f"80% destroy it, less does not: {made}")
    text = call("optimize", tmp / "m.onnx", "-o", tmp / "much.onecard", "--prune", 0.8, "--data", tmp / "data", "--report", tmp / "r.md")
    need("does not survive 80% zeros" in text and f"--prune {made['survives_amount']:.3g}" in text, "it is said, with the amount that it survives")
    need("does not survive" in (tmp / "r.md").read_text(), "in the report too")
    less = facts("optimize", tmp / "m.onnx", "-o", tmp / "less.onecard", "--prune", made["survives_amount"], "--data", tmp / "data")["pruning"]["cost"]
    need(less["survives"] and less["db"] >= made["survives_db"] - 1e-6, f"and it does survive that: {less}")


for test in (zeros_pay, two_of_four, by_what_is_multiplied, survival):
    with tempfile.TemporaryDirectory() as folder:
        test(pathlib.Path(folder))
print("zeros:", "FAILED" if failed else "as promised")
sys.exit(bool(failed))
