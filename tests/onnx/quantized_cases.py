#!/usr/bin/env python3
"""Runs small quantized models through the program: operators of com.microsoft on integer codes, QDQ and QLinear layers with constant scales.

  quantized_cases.py PROGRAM [--match TEXT]

The answers are numpy's: dequantize, the operator on real numbers, quantize. Integers may differ by one, where a real number lies near a half, in
at most 1 of 100 places. Where a case says so, no step of the plan may be the reference."""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--match", default="")
options = parser.parse_args()
root = pathlib.Path(tempfile.mkdtemp(prefix="quantized_cases"))
rng = np.random.default_rng(1)
f32 = np.float32


def real(codes, scale, zero, axis=None):
    shape = [1] * codes.ndim
    if axis is not None:
        shape[axis] = -1
    return (codes.astype(np.int64) - np.reshape(zero, shape).astype(np.int64)).astype(f32) * np.reshape(f32(scale), shape)


def codes(x, scale, zero):
    info = np.iinfo(np.asarray(zero).dtype)
    return np.clip(np.rint(x.astype(f32) / f32(scale)) + int(zero), info.min, info.max).astype(np.asarray(zero).dtype)


def bytes_of(dtype, *shape):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


class Case:
    """One model of one or more nodes; `constant` and `feed` name their values."""

    def __init__(self, name, integer=True):
        self.name, self.integer, self.nodes, self.feeds, self.constants, self.outputs = name, integer, [], {}, {}, {}

    def constant(self, value, dtype=None):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def feed(self, value):
        name = f"x{len(self.feeds)}"
        self.feeds[name] = value
        return name

    def node(self, op, inputs, domain="", **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], domain=domain, **attributes))
        return name

    def quant(self, scale, zero):
        return [self.constant(scale, f32), self.constant(zero)]

    def gives(self, name, want):
        self.outputs[name] = want

    def run(self):
        info = lambda n, v: helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        graph = helper.make_graph(self.nodes, "g", [info(n, v) for n, v in self.feeds.items()], [info(n, v) for n, v in self.outputs.items()],
                                  [numpy_helper.from_array(v, n) for n, v in self.constants.items()])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        folder = root / self.name
        (folder / "in").mkdir(parents=True)
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx")
        for i, (name, value) in enumerate(self.feeds.items()):
            (folder / "in" / f"input_{i}.pb").write_bytes(numpy_helper.from_array(value, name).SerializeToString())
        made = subprocess.run([options.program, "run", folder / "model.onnx", "--data", folder / "in", "--output-dir", folder / "out", "--device", "cpu", "--quiet"],
                              capture_output=True, text=True, timeout=120)
        if made.returncode:
            return made.stderr.strip()
        got = np.load(next((folder / "out").glob("*.npz")))
        for name, want in self.outputs.items():
            error = np.abs(got[name].astype(np.float64) - want.astype(np.float64))
            if want.dtype == f32:
                if error.max() > 1e-4 * max(1, np.abs(want).max()):
                    return f"{name} is off by {error.max()}"
            elif error.max() > 1 or (error > 0).mean() > 0.01:
                return f"{name}: {(error > 0).mean():.1%} differ, by up to {error.max():.0f}"
        return self.plan(folder) if self.integer else ""

    def plan(self, folder):
        bundle = folder / "b.onecard"
        for command in (["optimize", folder / "model.onnx", "-o", bundle], ["inspect", bundle, "--plan"]):
            made = subprocess.run([options.program, *command, "--device", "cpu", "--quiet"], capture_output=True, text=True, timeout=120)
            if made.returncode:
                return made.stderr.strip()
        return "a step runs on the reference:\n" + made.stdout if "reference" in made.stdout else ""


cases = []
X, Y, Z = (0.05, np.uint8(120)), (0.03, np.uint8(7)), (0.07, np.uint8(99))


