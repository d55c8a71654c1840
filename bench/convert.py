#!/usr/bin/env python3
"""Times `onecard optimize --precision int8 --calibration minmax` beside ONNX Runtime's quantize_static and, with --nncf, NNCF, in turn.

  convert.py build/release/onecard MODEL.onnx [--dim batch=1 …] [--samples 8] [--rounds 3] [--nncf]

Needs numpy, onnx, onnxruntime (and nncf) in the Python that runs it. Everybody gets the same seeded samples and ends with an int8 file; the peers' seconds
hold Python's imports, ours the held-out measure, the timed runs and the self-check. Prints a JSON line each and the fastest peer's median / ours."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("--dim", action="append", default=[])
parser.add_argument("--samples", type=int, default=8)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--nncf", action="store_true")
parser.add_argument("--peer", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)  # this script as the process of one peer
options = parser.parse_args()


def samples(folder):
    import onnx
    for sample in sorted(pathlib.Path(folder).iterdir()):
        tensors = [onnx.load_tensor(str(f)) for f in sorted(sample.glob("input_*.pb"))]
        yield {t.name: onnx.numpy_helper.to_array(t) for t in tensors}


def onnxruntime(model, folder, out):
    from onnxruntime import quantization as q

    class Reader(q.CalibrationDataReader):
        left = samples(folder)

        def get_next(self):
            return next(self.left, None)

    try:
        q.shape_inference.quant_pre_process(model, out + ".prepared")
    except Exception:  # its symbolic shapes do not know every operator
        q.shape_inference.quant_pre_process(model, out + ".prepared", skip_symbolic_shape=True)
    q.quantize_static(out + ".prepared", out, Reader(), per_channel=True, activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)


def nncf(model, folder, out):
    import nncf as n
    import onnx
    onnx.save(n.quantize(onnx.load(model), n.Dataset(list(samples(folder))), subset_size=options.samples), out)


PEERS = {"onnxruntime": onnxruntime, "nncf": nncf}

if options.peer:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        PEERS[options.peer[0]](options.model, options.peer[1], f"{scratch}/out.onnx")
    sys.exit()


def write_samples(folder):
    import numpy as np
    import onnx
    dims = {k: int(v) for k, v in (d.split("=") for d in options.dim)}
    graph = onnx.load(options.model, load_external_data=False).graph
    weights = {w.name for w in graph.initializer}
    for s in range(options.samples):
        rng = np.random.default_rng(s)
        (folder / str(s)).mkdir()
        for i, value in enumerate(v for v in graph.input if v.name not in weights):
            tensor = value.type.tensor_type
            shape = [d.dim_value or dims.get(d.dim_param, 1) for d in tensor.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            if np.issubdtype(dtype, np.floating):
                array = rng.standard_normal(shape)
            elif "mask" in value.name or "type" in value.name:
                array = np.full(shape, "mask" in value.name)
            else:
                array = rng.integers(1, 30, shape)  # tokens
            onnx.save_tensor(onnx.numpy_helper.from_array(array.astype(dtype), value.name), str(folder / str(s) / f"input_{i}.pb"))


def seconds_of(command):
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return time.perf_counter() - begin


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch) / "samples"
    folder.mkdir()
    write_samples(folder)
    model = os.path.abspath(options.model)
    commands = {"onecard": [options.program, "optimize", model, "-o", f"{scratch}/out.onecard", "--precision", "int8", "--calibration", "minmax", "--data", str(folder), "--quiet"]}
    for name in ["onnxruntime"] + ["nncf"] * options.nncf:
        commands[name] = [sys.executable, __file__, options.program, model, "--samples", str(options.samples), "--peer", name, str(folder)]
    taken = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            taken[name].append(seconds_of(command))
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    for name, seconds in taken.items():
        print(json.dumps({"converter": name, "model": os.path.basename(model), "samples": options.samples, "median_s": round(medians[name], 2), "all_s": [round(s, 2) for s in seconds]}))
    fastest = min((m, n) for n, m in medians.items() if n != "onecard")
    print(f"{fastest[1]} / onecard: {fastest[0] / medians['onecard']:.2f}")
