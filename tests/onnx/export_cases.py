#!/usr/bin/env python3
"""The onnx package's node cases through optimize, export and import again: the exported file passes onnx's checker and gives the same answers,
and so does the bundle. export_cases.py PROGRAM [--every N] [--match TEXT]"""
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

arguments = argparse.ArgumentParser()
arguments.add_argument("program")
arguments.add_argument("--every", type=int, default=1, help="only every Nth case")
arguments.add_argument("--match", default="")
options = arguments.parse_args()
here = pathlib.Path(__file__).parent
failing = set((here / "node_cases.failing").read_text().split())
TRAINING = {"ai.onnx.preview.training", "ai.onnx.training"}
root = pathlib.Path(tempfile.mkdtemp(prefix="export_cases"))


def to_proto(value, info):
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), info.name)


def call(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, errors="replace")
    said = [l for l in (done.stderr + done.stdout).splitlines() if l.strip()] or ["nothing said"]
    return "" if done.returncode == 0 else f"exit {done.returncode}: {said[-1][:200]}"


def check(model):
    """The checker wants a shape of every output, which not every graph can tell; the nodes' types are checked all the same."""
    if all(o.type.tensor_type.HasField("shape") or not o.type.HasField("tensor_type") for o in model.graph.output):
        return onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def steps(case, folder):
    program, bundle, exported = options.program, folder / "m.onecard", folder / "out.onnx"
    onnx.save(case.model, folder / "m.onnx")
    for kind, values, infos in (("input", case.data_sets[0][0], case.model.graph.input), ("output", case.data_sets[0][1], case.model.graph.output)):
        for i, (value, info) in enumerate(zip(values, infos)):
            (folder / f"{kind}_{i}.pb").write_bytes(to_proto(value, info).SerializeToString())
    compare = ["--data", folder, "--check", "--rtol", case.rtol, "--atol", max(case.atol, 1e-6), "--device", "cpu", "--quiet"]
    yield "optimize", call(program, "optimize", folder / "m.onnx", "-o", bundle, "--quiet")
    yield "run the bundle", call(program, "run", bundle, *compare)
    yield "export", call(program, "export", bundle, "-o", exported)
    try:
        check(onnx.load(exported))
    except Exception as e:
        yield "check", str(e).strip().replace("\n", " ")[:250]
    yield "run the exported file", call(program, "run", exported, *compare)


def run(case):
    folder = root / case.name
    folder.mkdir()
    for step, why in steps(case, folder):
        if why:
            return case.name, f"{step}: {why}"
    shutil.rmtree(folder)
    return case.name, ""


cases = [c for c in collect_testcases() if options.match in c.name and c.name not in failing and not TRAINING & {o.domain for o in c.model.opset_import}][:: options.every]
with ThreadPoolExecutor(2) as pool:
    bad = 0
    for name, why in pool.map(run, cases):
        if why:
            bad += 1
            print(f"{name}: {why}", flush=True)
shutil.rmtree(root, ignore_errors=True)
print(f"exported node cases: {len(cases) - bad} of {len(cases)} pass")
sys.exit(bool(bad))
