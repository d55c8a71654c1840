#!/usr/bin/env python3
"""Runs the node cases that the installed onnx package makes through the program, from the model. Prints the operators that fail.

  node_cases.py PROGRAM [--match TEXT] [--list]

Cases listed in node_cases.failing may fail (and the list may only shrink: one that passes now must be taken out); all others must pass. A wrong answer
is given to every 40th case and must be refused."""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--match", default="")
parser.add_argument("--list", action="store_true", help="print the names of the cases that fail, and nothing else")
options = parser.parse_args()
TRAINING = {"ai.onnx.preview.training", "ai.onnx.training"}
root = pathlib.Path(tempfile.mkdtemp(prefix="node_cases"))


def to_proto(value, info):
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), info.name)


def write_set(folder, case, spoil=False):
    folder.mkdir()
    inputs, outputs = case.data_sets[0]
    for i, (value, info) in enumerate(zip(inputs, case.model.graph.input)):
        (folder / f"input_{i}.pb").write_bytes(to_proto(value, info).SerializeToString())
    for i, (value, info) in enumerate(zip(outputs, case.model.graph.output)):
        if spoil and i == 0:
            value = np.array(value)
            value.flat[0] += 1 if value.flat[0] < 100 else -7
        (folder / f"output_{i}.pb").write_bytes(to_proto(value, info).SerializeToString())


def check(case, folder):
    command = [options.program, "run", folder.parent / "model.onnx", "--data", folder, "--check", "--rtol", str(case.rtol), "--atol", str(max(case.atol, 1e-6)), "--device", "cpu", "--quiet"]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


def run(numbered):
    index, case = numbered
    folder = root / case.name
    folder.mkdir()
    onnx.save(case.model, folder / "model.onnx")
    write_set(folder / "right", case)
    done = check(case, folder / "right")
    if done.returncode:
        said = [l for l in (done.stderr + done.stdout).splitlines() if l.strip()] or ["nothing said"]
        return case.name, f"exit {done.returncode}: {said[-1][:150]}"
    first = case.data_sets[0][1][0]
    if index % 40 == 0 and isinstance(first, np.ndarray) and first.size and first.dtype.kind in "fiu" and np.isfinite(first.astype(np.float64)).all():
        write_set(folder / "wrong", case, spoil=True)
        if check(case, folder / "wrong").returncode != 1:
            return case.name, "a wrong answer was accepted"
    return case.name, ""


cases = [c for c in collect_testcases() if options.match in c.name and not TRAINING & {o.domain for o in c.model.opset_import}]
with ThreadPoolExecutor(2) as pool:
    results = list(pool.map(run, enumerate(cases)))
shutil.rmtree(root, ignore_errors=True)
bad = {name: why for name, why in results if why}
if options.list:
    print("\n".join(sorted(bad)))
    sys.exit(0)
known = set((pathlib.Path(__file__).parent / "node_cases.failing").read_text().split())
fresh = {n: w for n, w in bad.items() if n not in known or "accepted" in w}
mended = [] if options.match else sorted(known - set(bad))
for name, why in sorted(fresh.items()):
    print(f"{name}: {why}")
for name in mended:
    print(f"{name} passes now: take it out of node_cases.failing")
print(f"node cases: {len(cases) - len(bad)} of {len(cases)} pass, {len(bad) - len(fresh)} known to fail")
sys.exit(bool(fresh or mended))
