#!/usr/bin/env python3
"""The quickstart's bundles against their promises: digits.py BUILD_FOLDER (after samples/quickstart/run.sh).

Accuracy: the float bundle agrees with the model, int8 loses at most 0.5 points, 50% pruning keeps the top-1 of this network. Size: the file is smaller than the
source. The same command gives the same bytes. The small runner alone runs a bundle, at two batch sizes, and links no protobuf."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

build = pathlib.Path(sys.argv[1]).resolve()
root = pathlib.Path(__file__).resolve().parents[2]
quick = root / "build/quickstart"
sample = root / "samples/quickstart"
failed = []


def need(ok, what):
    if not ok:
        failed.append(what)
        print("FAILED:", what)


def call(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


task = {n: json.loads((quick / f"{n}.accuracy.json").read_text()) for n in ("float", "int8", "pruned", "pruned-int8")}
top1 = {n: 100 * t["task"]["candidate"] for n, t in task.items()}
reference = 100 * task["float"]["task"]["reference"]
need(reference >= 98, f"the network's own top-1 is {reference}")
need(top1["float"] == reference, f"float bundle {top1['float']}, model {reference}")
need(top1["int8"] >= reference - 0.5, f"int8 top-1 {top1['int8']}, model {reference}")
need(top1["pruned"] >= reference - 1, f"pruned top-1 {top1['pruned']}, model {reference}")
need(top1["pruned-int8"] >= reference - 1, f"pruned int8 top-1 {top1['pruned-int8']}, model {reference}")
source = (sample / "digits.onnx").stat().st_size
size = {n: (quick / f"{n}.onecard").stat().st_size for n in task}
need(size["float"] < source, f"float bundle has {size['float']} bytes, the source {source}")
need(max(size["int8"], size["pruned-int8"]) < size["pruned"] < size["float"], f"sizes {size}")

with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    again = call(build / "onecard", "optimize", sample / "digits.onnx", "-o", tmp / "again.onecard", "--threads", 1, "--precision", "int8", "--data", sample / "calibration.npz", "--quiet")
    need(again.returncode == 0 and (tmp / "again.onecard").read_bytes() == (quick / "int8.onecard").read_bytes(), "the same command gives the same bytes")
    images = np.load(sample / "held_out.npz")["image"]
    answers = []
    for count in (1, 17):
        np.savez(tmp / f"in{count}.npz", image=images[:count])
        done = call(build / "onecard-run", "run", quick / "float.onecard", "--data", tmp / f"in{count}.npz", "--output-dir", tmp / "out", "--quiet")
        need(done.returncode == 0, f"onecard-run at batch {count}: {done.stderr.strip()}")
        if done.returncode == 0:
            answers.append(np.load(tmp / f"out/in{count}.npz")["logits"])
    if len(answers) == 2:
        need(answers[1].shape == (17, 10) and np.allclose(answers[0][0], answers[1][0], atol=1e-4), "batch 1 and batch 17 agree")
linked = call("readelf", "-d", build / "onecard-run").stdout
need("protobuf" not in linked, "onecard-run links protobuf")
print(f"digits: top-1 {top1}, bytes {size}, source {source}")
sys.exit(bool(failed))
