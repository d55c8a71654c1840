#!/usr/bin/env python3
"""The user's view: what each command prints and how it ends. cases.py PROGRAM"""
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

program = str(pathlib.Path(sys.argv[1]).resolve())
root = pathlib.Path(__file__).resolve().parents[2]
model = str(root / "samples/quickstart/digits.onnx")
data = str(root / "samples/quickstart/held_out.npz")
calibration = str(root / "samples/quickstart/calibration.npz")
failed = 0


def save(name, nodes, inputs, outputs, opset=17):
    """A small model written into the current folder."""
    m = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", opset)])
    m.ir_version = 8
    onnx.save(m, name)
    return name


def png(name, width, height):
    """A picture of one colour, 51 102 204, without compression of the rows."""
    import struct
    import zlib
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([51, 102, 204]) * width for _ in range(height))
    pathlib.Path(name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return name


def case(what, args, code, out="", err="", then=None, environment={}, largest_file=None):
    """Runs the program; `out` and `err` must occur in what it prints; `then` looks at the result. `largest_file`: bytes the system lets it write."""
    global failed
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))) if largest_file else None
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=120, env=os.environ | environment, preexec_fn=limit)
    wrong = []
    if done.returncode != code:
        wrong.append(f"exit {done.returncode}, wanted {code}")
    if out not in done.stdout:
        wrong.append(f"stdout lacks '{out}'")
    if err not in done.stderr:
        wrong.append(f"stderr lacks '{err}'")
    if not wrong and then:
        try:
            if then(done) is False:
                wrong.append("what it printed is not as promised")
        except Exception as e:
            wrong.append(f"{type(e).__name__}: {e}")
    if wrong:
        failed += 1
        print(f"FAILED: {what}: {'; '.join(wrong)}\n  stdout: {done.stdout[-300:]!r}\n  stderr: {done.stderr[-300:]!r}")


