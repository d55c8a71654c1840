#!/usr/bin/env python3
"""Times onecard beside ONNX Runtime and OpenVINO on one model, all taking turns in one run, and prints ours / the best peer's median.

  compare.py build/release/onecard MODEL.onnx [--dim batch=1 …] [--threads 2] [--rounds 5] [--results bench/results.jsonl]

Needs numpy, onnx, onnxruntime and openvino in the Python that runs it. Every engine gets the same seeded inputs. A result line holds the machine it ran on and
how busy other processes kept it: repeat what shows more than 0.15."""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("model")
parser.add_argument("--dim", action="append", default=[])
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--runs", type=int, default=10, help="per round and engine")
parser.add_argument("--results")
options = parser.parse_args()
dims = {k: int(v) for k, v in (d.split("=") for d in options.dim)}


def inputs():
    rng = np.random.default_rng(0)
    graph = onnx.load(options.model, load_external_data=False).graph
    weights = {w.name for w in graph.initializer}
    made = {}
    for value in graph.input:
        if value.name in weights:
            continue
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        shape = [d.dim_value if d.HasField("dim_value") else dims.get(d.dim_param, 1) for d in value.type.tensor_type.shape.dim]
        made[value.name] = rng.standard_normal(shape).astype(kind) if np.issubdtype(kind, np.floating) else np.ones(shape, kind)
    return made


def onnxruntime_engine(feed):
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
    session = onnxruntime.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def openvino_engine(feed):
    import openvino
    core = openvino.Core()
    network = core.read_model(options.model)
    network.reshape({n: list(a.shape) for n, a in feed.items()})
    compiled = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda: request.infer(feed)


def busy_seconds():
    user, nice, system, *_ = map(int, open("/proc/stat").readline().split()[1:])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


feed = inputs()
engines = {"onnxruntime": onnxruntime_engine(feed), "openvino": openvino_engine(feed)}
times = {name: [] for name in [*engines, "onecard"]}
foreign = 0.0
with tempfile.TemporaryDirectory() as tmp:
    bundle, sample = pathlib.Path(tmp) / "m.onecard", pathlib.Path(tmp) / "s.npz"
    np.savez(sample, **feed)
    subprocess.run([options.program, "optimize", options.model, "-o", bundle, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    for run in engines.values():
        run()
    for _ in range(options.rounds):
        for name, run in engines.items():
            for _ in range(options.runs):
                start = time.perf_counter()
                run()
                times[name].append(1e3 * (time.perf_counter() - start))
        done = subprocess.run([options.program, "bench", bundle, "--data", sample, "--threads", str(options.threads), "--iterations", str(options.runs), "--warmup", "2", "--json", "--quiet"],
                              check=True, capture_output=True, text=True)
        times["onecard"].append(json.loads(done.stdout)["median_ms"])
        before, mine = busy_seconds(), time.process_time()
        time.sleep(0.2)
        foreign = max(foreign, (busy_seconds() - before - (time.process_time() - mine)) / 0.2)
median = {name: statistics.median(t) for name, t in times.items()}
best = min((n for n in median if n != "onecard"), key=median.get)
result = {"model": pathlib.Path(options.model).name, "dims": dims, "threads": options.threads, "median_ms": {n: round(m, 4) for n, m in median.items()}, "best_peer": best,
          "ratio": round(median["onecard"] / median[best], 4), "foreign_cpu": round(foreign, 2), "machine": platform.processor() or platform.machine(),
          "cpu": next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), ""), "cores": os.cpu_count()}
print(json.dumps(result))
if options.results:
    with open(options.results, "a") as out:
        out.write(json.dumps(result) + "\n")
sys.exit(0)
