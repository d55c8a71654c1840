#!/usr/bin/env python3
"""Operators in the forms of opsets 1 to 9, experimental ones too, against answers written in numpy. old_opsets.py PROGRAM"""
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import helper, numpy_helper

warnings.filterwarnings("ignore")
program = str(pathlib.Path(sys.argv[1]).resolve())
root = pathlib.Path(tempfile.mkdtemp(prefix="old_opsets"))
rnd = np.random.default_rng(5)
failed = count = 0


def floats(*shape):
    return rnd.standard_normal(shape).astype(np.float32)


def model_of(op, opset, inputs, outputs, attributes, constant):
    """One node; inputs numbered in `constant` are initializers (and inputs too, as IR version 3 wants it)."""
    names = [f"x{i}" for i in range(len(inputs))]
    node = helper.make_node(op, names, [f"y{i}" for i in range(len(outputs))], **attributes)
    typed = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in zip(names, inputs)]
    made = [helper.make_tensor_value_info(f"y{i}", helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for i, v in enumerate(outputs)]
    initial = [numpy_helper.from_array(inputs[i], names[i]) for i in constant]
    graph = helper.make_graph([node], "old", typed, made, initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


def case(op, opset, inputs, outputs, constant=(), refused="", **attributes):
    """`refused`: the program must end with exit 3 and this sentence."""
    global failed, count
    count += 1
    outputs = outputs if isinstance(outputs, list) else [outputs]
    folder = root / str(count)
    folder.mkdir()
    onnx.save(model_of(op, opset, inputs, outputs, attributes, constant), folder / "model.onnx")
    given = [v for i, v in enumerate(inputs) if i not in constant]
    for i, v in enumerate(given):
        (folder / f"input_{i}.pb").write_bytes(numpy_helper.from_array(v).SerializeToString())
    for i, v in enumerate(outputs):
        (folder / f"output_{i}.pb").write_bytes(numpy_helper.from_array(v).SerializeToString())
    done = subprocess.run([program, "run", folder / "model.onnx", "--data", folder, "--check", "--rtol", "1e-4", "--atol", "1e-5", "--device", "cpu", "--quiet"], capture_output=True, text=True)
    right = done.returncode == 3 and refused in done.stderr if refused else done.returncode == 0
    if not right:
        failed += 1
        print(f"{op} of opset {opset} {attributes}: exit {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}")


x = floats(2, 3, 4, 5)
channel = floats(3)
softplus = lambda v: np.log1p(np.exp(v))

# Broadcasting was asked for, and could begin at any axis.
for opset in (1, 6):
    case("Add", opset, [x, floats(2, 3, 4, 5) * 0 + 1], x + 1)
    case("Add", opset, [x, channel], x + channel[:, None, None], broadcast=1, axis=1)
    case("Mul", opset, [x, (p := floats(3, 4))], x * p[:, :, None], broadcast=1, axis=1)
    case("Sub", opset, [x, (p := floats(2))], x - p[:, None, None, None], broadcast=1, axis=0)
    case("Div", opset, [x, (p := floats(4, 5) + 5)], x / p, broadcast=1)
    case("Div", opset, [x, np.float32([2])], x / 2, broadcast=1, axis=0)
    case("Mul", opset, [floats(3, 3, 3)[:, :1] * 0 + np.eye(3, dtype=np.float32)[:, None], (p := floats(3))], np.eye(3, dtype=np.float32)[:, None] * p[:, None, None], broadcast=1, axis=0)
case("Pow", 1, [np.abs(x), channel], np.abs(x) ** channel[:, None, None], broadcast=1, axis=1)
truth = x > 0
case("And", 1, [truth, (q := channel > 0)], truth & q[:, None, None], broadcast=1, axis=1)
case("Or", 1, [truth, q], truth | q[:, None, None], broadcast=1, axis=1)
case("Xor", 1, [truth, q], truth ^ q[:, None, None], broadcast=1, axis=1)
case("Greater", 1, [x, channel], x > channel[:, None, None], broadcast=1, axis=1)
case("Less", 1, [x, channel], x < channel[:, None, None], broadcast=1, axis=1)
whole = rnd.integers(0, 3, (2, 3, 4)).astype(np.int32)
case("Equal", 1, [whole, np.int32([0, 1, 2])], whole == np.int32([0, 1, 2])[:, None], broadcast=1, axis=1)
case("PRelu", 6, [x, channel], np.where(x < 0, x * channel[:, None, None], x))
square = floats(2, 3, 3, 3)
case("PRelu", 1, [square, channel], np.where(square < 0, square * channel[:, None, None], square))
case("Max", 1, [x, -x], np.abs(x), consumed_inputs=[0, 0])
case("Sum", 1, [x, x, x], 3 * x)
case("Gemm", 6, [(a := floats(3, 4)), (b := floats(5, 4)), (c := floats(5))], 2 * a @ b.T + 0.5 * c, alpha=2.0, beta=0.5, transB=1, broadcast=1)

# Attributes that became inputs, and other names and types.
case("Relu", 1, [x], np.maximum(x, 0), consumed_inputs=[0])
case("Clip", 1, [x], np.clip(x, -0.5, 0.7), min=-0.5, max=0.7)
case("Clip", 6, [x], np.minimum(x, 0.7), max=0.7)
case("Cast", 1, [x], x.astype(np.float64), to="DOUBLE")
case("Cast", 1, [x], x.astype(np.int32), to="INT32")
case("Cast", 6, [x], x.astype(np.int64), to=7)
case("Cast", 1, [x], x, to="NUMBER", refused="casts to the unknown element type 'NUMBER'")
case("Concat", 1, [x, 2 * x], np.concatenate([x, 2 * x], 1))
case("Concat", 3, [x, x], np.concatenate([x, x], 3), axis=3)
case("Reshape", 1, [x], x.reshape(2, -1, 5), shape=[0, -1, 5])
case("Reshape", 4, [x], x.reshape(120), shape=[-1], consumed_inputs=[0])
case("Reshape", 5, [x, np.int64([3, 40])], x.reshape(3, 40), constant=[1])
case("Pad", 1, [x], np.pad(x, [(0, 0), (0, 0), (1, 0), (2, 3)], constant_values=1.5), paddings=[0, 0, 1, 2, 0, 0, 0, 3], value=1.5)
case("Pad", 2, [x], np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], "reflect"), pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect")
case("Slice", 1, [x], x[:, 1:, :, -3:-1], axes=[1, 3], starts=[1, -3], ends=[100, -1])
case("Split", 1, [x, np.int64([1, 3])], [x[:, :, :1], x[:, :, 1:]], constant=[1], axis=2)
case("Split", 2, [x], [x[:, :, :3], x[:, :, 3:]], axis=2, split=[3, 1])
case("Squeeze", 1, [x[:, :1]], x[:, 0], axes=[1])
case("Unsqueeze", 1, [x], x[:, None, :, :, :, None], axes=[1, 5])
case("TopK", 1, [x], [np.sort(x, -1)[..., :-3:-1], np.argsort(-x, -1)[..., :2]], k=2)
case("Tile", 1, [x, np.float32([3]), np.float32([2])], np.tile(x, (1, 1, 3, 1)), constant=[2])
case("Tile", 6, [x, np.int64([1, 2, 1, 2])], np.tile(x, (1, 2, 1, 2)))
case("Upsample", 1, [x], x.repeat(3, 2).repeat(2, 3), height_scale=3.0, width_scale=2.0, mode="nearest")
case("Upsample", 7, [x], x.repeat(2, 2).repeat(2, 3), scales=[1.0, 1.0, 2.0, 2.0])
case("Upsample", 9, [x, np.float32([1, 1, 2, 1])], x.repeat(2, 2))
norm = np.sqrt((x ** 2).reshape(2, 3, 2, 2, 5).sum(3).reshape(2, 3, 2, 5))
case("LpPool", 1, [x], norm, p=2.0, kernel_shape=[2, 1], strides=[2, 1])
case("GlobalLpPool", 1, [x], np.abs(x).sum((2, 3), keepdims=True), p=1.0)
case("Selu", 1, [x], np.float32(1.0507) * np.where(x > 0, x, np.float32(1.6732) * np.expm1(x)))
case("Softmax", 1, [x], (e := np.exp(x)) / e.sum((1, 2, 3), keepdims=True), axis=1)
case("DepthToSpace", 1, [(d := floats(1, 4, 2, 2))], d.reshape(1, 2, 2, 1, 2, 2).transpose(0, 3, 4, 1, 5, 2).reshape(1, 1, 4, 4), blocksize=2)
case("Gather", 1, [x, np.int32([2, 0])], x[:, [2, 0]], axis=1)
case("Flatten", 1, [x], x.reshape(2, 60))
case("ReduceMean", 1, [x], x.mean((1, 3)), axes=[1, 3], keepdims=0)
case("ArgMax", 1, [x], x.argmax(2)[:, :, None], axis=2)

# Normalization and dropout told training from inference in their own ways.
scale, bias, mean, var = floats(3), floats(3), floats(3), np.abs(floats(3)) + 0.5
at = lambda v: v[:, None, None]
normal = at(scale) * (x - at(mean)) / np.sqrt(at(var) + 1e-5) + at(bias)
for opset, more in ((1, {"consumed_inputs": [0, 0, 0, 1, 1], "is_test": 1}), (6, {"is_test": 1}), (6, {}), (7, {}), (9, {})):
    case("BatchNormalization", opset, [x, scale, bias, mean, var], normal, **more)
wide = [floats(3, 4, 5) for _ in range(3)] + [np.abs(floats(3, 4, 5)) + 0.5]
case("BatchNormalization", 6, [x, *wide], wide[0] * (x - wide[2]) / np.sqrt(wide[3] + 1e-5) + wide[1], spatial=0, is_test=1)
now, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
trained = at(scale) * (x - at(now)) / np.sqrt(at(spread) + 1e-5) + at(bias)
case("BatchNormalization", 7, [x, scale, bias, mean, var], [trained, 0.75 * mean + 0.25 * now, 0.75 * var + 0.25 * spread, now, spread], momentum=0.75)
case("Dropout", 1, [x], x, consumed_inputs=[0], is_test=1)
case("Dropout", 6, [x], [x, np.ones_like(x)], is_test=1)
case("InstanceNormalization", 1, [x, scale, bias], at(scale) * (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5) + at(bias), consumed_inputs=[0])

# Recurrent operators said nothing of sequences' ends.
steps, w, r, h = floats(3, 1, 2), floats(1, 4, 2), floats(1, 4, 4), np.zeros((1, 4), np.float32)
hidden = []
for step in steps:
    h = np.tanh(step @ w[0].T + h @ r[0].T)
    hidden.append(h)
case("RNN", 1, [steps, w, r], [np.stack(hidden)[:, None], h[None]], hidden_size=4, output_sequence=1)

# Experimental operators, and those that were experimental before they were defined.
case("Affine", 1, [x], 2 * x + 3, alpha=2.0, beta=3.0)
case("Scale", 1, [x], 0.5 * x, scale=0.5)
case("ScaledTanh", 1, [x], 2 * np.tanh(0.5 * x), alpha=2.0, beta=0.5)
case("ParametricSoftplus", 1, [x], 2 * softplus(0.5 * x), alpha=2.0, beta=0.5)
case("ImageScaler", 1, [x], 2 * x + np.float32([1, 2, 3])[:, None, None], scale=2.0, bias=[1.0, 2.0, 3.0])
case("Crop", 1, [x], x[:, :, 1:3, 2:], border=[2, 1, 0, 1])
case("Crop", 1, [x], x[:, :, 1:3, 2:5], border=[2, 1, 0, 0], scale=[2, 3])
case("GivenTensorFill", 1, [], np.float32([[1, 2], [3, 4]]), values=[1.0, 2.0, 3.0, 4.0], shape=[2, 2])
case("ConstantFill", 1, [np.int64([2, 3])], np.full((2, 3, 1), 7, np.int32), input_as_shape=1, extra_shape=[1], value=7.0, dtype=6)
case("ConstantFill", 1, [x], np.full(x.shape, 2, np.float32), value=2.0)
case("DynamicSlice", 1, [x, np.int64([1, 0]), np.int64([3, -1]), np.int64([2, 3])], x[:, :, 1:3, :-1])
case("ThresholdedRelu", 1, [x], np.where(x > 0.5, x, 0).astype(np.float32), alpha=0.5)
case("MeanVarianceNormalization", 1, [x], (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True))
case("MeanVarianceNormalization", 8, [x], x - x.mean(), across_channels=1, normalize_variance=0)
case("MeanVarianceNormalization", 9, [x], (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), axes=[1])
case("GRUUnit", 1, [x], x, refused="GRUUnit (opset 1")
case("ATen", 1, [x], x, refused="ATen (opset 1")
case("Celu", 11, [x], x, refused="No Op registered for Celu")

print(f"old opsets: {count - failed} of {count} cases pass")
sys.exit(failed > 0)
