#!/usr/bin/env python3
"""--precision f16 and bf16 as a user sees them: what is stored, what stays in f32 and why, what is exported. low_precision.py PROGRAM"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

program = str(pathlib.Path(sys.argv[1]).resolve())
root = pathlib.Path(__file__).resolve().parents[2]
digits = str(root / "samples/quickstart/digits.onnx")
held_out = str(root / "samples/quickstart/held_out.npz")
failed = 0
rng = np.random.default_rng(1)


def save(name, nodes, inputs, outputs, constants):
    g = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in constants.items()])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 21)])
    m.ir_version = 10
    onnx.save(m, name)
    return name


def call(*words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def expect(what, holds, said=""):
    global failed
    if not holds:
        failed += 1
        print(f"FAILED: {what}: {str(said)[-400:]}")


def optimize(model, out, *words):
    code, said, error = call("optimize", model, "-o", out, "--json", "--quiet", *words)
    expect(f"optimize {' '.join(map(str, words))} of {model}", code == 0, said + error)
    return json.loads(said) if code == 0 else {"notes": [], "details": [], "weight_bytes_stored": 0}


def exported(bundle):
    code, said, error = call("export", bundle, "-o", "back.onnx", "--quiet")
    expect(f"export of {bundle}", code == 0, said + error)
    m = onnx.load("back.onnx")
    onnx.checker.check_model(m, full_check=True)
    return m


def types_of(m):
    return {t.name: t.data_type for t in m.graph.initializer}


tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
with tempfile.TemporaryDirectory() as tmp:
    os.chdir(tmp)
    plain = optimize(digits, "f32.onecard")["weight_bytes_stored"]
    for name, kind, error in (("f16", TensorProto.FLOAT16, 1e-3), ("bf16", TensorProto.BFLOAT16, 2e-2)):
        said = optimize(digits, "half.onecard", "--precision", name, "--data", held_out)
        expect(f"{name}: a good half of the bytes", said["weight_bytes_stored"] < 0.6 * plain, said["weight_bytes_stored"])
        expect(f"{name}: the self-check", call("run", "half.onecard", "--self-check")[0] == 0)
        code, out, err = call("diff-accuracy", digits, "half.onecard", "--data", held_out, "--max-range-error", error)
        expect(f"{name}: close to the original", code == 0, out + err)
        m = exported("half.onecard")
        floats = [t for t in types_of(m).values() if t in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16)]
        expect(f"{name}: exported weights are", floats and set(floats) == {kind}, floats)
        expect(f"{name}: inputs and outputs keep their types", all(v.type.tensor_type.elem_type == TensorProto.FLOAT for v in [*m.graph.input, *m.graph.output]))
        code, out, err = call("diff-accuracy", "half.onecard", "back.onnx", "--data", held_out, "--max-range-error", error)
        expect(f"{name}: the exported file gives the same", code == 0, out + err)

    # Weights and values that f16 cannot hold: their layers stay, by name and value.
    w, big = rng.normal(size=(8, 8)).astype(np.float32), np.full((8, 8), 1000, np.float32)
    big[3, 4] = 123456
    save("wide.onnx", [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "big"], ["b"]), helper.make_node("Softmax", ["b"], ["c"]),
                       helper.make_node("MatMul", ["c", "w"], ["y"])], [tensor("x", ["n", 8])], [tensor("y", ["n", 8])], {"w": w, "big": big})
    said = optimize("wide.onnx", "wide.onecard", "--precision", "f16")
    expect("a weight beyond 65504 is named", any("'big': 123456, beyond 65504" in n and "'b'" in n for n in said["notes"]), said["notes"])
    expect("without samples that is said", any("random numbers alone" in n for n in said["notes"]), said["notes"])
    kept = exported("wide.onecard")
    expect("and stays in f32", sorted(types_of(kept).values()) == [TensorProto.FLOAT, TensorProto.FLOAT16], types_of(kept))
    save("hot.onnx", [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Softmax", ["a"], ["y"])], [tensor("x", ["n", 8])], [tensor("y", ["n", 8])],
         {"w": np.full((8, 8), 500, np.float32)})
    np.savez("cold.npz", x=np.ones((2, 8), np.float32))
    np.savez("hot.npz", x=np.full((2, 8), 100, np.float32))
    said = optimize("hot.onnx", "cold.onecard", "--precision", "f16", "--data", "cold.npz")
    expect("values that fit", not any("stay in f32" in n for n in said["notes"]) and types_of(exported("cold.onecard"))["w"] == TensorProto.FLOAT16, said["notes"])
    expect("the largest value is told", any("4000 in 'a'" in d for d in said["details"]), said["details"])
    said = optimize("hot.onnx", "hot.onecard", "--precision", "f16", "--data", "hot.npz")
    expect("values beyond 65504 are named", any("'a' gives 400000, beyond 65504" in n for n in said["notes"]), said["notes"])
    expect("and their layer stays in f32", types_of(exported("hot.onecard"))["w"] == TensorProto.FLOAT)
    said = optimize("hot.onnx", "hot.onecard", "--precision", "bf16", "--data", "hot.npz")
    expect("bf16 holds them", not any("stay in f32" in n for n in said["notes"]), said["notes"])
print(f"low precision: {'all passed' if failed == 0 else f'{failed} failed'}")
sys.exit(failed != 0)
