#!/usr/bin/env python3
"""Whether the integer layers of a QDQ file give what ONNX Runtime's give, each on the integers that really reach it there.

  layer_agreement.py build/release/onecard MODEL.onnx [--dim sequence=128 …] [--every 1]

Every Conv, Gemm and MatMul between a DequantizeLinear and a QuantizeLinear is cut out with both and run by ONNX Runtime and by onecard on the same integers, which
ONNX Runtime computed from seeded inputs. Prints the share of values within one step, of the worst layer and of all; exit 1 below 99.9%. Layers are compared one by one
because whole networks differ by what one step does to all that follows: ONNX Runtime's from itself, with and without its optimizations."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("--dim", action="append", default=[])
parser.add_argument("--every", type=int, default=1)
options = parser.parse_args()
dims = {k: int(v) for k, v in (d.split("=") for d in options.dim)}
quiet = ort.SessionOptions()
quiet.log_severity_level = 3

model = onnx.load(options.model)
made = {o: n for n in model.graph.node for o in n.output}
users = {}
for n in model.graph.node:
    for i in n.input:
        users.setdefault(i, []).append(n)
initializers = {t.name for t in model.graph.initializer}


def belongs(node):
    """Whether a node only shapes what one layer gives."""
    return node.op_type in ("Relu", "Clip", "BatchNormalization") or (node.op_type == "Add" and any(i in initializers for i in node.input))


layers = []
for n in model.graph.node:
    if n.op_type not in ("Conv", "Gemm", "MatMul"):
        continue
    before, at = made.get(n.input[0]), n
    weight = made.get(n.input[1])
    while len(users.get(at.output[0], [])) == 1 and belongs(users[at.output[0]][0]):
        at = users[at.output[0]][0]
    after = users.get(at.output[0], [])
    if before and before.op_type == "DequantizeLinear" and weight and weight.op_type == "DequantizeLinear" and len(after) == 1 and after[0].op_type == "QuantizeLinear":
        layers.append((n.name or n.output[0], before.input[0], made.get(weight.input[0]) and weight.input[0], after[0].output[0]))
layers = layers[:: options.every]
if not layers:
    sys.exit("no layer stands between a DequantizeLinear and a QuantizeLinear")
rng = np.random.default_rng(0)
feed = {}
for v in model.graph.input:
    if v.name in initializers:
        continue
    shape = [d.dim_value or dims.get(d.dim_param, 1) for d in v.type.tensor_type.shape.dim]
    integer = v.type.tensor_type.elem_type == onnx.TensorProto.INT64
    feed[v.name] = (np.ones if "mask" in v.name else np.zeros)(shape, np.int64) if integer and ("mask" in v.name or "type" in v.name) else rng.integers(0, 1000, shape) if integer else rng.normal(size=shape).astype(np.float32)
wanted = sorted({t for layer in layers for t in layer[1:] if t})
shown = onnx.ModelProto()
shown.CopyFrom(model)
kinds = {}
for name in wanted:
    zero = next((c.input[2] for c in users.get(name, []) if c.op_type == "DequantizeLinear" and len(c.input) > 2), None)
    kinds[name] = next((t.data_type for t in model.graph.initializer if t.name == zero), onnx.TensorProto.UINT8)
    shown.graph.output.append(onnx.helper.make_tensor_value_info(name, kinds[name], None))
with tempfile.TemporaryDirectory() as folder:
    onnx.save(shown, f"{folder}/shown.onnx")
    values = dict(zip(wanted, ort.InferenceSession(f"{folder}/shown.onnx", quiet).run(wanted, feed)))
    near = total = 0
    worst = (1.0, "")
    for name, x, second, y in layers:
        inputs = [x] + ([second] if second else [])
        part = onnx.utils.Extractor(shown)
        for i in inputs + [y]:
            part.value_infos[i] = onnx.helper.make_tensor_value_info(i, kinds[i], values[i].shape)
        cut = part.extract_model(inputs, [y])
        onnx.save(cut, f"{folder}/layer.onnx")
        wants = ort.InferenceSession(f"{folder}/layer.onnx", quiet).run([y], {i: values[i] for i in inputs})[0]
        words = []
        for k, i in enumerate(inputs):
            np.save(f"{folder}/{k}.npy", values[i])
            words += ["--input", f"{i}={folder}/{k}.npy"]
        done = subprocess.run([options.program, "run", f"{folder}/layer.onnx", *words, "--output-dir", f"{folder}/out", "--device", "cpu", "--quiet"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr}")
        got = next(iter(np.load(next(pathlib.Path(f"{folder}/out").glob("*.npz"))).values()))
        here = np.abs(got.astype(int) - wants.astype(int)) <= 1
        near, total = near + int(here.sum()), total + here.size
        worst = min(worst, (float(here.mean()), name))
print(f"{pathlib.Path(options.model).name}: {len(layers)} layers, {100 * near / total:.4f}% of {total} values within one step, worst layer {100 * worst[0]:.4f}% {worst[1]}")
sys.exit(not layers or worst[0] < 0.999)
