#!/usr/bin/env python3
"""Trains the quickstart network and writes the files the quickstart uses.

Needs:   pip install scikit-learn jax onnx onnxruntime   (CPU wheels; best in a fresh venv)
Run:     python train.py [--out DIR] [--epochs N] [--seed N] [--report: only check the files there]
Takes:   about two minutes on two CPU cores; no network access, no accelerator.
Data:    scikit-learn's handwritten digits, carried inside the scikit-learn package:
         1797 grey 8x8 images of 0..9, pixel values 0..16, here divided by 16.
         The first 1347 in file order are trained on; the last 450 are held out.  The
         settings below were chosen by cross-validation among the first 1347.

Writes, next to this file unless --out says otherwise:
  digits.onnx      input  "image"  float32 [batch, 1, 8, 8], output "logits" float32 [batch, 10]
  held_out.npz     "image": the 450 held-out images, one batch
  labels.npy       their labels, int64 [450]
  calibration.npz  "image": 128 of the training images, one batch

The graph is left as exporters leave it: every Conv has no bias and is followed by its own
BatchNormalization node; folding them is the optimizer's work.

The network is trained to be pruned: `shrink` draws the smaller weights of each tensor towards
zero, and a good half of them ends below 1e-4 (none is exactly zero).  Magnitude pruning up to
that share therefore costs little without retraining.  That is a property of this network, not
of pruning: trained without `shrink`, it fell from 98 % to 38 % in cross-validation at 50 %
(51 % with BatchNormalization folded first).

Everything random comes from --seed.  A run repeats bit for bit on one machine; another CPU or
another jax version may round differently and give slightly different weights.

The last lines printed are checks of the written files with onnxruntime: float accuracy at
several batch sizes, accuracy after L1 pruning of each weight tensor (no retraining) as it is
and with BatchNormalization folded first, and after onnxruntime's own static int8 quantization.
"""
import argparse
import logging
import os
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax.scipy.ndimage import map_coordinates
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

INPUT, OUTPUT = "image", "logits"
SIDE, CLASSES = 8, 10
BN_EPS, BN_MOMENTUM = 1e-5, 0.9
HELD_OUT, CALIBRATION = 450, 128

# name -> (in channels, out channels, kernel, stride, groups)
CONVS = {
    "stem": (1, 24, 3, 1, 1),
    "expand": (24, 48, 3, 1, 1),
    "res.a": (48, 48, 3, 1, 1),
    "res.b": (48, 48, 3, 1, 1),
    "sep.depthwise": (48, 48, 3, 2, 48),
    "sep.pointwise": (48, 64, 1, 1, 1),
}
FEATURES = 64


# ---------------------------------------------------------------- data

def load():
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    return images[:-HELD_OUT], labels[:-HELD_OUT], images[-HELD_OUT:], labels[-HELD_OUT:]


def augment(key, images):
    """A small random rotation, scaling, shear and shift of every image."""
    n = images.shape[0]
    u = jax.random.uniform(key, (n, 6), minval=-1.0, maxval=1.0)
    angle = u[:, 0] * np.deg2rad(12.0)
    sy, sx = 1.0 + 0.12 * u[:, 1], 1.0 + 0.12 * u[:, 2]
    shear = 0.12 * u[:, 3]
    dy, dx = 0.8 * u[:, 4], 0.8 * u[:, 5]
    centre = (SIDE - 1) / 2
    gy, gx = jnp.meshgrid(jnp.arange(SIDE) - centre, jnp.arange(SIDE) - centre, indexing="ij")

    def warp(img, a, sy, sx, k, dy, dx):
        y = sy * (jnp.cos(a) * gy - jnp.sin(a) * gx) + dy + centre
        x = sx * (jnp.sin(a) * gy + jnp.cos(a) * gx) + k * gy + dx + centre
        return map_coordinates(img, [y, x], order=1, mode="constant")

    return jax.vmap(warp)(images[:, 0], angle, sy, sx, shear, dy, dx)[:, None]


