#!/usr/bin/env python3
"""What users of other converters complain about, each shown to have ended on a network of ours: pains.py PROGRAM. docs/compression.md lists them."""
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
failed = 0
rng = np.random.default_rng(0)


def need(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED:", what, flush=True)


def call(*args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True)


def save(name, nodes, inputs, outputs, weights=None):
    value = lambda n, dims: helper.make_tensor_value_info(n, TensorProto.FLOAT, dims)
    m = helper.make_model(helper.make_graph(nodes, "g", [value(*i) for i in inputs], [value(*o) for o in outputs], [numpy_helper.from_array(w, n) for n, w in (weights or {}).items()]),
                          opset_imports=[helper.make_opsetid("", 17)])
    m.ir_version = 8
    onnx.save(m, name)
    return name


def samples(folder, count, make):
    pathlib.Path(folder).mkdir()
    for i in range(count):
        np.savez(f"{folder}/{i:03d}.npz", x=make(i).astype(np.float32))
    return folder


def convolutions(name, size, channels, layers):
    """A chain of 3 x 3 convolutions with ReLU; its values are far larger than its weights."""
    weights = {f"w{i}": rng.normal(0, (2 / (9 * (channels if i else 3))) ** 0.5, (channels, channels if i else 3, 3, 3)).astype(np.float32) for i in range(layers)}
    nodes = []
    for i in range(layers):
        nodes += [helper.make_node("Conv", [f"r{i - 1}" if i else "x", f"w{i}"], [f"c{i}"], pads=[1] * 4), helper.make_node("Relu", [f"c{i}"], [f"r{i}"])]
    nodes.append(helper.make_node("GlobalAveragePool", [f"r{layers - 1}"], ["y"]))
    return save(name, nodes, [("x", [1, 3, size, size])], [("y", [1, channels, 1, 1])], weights)


def p6_calibration_memory():
    """P6: calibration that keeps every value of every sample. Here a sample's values take 32 MB; 40 samples more cost next to nothing."""
    model = convolutions("p6.onnx", 256, 16, 8)
    few, many = samples("few", 8, lambda i: rng.normal(size=(1, 3, 256, 256))), samples("many", 48, lambda i: rng.normal(size=(1, 3, 256, 256)))
    for way in ("minmax", "entropy", "percentile", "mse"):
        peak = {}
        for data in (few, many):
            done = call("optimize", model, "-o", "o.onecard", "--precision", "int8", "--data", data, "--calibration", way, "--threads", 1, "--quiet", "--json")
            need(done.returncode == 0, f"P6: {way}: {done.stderr}")
            peak[data] = json.loads(done.stdout)["peak_rss_bytes"] if done.returncode == 0 else 0
        need(peak[many] - peak[few] < 64 << 20, f"P6: {way}: 8 samples take {peak[few] >> 20} MiB, 48 take {peak[many] >> 20}")
        print(f"P6: {way}: peak {peak[few] >> 20} MiB with 8 samples, {peak[many] >> 20} MiB with 48, whose values take 1536 MiB", flush=True)


def p7_silent_collapse():
    """P7: int8 that ruins the answers without a word. The first channel is a thousand times as loud as the others, and nothing listens to it: plain ranges lose all the others."""
    w = rng.normal(size=(16, 4)).astype(np.float32)
    w[0] = 0
    model = save("p7.onnx", [helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", ["n", 16])], [("y", ["n", 4])], {"w": w})
    loud = samples("loud", 12, lambda i: rng.normal(size=(4, 16)) * np.array([1000] + [1] * 15))
    words = ["optimize", model, "-o", "o.onecard", "--precision", "int8", "--data", loud, "--calibration", "minmax", "--progress", "none"]
    bad, as_json = call(*words), call(*words, "--json")
    need(bad.returncode == 0 and sum(l.startswith("warning: the answers are far from") for l in bad.stderr.splitlines()) == 1, f"P7: no warning: {bad.stderr}")
    need("held-out samples): y  signal to error" in bad.stdout, f"P7: the figures of the held-out samples are not printed: {bad.stdout}")
    report = json.loads(as_json.stdout)
    need(len(report["warnings"]) == 1 and "--min-sqnr" in report["warnings"][0] and report["held_out"]["outputs"][0]["sqnr_db"] < 20, f"P7: {report['warnings']} {report['held_out']}")
    good = call("optimize", model, "-o", "o.onecard", "--precision", "int8", "--data", loud, "--progress", "none", "--json")
    need(good.returncode == 0 and json.loads(good.stdout)["warnings"] == [] and json.loads(good.stdout)["held_out"]["outputs"][0]["sqnr_db"] > 30, f"P7: recipes do not mend it: {good.stdout}")
    shipped = call("inspect", "o.onecard", "--json")
    need(shipped.returncode == 0, f"P7: {shipped.stderr}")


def p7_samples_that_say_nothing():
    """Samples that are nearly the same, too few, of one number, or not finite are told in numbers; good ones are not."""
    model = convolutions("p7s.onnx", 16, 4, 2)
    photo = rng.normal(size=(1, 3, 16, 16))
    kinds = {"alike": (12, lambda i: photo + 0.01 * rng.normal(size=photo.shape), "12 samples, effective 1.0: they are nearly the same"),
             "three": (3, lambda i: rng.normal(size=photo.shape), "3 samples, effective 3.0: too few to hold any back"),
             "two": (2, lambda i: 0.3 * photo + rng.normal(size=photo.shape), "too few to hold any back"),
             "silent": (12, lambda i: rng.normal(size=photo.shape) * (i > 3), "4 of 12 samples hold one number everywhere: '000', '001', '002', …"),
             "broken": (12, lambda i: np.where(i == 5, np.nan, rng.normal(size=photo.shape)), "1 of 12 samples hold NaN or infinity: '005'"),
             "fine": (12, lambda i: rng.normal(size=photo.shape), None)}
    for name, (count, make, warning) in kinds.items():
        done = call("optimize", model, "-o", "o.onecard", "--precision", "int8", "--data", samples(name, count, make), "--calibration", "minmax", "--progress", "none", "--json")
        warnings = json.loads(done.stdout).get("warnings") if done.returncode == 0 else done.stderr
        need(warnings == [] if warning is None else any(warning in w for w in warnings) and warning in done.stderr and len(warnings) == 1, f"P7: {name}: {warnings}")


def p8_random_calibration():
    """P8: calibration on random numbers when no data was given. Here that is refused, and nothing is written."""
    model = convolutions("p8.onnx", 16, 4, 2)
    for words in ([], ["--calibration", "entropy"], ["--calibration-cache", "none.txt"], ["--random", "1"]):
        done = call("optimize", model, "-o", "p8.onecard", "--precision", "int8", *words)
        need(done.returncode == 2 and not pathlib.Path("p8.onecard").exists(), f"P8: {words}: exit {done.returncode}")
    need("--data" in call("optimize", model, "-o", "p8.onecard", "--precision", "int8").stderr, "P8: it is not said what is missing")


def p18_file_grew():
    """P18: an "optimized" file that is larger because constants were folded that repeat one number. Here none grows, and what every pass adds is told."""
    shape, repeats, one = np.array([4096, 4096], np.int64), np.array([512, 1], np.int64), np.arange(8 * 64, dtype=np.float32).reshape(8, 64)
    fill = helper.make_node("ConstantOfShape", ["shape"], ["filled"], value=helper.make_tensor("v", TensorProto.FLOAT, [1], [1.5]))
    cases = {"filled": ([fill, helper.make_node("MatMul", ["x", "filled"], ["y"])], {"shape": shape}, [1, 4096], [1, 4096]),
             "tiled": ([helper.make_node("Tile", ["one", "repeats"], ["t"]), helper.make_node("Add", ["x", "t"], ["y"])], {"one": one, "repeats": repeats}, [4096, 64], [4096, 64]),
             "expanded": ([helper.make_node("Expand", ["one", "to"], ["t"]), helper.make_node("Add", ["x", "t"], ["y"])], {"one": one, "to": np.array([2048, 8, 64], np.int64)}, [2048, 8, 64], [2048, 8, 64])}
    for name, (nodes, weights, x, y) in cases.items():
        model = save(f"{name}.onnx", nodes, [("x", x)], [("y", y)], weights)
        done = call("optimize", model, "-o", f"{name}.onecard", "--quiet", "--json")
        need(done.returncode == 0, f"P18: {name}: {done.stderr}")
        if done.returncode:
            continue
        r = json.loads(done.stdout)
        source = sum(w.nbytes for w in weights.values())
        need(r["weight_bytes"] <= source + (1 << 20), f"P18: {name}: weights grew from {source} to {r['weight_bytes']} bytes")
        need(r["weight_bytes"] - r["weight_bytes_source"] == sum(p["bytes_delta"] for p in r["passes"]), f"P18: {name}: the passes' bytes do not add up: {r['weight_bytes_source']} -> {r['weight_bytes']}, {[(p['name'], p['bytes_delta']) for p in r['passes'] if p['bytes_delta']]}")


for test in (p6_calibration_memory, p7_silent_collapse, p7_samples_that_say_nothing, p8_random_calibration, p18_file_grew):
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        test()
        os.chdir("/")
print(f"pains: {'FAILED' if failed else 'all ended'}")
sys.exit(bool(failed))