with tempfile.TemporaryDirectory() as tmp:
    os.chdir(tmp)
    case("optimize ends with one verdict", ["optimize", model, "-o", "a.onecard"], 0, then=lambda d: d.stdout.splitlines()[-1].startswith("optimize: OK"))
    keys = {"source_bytes", "bundle_bytes", "weight_bytes_source", "weight_bytes_stored", "nodes_before", "nodes_after", "passes", "memory", "seconds", "peak_rss_bytes"}
    case("optimize --json is one object", ["optimize", model, "-o", "a.onecard", "--json"], 0, then=lambda d: keys <= json.loads(d.stdout).keys())
    case("--quiet says nothing on stderr", ["optimize", model, "-o", "a.onecard", "--quiet"], 0, then=lambda d: d.stderr == "")
    save("tiny.onnx", [helper.make_node("Identity", ["x"], ["y"])], [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    case("a bundle that is larger than the model says so", ["optimize", "tiny.onnx", "-o", "tiny.onecard", "--precision", "int8-weights"], 0, out="the bundle is larger than the model")
    case("a file larger than the system allows: an error and nothing left", ["optimize", model, "-o", "large.onecard"], 5, err="cannot write", largest_file=8192,
         then=lambda d: not list(pathlib.Path(".").glob("large.onecard*")))
    case("run a bundle: nothing is called passed that nothing was held against", ["run", "a.onecard", "--data", data], 0, out="run: OK 1 sample, nothing checked")
    case("self-check", ["run", "a.onecard", "--self-check"], 0, out="run: PASS")
    spins = lambda d: int(re.search(r"GOMP_SPINCOUNT = '(\d+)'", d.stderr)[1])
    case("threads wait for a bounded time", ["--version"], 0, then=lambda d: 1000 <= spins(d) <= 50000, environment={"OMP_DISPLAY_ENV": "verbose"})
    case("how threads wait is the user's choice", ["--version"], 0, then=lambda d: spins(d) == 7, environment={"OMP_DISPLAY_ENV": "verbose", "GOMP_SPINCOUNT": "7"})
    case("a policy of waiting is the user's choice", ["--version"], 0, then=lambda d: not 1000 <= spins(d) <= 50000,
         environment={"OMP_DISPLAY_ENV": "verbose", "OMP_WAIT_POLICY": "passive"})
    case("run --check without answers runs nothing", ["run", "a.onecard", "--data", data, "--check"], 2, err="no answers", then=lambda d: "ms" not in d.stdout)
    case("run without inputs", ["run", "a.onecard"], 2, err="--data")
    case("run with an unknown input", ["run", "a.onecard", "--input", "nope=x.npy"], 2, err="nope")
    case("outputs are written", ["run", "a.onecard", "--data", data, "--output-dir", "out"], 0, then=lambda d: pathlib.Path("out/held_out.npz").exists())
    case("the oracle agrees", ["diff-accuracy", model, "a.onecard", "--data", data, "--max-range-error", "1e-4", "--device", "cpu"], 0, out="diff-accuracy: PASS")
    for other, file in (("--report", "same.json"), ("--calibration-cache", "same.onecard"), ("--calibration-cache", "./same.onecard")):
        out = pathlib.Path(file).name
        case(f"{other} {file} and -o name one file", ["optimize", model, "-o", out, "--precision", "int8", "--data", calibration, other, file], 2,
             err=f"-o {out}: {other} names the same file", then=lambda _, out=out: not pathlib.Path(out).exists())
    case("a cache in place of the model", ["optimize", model, "-o", "same.onecard", "--calibration-cache", model, "--precision", "int8", "--data", calibration], 2,
         err="--calibration-cache")
    case("a gate that cannot hold", ["optimize", model, "-o", "i.onecard", "--precision", "int8", "--data", calibration, "--quiet"], 0)
    for way in ("auto", "minmax", "entropy", "percentile", "mse"):
        words = ["--precision", "int8", "--data", calibration, "--calibration", way, "--calibration-cache", f"{way}.txt", "--quiet"]
        case(f"{way}: what calibration decided is kept", ["optimize", model, "-o", "k.onecard", *words], 0, then=lambda d: f"method {way}" in pathlib.Path(f"{way}.txt").read_text())
        case(f"{way}: and read again", ["optimize", model, "-o", "l.onecard", *words], 0,
             then=lambda d: pathlib.Path("k.onecard").read_bytes() == pathlib.Path("l.onecard").read_bytes())
    os.mkdir("parts")
    for i, part in enumerate(np.split(np.load(calibration)["image"], 16)):
        np.savez(f"parts/{i:02d}.npz", image=part)
    for words in (["int8"], ["int8", "--calibration", "minmax"], ["bf16"]):
        case(f"the self-check of {' '.join(words)} is the first sample", ["optimize", model, "-o", "c.onecard", "--data", "parts", "--precision", *words], 0,
             out="distance from the original (sample '00')")
        case("and it is reproduced", ["run", "c.onecard", "--self-check"], 0, out="run: PASS")
    read = ["optimize", model, "-o", "z.onecard", "--precision", "int8", "--data", calibration, "--quiet"]
    case("every way of calibration finds scales of its own", ["devices"], 0, then=lambda d: len({pathlib.Path(f"{w}.txt").read_text().split("layer ", 1)[1] for w in ("minmax", "entropy", "percentile", "mse")}) == 4)
    case("a cache without a way asked for is taken as it is", [*read, "--calibration-cache", "entropy.txt"], 0)
    pathlib.Path("z.onecard").unlink(missing_ok=True)
    case("a cache of another way", [*read, "--calibration", "mse", "--calibration-cache", "entropy.txt"], 2, err="made by --calibration entropy")
    case("a cache of other options", [*read, "--prune", "0.5", "--calibration-cache", "entropy.txt"], 2, err="belongs to another model")
    pathlib.Path("cut.txt").write_text(pathlib.Path("auto.txt").read_text()[:-4])
    case("a cache that was cut off", [*read, "--calibration-cache", "cut.txt"], 5, err="damaged")
    pathlib.Path("cut.txt").write_text("hello")
    case("no cache at all", [*read, "--calibration-cache", "cut.txt"], 2, err="no calibration cache")
    case("an unknown way of calibration", [*read, "--calibration", "guess"], 2, err="auto, minmax, entropy, percentile and mse")
    case("diff-accuracy without a gate checks nothing", ["diff-accuracy", model, "i.onecard", "--data", data], 0, out="diff-accuracy: OK 1 sample on", then=lambda d: "PASS" not in d.stdout)
    case("a gate is told with as many digits as it takes", ["diff-accuracy", model, "i.onecard", "--data", data, "--min-cosine", "0.9999999"], 1, out="breaks at least 0.9999999")
    case("a calibration that was read is told", [*read, "--calibration-cache", "entropy.txt"], 0, out="calibration: read from entropy.txt")
    case("few held-out samples are told", ["optimize", model, "-o", "z.onecard", "--precision", "int8", "--data", "parts"], 0, out="measured on 4 samples, which say little")
    case("a network that is lost without samples is told", ["optimize", model, "-o", "z.onecard", "--prune", "1"], 0, err="warning: the answer to a random input is far")
    case("a name that no weight has: others are named", ["optimize", model, "-o", "y.onecard", "--prune", "0.5", "--prune-skip", "nosuch*"], 2, err="nosuch*",
         then=lambda d: ", ," not in d.stderr)
    pathlib.Path("z.onecard").unlink(missing_ok=True)
    case("diff-accuracy fails by its gate", ["diff-accuracy", model, "i.onecard", "--data", data, "--max-range-error", "1e-9"], 1, out="diff-accuracy: FAIL")
    case("bench", ["bench", "a.onecard", "--random", "1", "--iterations", "5", "--json", "--quiet"], 0, then=lambda d: json.loads(d.stdout)["median_ms"] > 0)
    case("inspect --plan", ["inspect", "a.onecard", "--plan", "--json"], 0, then=lambda d: "buffers" in json.dumps(json.loads(d.stdout)))
    case("inspect --graph", ["inspect", model, "--graph"], 0, out="conv(")
    case("check", ["check", model], 0, out="OK")
    case("export", ["export", "a.onecard", "-o", "back.onnx"], 0, out="export: OK")
    case("exported file imports", ["diff-accuracy", model, "back.onnx", "--data", data, "--max-range-error", "1e-4"], 0)
    save("newer.onnx", [helper.make_node("BitCast", ["x"], ["y"], to=TensorProto.INT32)], [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])], [helper.make_tensor_value_info("y", TensorProto.INT32, [2])], 26)
    case("optimize an operator that is newer than what export writes", ["optimize", "newer.onnx", "-o", "newer.onecard"], 0)
    case("export says so", ["export", "newer.onecard", "-o", "newer_back.onnx"], 3, err="no form in ONNX opset 21")
    case("passes", ["passes"], 0, out="fold_batch_norm_into_conv")
    case("ops", ["ops"], 0, out="Conv")
    case("devices", ["devices"], 0, out="cpu")
    case("skip a pass", ["optimize", model, "-o", "s.onecard", "--skip-pass", "fold_batch_norm_into_conv", "--json"], 0,
         then=lambda d: all(p["name"] != "fold_batch_norm_into_conv" or p["changes"] == 0 for p in json.loads(d.stdout)["passes"]))
    case("an unknown pass", ["optimize", model, "-o", "s.onecard", "--skip-pass", "nope"], 2, err="nope")
    case("int8 needs data", ["optimize", model, "-o", "z.onecard", "--precision", "int8"], 2, err="--data")
    for gate in (["--min-cosine", "0.9"], ["--min-sqnr", "20"], ["--max-drop", "1", "--labels", "labels.txt"]):
        case(f"{gate[0]} needs data", ["optimize", model, "-o", "z.onecard", *gate], 2, err="--data")
    case("--max-drop needs labels", ["optimize", model, "-o", "z.onecard", "--prune", "0.5", "--data", calibration, "--max-drop", "1"], 2, err="--labels")
    case("labels and no drop", ["optimize", model, "-o", "z.onecard", "--data", calibration, "--labels", "labels.txt"], 2, err="--max-drop")
    case("a guard of a pipeline that ends early", ["optimize", model, "-o", "z.onecard", "--data", calibration, "--min-sqnr", "20", "--stop-after", "fuse_gelu"], 2, err="--stop-after")
    case("a cosine above 1 in optimize", ["optimize", model, "-o", "z.onecard", "--data", calibration, "--min-cosine", "3"], 2, err="from -1 to 1")
    pathlib.Path("labels.txt").write_text("1 2 3")
    case("labels that are too few are told at once", ["optimize", model, "-o", "z.onecard", "--precision", "int8", "--data", calibration, "--max-drop", "1", "--labels", "labels.txt"], 2, err="3 labels are fewer")
    np.save("halves.npy", np.full(2000, 0.5))
    case("labels that are no whole numbers", ["optimize", model, "-o", "z.onecard", "--precision", "int8", "--data", calibration, "--max-drop", "1", "--labels", "halves.npy"], 5, err="entry 1 is no whole number")
    case("labels of a metric that there is not", ["optimize", model, "-o", "z.onecard", "--data", calibration, "--max-drop", "1", "--labels", "labels.txt", "--metric", "bleu"], 2, err="top1 and top5")

    def guarded(done):
        report = json.loads(done.stdout)["guard"]
        prices, shipped = report["price_list"], [p for p in report["price_list"] if p["shipped"]]
        return report["holds"] and len(shipped) == 1 and shipped[0]["holds"] and 0 < len(report["raised"]) < prices[-1]["layers_raised"] and shipped[0]["outputs"][0]["sqnr_db"] >= 45

    case("the guard raises layers", ["optimize", model, "-o", "guarded.onecard", "--precision", "int8", "--data", calibration, "--min-sqnr", "45", "--report", "guard.md", "--json"], 0, then=guarded)
    case("and the file holds the gate", ["diff-accuracy", model, "guarded.onecard", "--data", calibration, "--min-sqnr", "45"], 0)
    case("which plain int8 does not", ["diff-accuracy", model, "i.onecard", "--data", calibration, "--min-sqnr", "45"], 1)
    case("the report has the price list", ["devices"], 0, then=lambda d: "Price list" in pathlib.Path("guard.md").read_text() and "Layers in the order" in pathlib.Path("guard.md").read_text())
    case("a guard of zeros", ["optimize", model, "-o", "g.onecard", "--prune", "0.9", "--data", calibration, "--min-cosine", "0.999", "--json"], 0,
         then=lambda d: any(r["how"] == "as it was" for r in json.loads(d.stdout)["guard"]["raised"]))
    case("a guard of what loses nothing", ["optimize", model, "-o", "g.onecard", "--data", calibration, "--min-cosine", "0.999", "--json"], 0, then=lambda d: json.loads(d.stdout)["guard"]["raised"] == [])
    pathlib.Path("z.onecard").write_text("an older file")
    case("a guard that cannot hold leaves its price list", ["optimize", model, "-o", "unheld.onecard", "--precision", "int8", "--data", calibration, "--min-sqnr", "200", "--report", "failed.json", "--quiet"], 1,
         err="cannot hold", then=lambda d: not pathlib.Path("unheld.onecard").exists() and len((r := json.loads(pathlib.Path("failed.json").read_text()))["guard"]["price_list"]) > 1 and r["missed"] and r["exit_code"] == 1)
    case("the same as a page", ["optimize", model, "-o", "unheld.onecard", "--precision", "int8", "--data", calibration, "--min-sqnr", "200", "--report", "failed.html", "--quiet"], 1,
         err="cannot hold", then=lambda d: "Price list" in pathlib.Path("failed.html").read_text())
    case("a guard that cannot hold", ["optimize", model, "-o", "z.onecard", "--precision", "int8", "--data", calibration, "--min-sqnr", "200", "--quiet"], 1, err="cannot hold",
         then=lambda d: len(d.stderr.splitlines()) == 1 and pathlib.Path("z.onecard").read_text() == "an older file")
    pathlib.Path("z.onecard").unlink()
    case("unknown precision", ["optimize", model, "-o", "z.onecard", "--precision", "int3"], 2)
    case("prune more than all", ["optimize", model, "-o", "z.onecard", "--prune", "1.5"], 2)
    case("a glob that names no weight", ["optimize", model, "-o", "z.onecard", "--prune", "0.5", "--prune-skip", "*", "--prune-only", "no.such*"], 2, err="--prune-only no.such*")
    case("globs that leave nothing", ["optimize", model, "-o", "z.onecard", "--prune", "0.5", "--prune-skip", "*"], 2, err="nothing to prune")
    weights = {"w": np.random.default_rng(2).normal(size=(8, 2, 3, 3)).astype(np.float32), "s": np.ones(8, np.float32), "b": np.zeros(8, np.float32), "v": np.random.default_rng(3).normal(size=(4, 8, 3, 3)).astype(np.float32)}
    chain = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("BatchNormalization", ["c", "s", "b", "b", "s"], ["n"]), helper.make_node("Relu", ["n"], ["r"]), helper.make_node("Conv", ["r", "v"], ["y"])]
    image = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    made = helper.make_model(helper.make_graph(chain, "g", [image("x", [1, 2, 8, 8])], [image("y", [1, 4, 4, 4])], [onnx.numpy_helper.from_array(w, n) for n, w in weights.items()]), opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, "norm.onnx")
    pathlib.Path("norm").mkdir()
    for i in range(12):
        np.savez(f"norm/{i:02d}.npz", x=np.random.default_rng(4 + i).normal(size=(1, 2, 8, 8)).astype(np.float32))
    case("globs of what is folded later, with data", ["optimize", "norm.onnx", "-o", "n.onecard", "--prune", "0.5", "--prune-skip", "w", "--data", "norm", "--json"], 0,
         then=lambda d: json.loads(d.stdout)["pruning"]["weights"] == 1 and json.loads(d.stdout)["run_ms"]["runs"] >= 1)
    case("integers while running need no data", ["optimize", "norm.onnx", "-o", "n.onecard", "--precision", "int8-dynamic", "--json"], 0, then=lambda d: json.loads(d.stdout)["weight_bytes"] * 3 < json.loads(d.stdout)["weight_bytes_source"])
    case("and run in integer kernels", ["inspect", "n.onecard", "--plan", "--device", "cpu"], 0, out="cpu.conv_dynamic")
    case("weights of four bits in blocks of 64", ["optimize", model, "-o", "f.onecard", "--precision", "int4-weights", "--block-size", "64"], 0, out="in blocks of 64")
    case("a block size of nothing", ["optimize", model, "-o", "z.onecard", "--block-size", "64"], 2, err="--block-size needs")
    made.graph.node.insert(3, helper.make_node("Resize", ["r", "", "scales"], ["u"], mode="nearest"))
    made.graph.node[4].input[0] = "u"
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"))
    made.graph.output[0].CopyFrom(image("y", [1, 4, 10, 10]))
    onnx.save(made, "resized.onnx")
    case("integers that are resized", ["optimize", "resized.onnx", "-o", "n.onecard", "--precision", "int8", "--calibration", "minmax", "--data", "norm"], 0, out="speed: a run takes")
    case("leave as ONNX", ["export", "n.onecard", "-o", "resized_int8.onnx"], 0, then=lambda d: [n.op_type for n in onnx.load("resized_int8.onnx").graph.node].count("Resize") == 1)
    case("a precision that is none", ["optimize", model, "-o", "z.onecard", "--precision", "int9"], 2, err="int8-dynamic")
    case("globs without --prune", ["optimize", model, "-o", "z.onecard", "--prune-skip", "*"], 2, err="need --prune")
    case("wanda weighs by data", ["optimize", model, "-o", "z.onecard", "--prune", "0.5", "--prune-score", "wanda"], 2, err="--data")
    case("2:4 has no scope", ["optimize", model, "-o", "z.onecard", "--prune", "2:4", "--prune-scope", "global"], 2, err="--prune-scope")
    case("2:4 is told in figures", ["optimize", model, "-o", "f.onecard", "--prune", "2:4", "--json"], 0,
         then=lambda d: json.loads(d.stdout)["pruning"]["pattern"] == "2:4" and json.loads(d.stdout)["pruning"]["zeros"] * 2 >= 0.95 * json.loads(d.stdout)["pruning"]["elements"])
    case("what a later version brings is refused", ["optimize", model, "-o", "z.onecard", "--host-memory-limit", "1GiB"], 2)
    case("a limit too small names the feasible one", ["optimize", model, "-o", "z.onecard", "--memory-limit", "1", "--json"], 4, then=lambda d: json.loads(d.stdout)["smallest_feasible_bytes"] > 1)
    case("nothing is left of failures", ["devices"], 0, then=lambda d: not pathlib.Path("z.onecard").exists())
    case("a model that is not there", ["optimize", "gone.onnx", "-o", "z.onecard"], 5, err="gone.onnx")
    pathlib.Path("text.onnx").write_text("hello\n")
    case("text for a model", ["optimize", "text.onnx", "-o", "z.onecard"], 3)
    case("an error with --json", ["optimize", "text.onnx", "-o", "z.onecard", "--json"], 3, then=lambda d: json.loads(d.stdout)["exit_code"] == 3 and "message" in json.loads(d.stdout)["error"])
    case("no GPU here", ["run", "a.onecard", "--data", data, "--device", "cuda:77"], 6)

    tensor = lambda name, shape, kind=TensorProto.FLOAT: helper.make_tensor_value_info(name, kind, shape)
    relu = [helper.make_node("Relu", ["x"], ["y"])]
    save("any.onnx", relu, [tensor("x", ["n", 3])], [tensor("y", ["n", 3])])
    right, wrong_type, wrong_rank, wrong_extent = np.ones((2, 3), np.float32), np.ones((2, 3)), np.ones(3, np.float32), np.ones((2, 4), np.float32)
    np.savez("right.npz", x=right)
    np.savez("answered.npz", x=right, y=right)
    np.savez("missed.npz", x=right, y=right * 2)
    np.savez("nameless.npz", z=right)
    case("answers without a limit", ["run", "any.onnx", "--data", "answered.npz"], 0, out="run: OK 1 sample, 1 outputs compared")
    case("answers kept", ["run", "any.onnx", "--data", "answered.npz", "--check"], 0, out="run: PASS")
    case("answers missed", ["run", "any.onnx", "--data", "missed.npz", "--check", "--json"], 1, then=lambda d: json.loads(d.stdout)["pass"] is False)
    for name, array in {"type": wrong_type, "rank": wrong_rank, "extent": wrong_extent}.items():
        np.savez(f"wrong_{name}.npz", x=array)
        np.save(f"wrong_{name}.npy", array)
        for words in (["run", "any.onnx", "--data", f"wrong_{name}.npz"], ["run", "any.onnx", "--input", f"x=wrong_{name}.npy"], ["bench", "any.onnx", "--data", f"wrong_{name}.npz"],
                      ["diff-accuracy", "any.onnx", "any.onnx", "--data", f"wrong_{name}.npz"],
                      ["optimize", "any.onnx", "-o", "z.onecard", "--precision", "int8", "--data", f"wrong_{name}.npz"]):
            case(f"{words[0]}: data of another {name}", words, 2, err="the model takes f32[n,3]")
    case("data without the input", ["run", "any.onnx", "--data", "nameless.npz"], 2, err="no array 'x'")
    case("a --dim that the data has", ["run", "any.onnx", "--data", "right.npz", "--dim", "n=2"], 0)
    case("a --shape that the data has", ["run", "any.onnx", "--data", "right.npz", "--shape", "x:2x3"], 0)
    case("--dim against the data", ["run", "any.onnx", "--data", "right.npz", "--dim", "n=5"], 2, err="--dim")
    case("--shape against the data", ["run", "any.onnx", "--data", "right.npz", "--shape", "x:5x3"], 2, err="[5,3]")
    case("--carry between different types", ["run", "a.onecard", "--data", data, "--carry", "logits=image"], 2, err="--carry logits=image")

    save("same.onnx", [helper.make_node("Identity", ["x"], ["y"])], [tensor("x", ["n", 4])], [tensor("y", ["n", 4])])
    save("first.onnx", [helper.make_node("Constant", [], ["k"], value_floats=[0.0, 0.0, 0.0, 2.0]), helper.make_node("Add", ["x", "k"], ["y"])], [tensor("x", ["n", 4])], [tensor("y", ["n", 4])])
    pathlib.Path("rows").mkdir()
    np.savez("rows/a.npz", x=np.eye(4, dtype=np.float32)[[3, 3, 3]])
    np.savez("rows/b.npz", x=np.eye(4, dtype=np.float32)[[0]])
    case("agreement is of all rows, not of the worst sample", ["diff-accuracy", "same.onnx", "first.onnx", "--data", "rows", "--min-agreement", "0.75"], 0, out="0.75 keeps")
    case("agreement too low", ["diff-accuracy", "same.onnx", "first.onnx", "--data", "rows", "--min-agreement", "0.76"], 1)
    for flag, value in (("--min-cosine", "3"), ("--min-agreement", "500"), ("--max-abs", "-1"), ("--max-range-error", "nan")):
        case(f"{flag} {value}", ["diff-accuracy", "any.onnx", "any.onnx", "--data", "right.npz", flag, value], 2, err=flag)

    picture = png("picture.png", 8, 6)
    for kind, scale in ((TensorProto.FLOAT, "unit"), (TensorProto.FLOAT16, "unit"), (TensorProto.DOUBLE, "unit"), (TensorProto.UINT8, "raw")):
        name = save(f"picture{kind}.onnx", [helper.make_node("Identity", ["x"], ["y"])], [tensor("x", [1, 3, 6, 8], kind)], [tensor("y", [1, 3, 6, 8], kind)])
        value = 0.2 if scale == "unit" else 51
        case(f"a photograph for inputs of type {kind}", ["run", name, "--input", f"x={picture}", "--preprocess", scale, "--output-dir", f"seen{kind}"], 0,
             then=lambda d: abs(float(np.load(f"seen{kind}/input.npz")["y"][0, 0, 0, 0]) - value) < 1e-3)
    case("a photograph without --preprocess", ["run", "picture1.onnx", "--input", f"x={picture}"], 2, err="--preprocess")
    case("whole numbers are not scaled to 0 and 1", ["run", "picture2.onnx", "--input", f"x={picture}", "--preprocess", "unit"], 2, err="raw")
    case("a colour that there is not", ["run", "picture1.onnx", "--input", f"x={picture}", "--preprocess", "color=gray"], 2, err="rgb and bgr")

    case("bench measures something", ["bench", "any.onnx", "--iterations", "0"], 2, err="at least one run")
    case("a mistyped flag", ["bench", "any.onnx", "--iteration", "5"], 2, err="did you mean --iterations?")
    case("a mistyped command", ["optimise", model], 2, err="did you mean optimize?")
    for size in ("800kB", "800KB", "800k", "1M", "1MB", "1MiB", "0.1G", "0.1GiB"):
        case(f"--memory-limit {size}", ["run", "a.onecard", "--random", "1", "--memory-limit", size], 0)
    case("--memory-limit 12parsecs", ["run", "a.onecard", "--random", "1", "--memory-limit", "12parsecs"], 2)
    for words in (["optimize", model, "-o", "/proc/z.onecard"], ["optimize", model, "-o", "z.onecard", "--report", "/proc/z.html"], ["export", "a.onecard", "-o", "/proc/z.onnx"],
                  ["diff-accuracy", model, model, "--data", data, "--report", "/proc/z.md"], ["run", "a.onecard", "--data", data, "--output-dir", "/proc/z"]):
        case(f"{words[0]} into a folder that takes no files", words, 5, err="/proc/z", then=lambda d: d.stdout == "")
    case("pruning is told in one line", ["optimize", model, "-o", "p.onecard", "--prune", "0.5"], 0, then=lambda d: sum(l.startswith("note: ") for l in d.stdout.splitlines()) == 1)
    case("and weight by weight with --verbose", ["optimize", model, "-o", "p.onecard", "--prune", "0.5", "--verbose"], 0, then=lambda d: sum(l.startswith("pruned ") for l in d.stderr.splitlines()) > 1)
    case("a pass that does not run so often", ["optimize", model, "-o", "z.onecard", "--stop-after", "eliminate_dead:9"], 2, err="never reached")
    case("the last run of a pass", ["optimize", model, "-o", "z2.onecard", "--stop-after", "eliminate_dead:2"], 0)
    for command in ("optimize", "run", "diff-accuracy", "bench", "inspect", "check", "export", "passes", "ops", "devices"):
        case(f"{command} --help has an example", [command, "--help"], 0, out="onecard " + command)
print("command line:", "all as promised" if not failed else f"{failed} cases failed")
sys.exit(bool(failed))