def binary(op, f, dtype):
    c = Case(f"{op}_{np.dtype(dtype).name}")
    shift = lambda q: (q[0], dtype(int(q[1]) - (128 if dtype == np.int8 else 0)))
    x, y, z = shift(X), shift(Y), shift(Z)
    a, b = bytes_of(dtype, 2, 3, 40), bytes_of(dtype, 3, 1)
    c.gives(c.node(op, [c.feed(a), *c.quant(*x), c.feed(b), *c.quant(*y), *c.quant(*z)], "com.microsoft"), codes(f(real(a, *x), real(b, *y)), *z))
    cases.append(c)


def unary(op, f, x_shape=(2, 3, 40), dtype=np.uint8, integer=True, y=Y, **attributes):
    c = Case(op, integer)
    a = bytes_of(dtype, *x_shape)
    c.gives(c.node(op, [c.feed(a), *c.quant(*X), *c.quant(*y)], "com.microsoft", **attributes), codes(f(real(a, *X)), *y))
    cases.append(c)


def softmax(v):
    e = np.exp(v - v.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


for dtype in (np.uint8, np.int8):
    binary("QLinearAdd", np.add, dtype)
    binary("QLinearMul", np.multiply, dtype)
unary("QLinearSigmoid", lambda v: 1 / (1 + np.exp(-v)), y=(1 / 256, np.uint8(0)))
unary("QLinearLeakyRelu", lambda v: np.where(v < 0, f32(0.1) * v, v), alpha=0.1)
unary("QLinearSoftmax", softmax, y=(1 / 256, np.uint8(0)), axis=2, opset=13)
unary("QLinearReduceMean", lambda v: v.mean((2, 3), keepdims=True), (2, 3, 5, 5), axes=[2, 3], keepdims=1)
unary("QLinearGlobalAveragePool", lambda v: v.mean((2, 3), keepdims=True), (2, 3, 5, 5), channels_last=0)
unary("QLinearAveragePool", lambda v: v.reshape(2, 3, 3, 2, 2, 2).mean((3, 5)), (2, 3, 6, 4), kernel_shape=[2, 2], strides=[2, 2])

c = Case("QLinearConcat")
a, b = bytes_of(np.uint8, 2, 3, 4), bytes_of(np.uint8, 2, 5, 4)
c.gives(c.node("QLinearConcat", [*c.quant(*Z), c.feed(a), *c.quant(*X), c.feed(b), *c.quant(*Y)], "com.microsoft", axis=1), codes(np.concatenate([real(a, *X), real(b, *Y)], 1), *Z))
cases.append(c)

c = Case("QLinearWhere")
p, a, b = rng.random((2, 40)) < 0.5, bytes_of(np.uint8, 2, 40), bytes_of(np.uint8, 40)
c.gives(c.node("QLinearWhere", [c.feed(p), c.feed(a), *c.quant(*X), c.feed(b), *c.quant(*Y), *c.quant(*Z)], "com.microsoft"), codes(np.where(p, real(a, *X), real(b, *Y)), *Z))
cases.append(c)

c = Case("NhwcMaxPool")
a = bytes_of(np.uint8, 2, 6, 4, 3)
c.gives(c.node("NhwcMaxPool", [c.feed(a)], "com.microsoft", kernel_shape=[2, 2], strides=[2, 2]), a.reshape(2, 3, 2, 2, 2, 3).max((2, 4)))
cases.append(c)

scales = rng.uniform(0.001, 0.004, 8).astype(f32)
for last in (0, 1):
    c = Case(f"QLinearConv_channels_last_{last}")
    a, w, bias = bytes_of(np.uint8, 1, 6, 5, 5), bytes_of(np.int8, 8, 6, 1, 1), rng.integers(-999, 999, 8).astype(np.int32)
    out = np.einsum("nchw,kc->nkhw", a.astype(np.int64) - 120, w[:, :, 0, 0].astype(np.int64)) + bias[:, None, None]
    want = codes(out * (f32(0.05) * scales)[:, None, None], 0.3, np.uint8(30))
    x = c.feed(a.transpose(0, 2, 3, 1).copy() if last else a)
    inputs = [x, *c.quant(*X), c.constant(w), c.constant(scales), c.constant(np.zeros(8, np.int8)), *c.quant(0.3, np.uint8(30)), c.constant(bias)]
    extra = dict(domain="com.microsoft", channels_last=1) if last else {}
    c.gives(c.node("QLinearConv", inputs, **extra), want.transpose(0, 2, 3, 1) if last else want)
    cases.append(c)

a, w, bias = bytes_of(np.uint8, 5, 16), bytes_of(np.int8, 16, 8), rng.integers(-999, 999, 8).astype(np.int32)
sums = (a.astype(np.int64) - 120) @ w.astype(np.int64)
c = Case("QGemm")
inputs = [c.feed(a), *c.quant(*X), c.constant(w), c.constant(scales), c.constant(np.zeros(8, np.int8)), c.constant(bias), *c.quant(0.3, np.uint8(30))]
c.gives(c.node("QGemm", inputs, "com.microsoft"), codes((sums + bias) * (f32(0.05) * scales), 0.3, np.uint8(30)))
cases.append(c)

c = Case("MatMulIntegerToFloat")
shift = rng.standard_normal(8).astype(f32)
inputs = [c.feed(a), c.constant(w), c.constant(0.05, f32), c.constant(scales), c.constant(np.uint8(120)), c.constant(np.zeros(8, np.int8)), c.constant(shift)]
c.gives(c.node("MatMulIntegerToFloat", inputs, "com.microsoft"), (sums * (f32(0.05) * scales) + shift).astype(f32))
cases.append(c)

c = Case("DynamicQuantizeMatMul")
x = rng.standard_normal((5, 16)).astype(f32)
scale = (max(x.max(), 0) - min(x.min(), 0)) / f32(255)
zero = np.uint8(np.rint(-min(x.min(), 0) / scale))
inputs = [c.feed(x), c.constant(w), c.constant(scales), c.constant(np.zeros(8, np.int8)), c.constant(shift)]
product = (codes(x, scale, zero).astype(np.int64) - int(zero)) @ w.astype(np.int64)
c.gives(c.node("DynamicQuantizeMatMul", inputs, "com.microsoft"), (product * (scale * scales) + shift).astype(f32))
cases.append(c)

c = Case("QuantizeLinear_com_microsoft")
q = c.node("QuantizeLinear", [c.feed(x), *c.quant(*Y)], "com.microsoft")
c.gives(q, codes(x, *Y))
c.gives(c.node("DequantizeLinear", [q, *c.quant(*Y)], "com.microsoft"), real(codes(x, *Y), *Y))
cases.append(c)

# Layers between QuantizeLinear and DequantizeLinear, through what moves numbers and what has a table.
for name, op, f in (("relu", "Relu", lambda v: np.maximum(v, 0)), ("tanh", "Tanh", np.tanh)):
    c = Case(f"qdq_{name}")
    a, w = bytes_of(np.uint8, 1, 6, 5, 5), bytes_of(np.int8, 8, 6, 1, 1)
    zeros = c.constant(np.zeros(8, np.int8))
    dx, dw = c.node("DequantizeLinear", [c.feed(a), *c.quant(*X)]), c.node("DequantizeLinear", [c.constant(w), c.constant(scales), zeros], axis=0)
    conv = c.node("Conv", [dx, dw])
    q = c.quant(0.3, np.uint8(30))
    first = c.node("DequantizeLinear", [c.node("QuantizeLinear", [conv, *q]), *q])
    moved = c.node("Transpose", [first], perm=[0, 2, 3, 1])
    r = c.quant(0.01, np.int8(3))
    y = c.node("QuantizeLinear", [c.node(op, [moved]), *r])
    inner = codes(np.einsum("nchw,kc->nkhw", real(a, *X), real(w, scales, np.zeros(8), 0)[:, :, 0, 0]), 0.3, np.uint8(30))
    c.gives(y, codes(f(real(inner, 0.3, np.uint8(30)).transpose(0, 2, 3, 1)), 0.01, np.int8(3)))
    cases.append(c)

failed = 0
for case in cases:
    if options.match not in case.name:
        continue
    problem = case.run()
    failed += problem != ""
    print(f"{'FAILED' if problem else 'ok'}  {case.name}  {problem}", flush=True)
print(f"{len(cases)} cases, {failed} failed")
sys.exit(failed > 0)