# ---------------------------------------------------------------- network

def init(seed):
    rng = np.random.default_rng(seed)
    params, stats = {}, {}
    for name, (cin, cout, k, _, groups) in CONVS.items():
        fan_in = cin // groups * k * k
        params[name + ".conv.weight"] = rng.normal(
            0.0, np.sqrt(2.0 / fan_in), (cout, cin // groups, k, k)).astype(np.float32)
        params[name + ".bn.weight"] = np.ones(cout, np.float32)
        params[name + ".bn.bias"] = np.zeros(cout, np.float32)
        stats[name + ".bn.running_mean"] = np.zeros(cout, np.float32)
        stats[name + ".bn.running_var"] = np.ones(cout, np.float32)
    params["fc.weight"] = rng.normal(
        0.0, np.sqrt(1.0 / FEATURES), (CLASSES, FEATURES)).astype(np.float32)
    params["fc.bias"] = np.zeros(CLASSES, np.float32)
    return params, stats


def forward(params, stats, x):
    """Training-mode forward pass: batch statistics; returns logits and the new running ones."""
    new = {}

    def conv_bn(name, x):
        _, _, k, stride, groups = CONVS[name]
        x = jax.lax.conv_general_dilated(
            x, params[name + ".conv.weight"], (stride, stride), [(k // 2, k // 2)] * 2,
            dimension_numbers=("NCHW", "OIHW", "NCHW"), feature_group_count=groups)
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        count = x.size // x.shape[1]
        for key, value in (("mean", mean), ("var", var * count / (count - 1))):
            key = f"{name}.bn.running_{key}"
            new[key] = BN_MOMENTUM * stats[key] + (1 - BN_MOMENTUM) * value
        scale = params[name + ".bn.weight"] * jax.lax.rsqrt(var + BN_EPS)
        shift = params[name + ".bn.bias"] - mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    relu = jax.nn.relu
    x = relu(conv_bn("stem", x))
    x = relu(conv_bn("expand", x))
    y = relu(conv_bn("res.a", x))
    x = relu(conv_bn("res.b", y) + x)
    x = relu(conv_bn("sep.depthwise", x))
    x = relu(conv_bn("sep.pointwise", x))
    x = x.mean((2, 3))
    return x @ params["fc.weight"].T + params["fc.bias"], new


# ---------------------------------------------------------------- training

def shrink(w, progress):
    """An extra decay of a weight tensor, graded by rank of magnitude: at most 4 % a step for
    the smallest 30 %, down to none above 65 %; it sets in over 20..60 % of training."""
    rank = jnp.argsort(jnp.argsort(jnp.abs(w).ravel())).reshape(w.shape) / w.size
    onset = jnp.clip((progress - 0.2) / 0.4, 0.0, 1.0)
    return w * (1.0 - 0.04 * onset * jnp.clip((0.65 - rank) / 0.35, 0.0, 1.0))


def train(images, labels, seed, epochs, batch=32, peak=3e-3, decay=0.05, smoothing=0.05):
    params, stats = init(seed)
    zeros = jax.tree_util.tree_map(np.zeros_like, params)
    state = (params, stats, zeros, zeros)
    steps_per_epoch = len(images) // batch
    total = steps_per_epoch * epochs

    def loss_fn(params, stats, x, y):
        logits, stats = forward(params, stats, x)
        target = jax.nn.one_hot(y, CLASSES) * (1 - smoothing) + smoothing / CLASSES
        return -(target * jax.nn.log_softmax(logits)).sum(-1).mean(), stats

    @jax.jit
    def step(state, i, key, x, y):  # AdamW, linear warm-up, cosine decay to nothing
        params, stats, m, v = state
        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            params, stats, augment(key, x), y)
        t = i + 1.0
        cosine = 0.5 + 0.5 * jnp.cos(jnp.pi * i / total)
        rate = peak * jnp.minimum(t / (2 * steps_per_epoch), cosine)
        out = {}, {}, {}
        for k, g in grads.items():
            mk, vk = 0.9 * m[k] + 0.1 * g, 0.999 * v[k] + 0.001 * g * g
            delta = (mk / (1 - 0.9 ** t)) / (jnp.sqrt(vk / (1 - 0.999 ** t)) + 1e-8)
            if params[k].ndim > 1:  # weights only, not biases or BatchNormalization
                w = shrink(params[k] - rate * (delta + decay * params[k]), i / total)
            else:
                w = params[k] - rate * delta
            for d, value in zip(out, (w, mk, vk)):
                d[k] = value
        return (out[0], stats, out[1], out[2]), loss

    rng = np.random.default_rng(seed + 1)
    key = jax.random.PRNGKey(seed)
    i, start = 0, time.time()
    for epoch in range(epochs):
        order, losses = rng.permutation(len(images)), []
        for b in range(steps_per_epoch):
            pick = order[b * batch:(b + 1) * batch]
            state, loss = step(state, np.float32(i), jax.random.fold_in(key, i),
                               images[pick], labels[pick])
            losses.append(loss)
            i += 1
        if epoch % 5 == 4 or epoch == epochs - 1:
            print(f"epoch {epoch + 1:3d}  loss {np.mean(losses):.4f}  {time.time() - start:5.0f} s",
                  flush=True)
    return {k: np.asarray(v, np.float32) for d in state[:2] for k, v in d.items()}


# ---------------------------------------------------------------- export

def export(weights, path):
    nodes = []

    def add(op, name, inputs, **attributes):
        nodes.append(helper.make_node(op, inputs, [name + ".out"], name=name, **attributes))
        return name + ".out"

    def conv_bn(name, x):
        _, _, k, stride, groups = CONVS[name]
        x = add("Conv", name + ".conv", [x, name + ".conv.weight"], dilations=[1, 1], group=groups,
                kernel_shape=[k, k], pads=[k // 2] * 4, strides=[stride, stride])
        bn = name + ".bn"
        return add("BatchNormalization", bn,
                   [x, bn + ".weight", bn + ".bias", bn + ".running_mean", bn + ".running_var"],
                   epsilon=BN_EPS, momentum=BN_MOMENTUM)

    x = INPUT
    for name in ("stem", "expand"):
        x = add("Relu", name + ".relu", [conv_bn(name, x)])
    y = add("Relu", "res.a.relu", [conv_bn("res.a", x)])
    x = add("Add", "res.add", [conv_bn("res.b", y), x])
    x = add("Relu", "res.relu", [x])
    for name in ("sep.depthwise", "sep.pointwise"):
        x = add("Relu", name + ".relu", [conv_bn(name, x)])
    x = add("GlobalAveragePool", "pool", [x])
    x = add("Flatten", "flatten", [x], axis=1)
    nodes.append(helper.make_node("Gemm", [x, "fc.weight", "fc.bias"], [OUTPUT], name="fc",
                                  alpha=1.0, beta=1.0, transB=1))

    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                              ir_version=8, producer_name="quickstart")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


# ---------------------------------------------------------------- checks

def session(model):
    import onnxruntime as ort
    if isinstance(model, onnx.ModelProto):
        model = model.SerializeToString()
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"])


def accuracy(model, images, labels, batch=None):
    run, batch = session(model), batch or len(images)
    logits = np.concatenate([run.run([OUTPUT], {INPUT: images[i:i + batch]})[0]
                             for i in range(0, len(images), batch)])
    return 100.0 * np.mean(logits.argmax(1) == labels), logits


def pruned(model, fraction):
    """The model with the smallest-magnitude fraction of each weight tensor set to zero."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for init_ in model.graph.initializer:
        if len(init_.dims) > 1:
            w = numpy_helper.to_array(init_).copy()
            order = np.argsort(np.abs(w), axis=None, kind="stable")
            w.reshape(-1)[order[:int(fraction * w.size)]] = 0.0
            init_.CopyFrom(numpy_helper.from_array(w, init_.name))
    return model


def folded(model):
    """The model with every BatchNormalization folded into the Conv before it."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    value = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    made_by = {n.output[0]: n for n in graph.node}
    for bn in [n for n in graph.node if n.op_type == "BatchNormalization"]:
        conv = made_by[bn.input[0]]
        gamma, beta, mean, var = (value.pop(name) for name in bn.input[1:])
        scale = gamma / np.sqrt(var + np.float32(BN_EPS))
        value[conv.input[1]] = value[conv.input[1]] * scale[:, None, None, None]
        value[bn.input[2]] = beta - mean * scale
        conv.input.append(bn.input[2])
        conv.output[0] = bn.output[0]
        graph.node.remove(bn)
    del graph.initializer[:]
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in value.items())
    onnx.checker.check_model(model, full_check=True)
    return model


def int8(model, calibration, per_channel):
    """onnxruntime's static quantization (QDQ, symmetric int8 weights, min-max calibration)."""
    from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat,
                                          QuantType, quantize_static)
    logging.getLogger().setLevel(logging.ERROR)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = [{INPUT: calibration}]

        def get_next(self):
            return self.left.pop() if self.left else None

    with tempfile.TemporaryDirectory() as tmp:
        source, out = os.path.join(tmp, "float.onnx"), os.path.join(tmp, "int8.onnx")
        onnx.save(folded(model), source)
        quantize_static(source, out, Reader(), quant_format=QuantFormat.QDQ,
                        per_channel=per_channel, activation_type=QuantType.QInt8,
                        weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)
        return onnx.load(out)


def report(out):
    model = onnx.load(os.path.join(out, "digits.onnx"))
    images = np.load(os.path.join(out, "held_out.npz"))[INPUT]
    labels = np.load(os.path.join(out, "labels.npy"))
    calibration = np.load(os.path.join(out, "calibration.npz"))[INPUT]

    def line(title, candidate):
        value, logits = accuracy(candidate, images, labels)
        print(f"  {title:28s} {value:6.2f} %")
        return logits

    print(f"top-1 on {len(labels)} held-out images")
    logits = line("float", model)
    for batch in (1, 7):
        _, same = accuracy(model, images, labels, batch)
        np.testing.assert_allclose(same, logits, rtol=1e-4, atol=1e-4)
    same = line("folded", folded(model))
    np.testing.assert_allclose(same, logits, rtol=1e-3, atol=1e-3)
    for fraction in (0.3, 0.5, 0.6, 0.7):
        line(f"pruned {fraction:.0%}", pruned(model, fraction))
        line(f"folded, pruned {fraction:.0%}", pruned(folded(model), fraction))
    line("int8 per channel", int8(model, calibration, True))
    line("int8 per tensor", int8(model, calibration, False))
    line("pruned 50%, int8 per channel", int8(pruned(model, 0.5), calibration, True))
    print(f"  batch sizes 1, 7 and {len(labels)} give the same float logits")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="only check the files already there")
    args = parser.parse_args()
    if not args.report:
        os.makedirs(args.out, exist_ok=True)
        train_x, train_y, test_x, test_y = load()
        weights = train(train_x, train_y, args.seed, args.epochs)
        export(weights, os.path.join(args.out, "digits.onnx"))
        pick = np.random.default_rng(args.seed).permutation(len(train_x))[:CALIBRATION]
        np.savez_compressed(os.path.join(args.out, "held_out.npz"), **{INPUT: test_x})
        np.save(os.path.join(args.out, "labels.npy"), test_y)
        np.savez_compressed(os.path.join(args.out, "calibration.npz"),
                            **{INPUT: train_x[pick]})
    report(args.out)


if __name__ == "__main__":
    main()
