#!/usr/bin/env python3
"""Small whole files for the fuzz targets to start from: seeds.py PROGRAM FOLDER makes FOLDER/{importer,bundle,graph_text,tensor_file}."""
import io
import pathlib
import re
import subprocess
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from onnx import numpy_helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases

MODEL_BYTES, BUNDLE_BYTES, BUNDLES_OF_ONE_OPERATOR = 4096, 16384, 3
program, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
root = pathlib.Path(__file__).resolve().parents[2]
for target in ("importer", "bundle", "graph_text", "tensor_file"):
    (out / target).mkdir(parents=True, exist_ok=True)

# The node cases of the onnx package, and bundles of some of each operator.
bundled, wanted = Counter(), []
for case in collect_testcases():
    data = case.model.SerializeToString()
    if len(data) > MODEL_BYTES:
        continue
    (out / "importer" / case.name).write_bytes(data)
    operators = {n.op_type for n in case.model.graph.node}
    if any(bundled[o] < BUNDLES_OF_ONE_OPERATOR for o in operators):
        bundled.update(operators)
        wanted.append(case.name)


def bundle(name):
    model, made = out / "importer" / name, out / "bundle" / name
    subprocess.run([program, "optimize", model, "-o", made, "--quiet"], capture_output=True)
    if made.exists() and made.stat().st_size > BUNDLE_BYTES:
        made.unlink()


with ThreadPoolExecutor(2) as pool:
    list(pool.map(bundle, wanted))

# The graphs of the pass cases.
for file in (root / "tests/passes").glob("*.ir"):
    for i, graph in enumerate(re.findall(r"^graph.*?^}", file.read_text(), re.M | re.S)):
        (out / "graph_text" / f"{file.stem}_{i}").write_text(graph)

# Arrays and tensors; the first byte is the target's choice of reader.
arrays = [np.arange(6).astype(t).reshape(2, 3) for t in "?bhilBHILefdFD"] + [np.array(3.5, np.float32), np.zeros((0, 2), np.int8), np.array([["a", "bc"]]), np.array([b"x", b"yz"])]
for i, a in enumerate(arrays):
    npy = io.BytesIO()
    np.save(npy, a)
    (out / "tensor_file" / f"npy_{i}").write_bytes(b"\0" + npy.getvalue())
    for kind, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        npz = io.BytesIO()
        save(npz, x=a, y=np.float32(1))
        (out / "tensor_file" / f"npz_{kind}_{i}").write_bytes(b"\1" + npz.getvalue())
    tensor = numpy_helper.from_array(np.array(a.astype(object) if a.dtype.kind in "US" else a), "x")
    (out / "tensor_file" / f"pb_{i}").write_bytes(b"\2" + tensor.SerializeToString())
    for field in ("float_data", "int32_data", "int64_data", "double_data"):
        typed = numpy_helper.from_array(np.arange(4, dtype=np.float32), "x")
        typed.ClearField("raw_data")
        typed.data_type = {"float_data": 1, "int32_data": 6, "int64_data": 7, "double_data": 11}[field]
        getattr(typed, field).extend(range(4))
        (out / "tensor_file" / f"pb_{field}").write_bytes(b"\2" + typed.SerializeToString())
sequence = numpy_helper.from_list([np.ones(2, np.float32), np.zeros((1, 3), np.float32)], "s")
(out / "tensor_file" / "pb_sequence").write_bytes(b"\3" + sequence.SerializeToString())
(out / "tensor_file" / "pb_optional").write_bytes(b"\4" + numpy_helper.from_optional(np.ones(2, np.float32), "o").SerializeToString())
for target in ("importer", "bundle", "graph_text", "tensor_file"):
    print(f"{target}: {sum(1 for _ in (out / target).iterdir())} seeds", file=sys.stderr)
