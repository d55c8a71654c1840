#!/usr/bin/env python3
"""The user's view: what each command prints and how it ends. cases.py PROGRAM"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

program = str(pathlib.Path(sys.argv[1]).resolve())
root = pathlib.Path(__file__).resolve().parents[2]
model = str(root / "samples/quickstart/digits.onnx")
data = str(root / "samples/quickstart/held_out.npz")
calibration = str(root / "samples/quickstart/calibration.npz")
failed = 0


def case(what, args, code, out="", err="", then=None):
    """Runs the program; `out` and `err` must occur in what it prints; `then` looks at the result."""
    global failed
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=120)
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
    case("run a bundle", ["run", "a.onecard", "--data", data], 0, out="run: PASS")
    case("self-check", ["run", "a.onecard", "--self-check"], 0, out="run: PASS")
    case("run --check without answers", ["run", "a.onecard", "--data", data, "--check"], 2)
    case("run without inputs", ["run", "a.onecard"], 2, err="--data")
    case("run with an unknown input", ["run", "a.onecard", "--input", "nope=x.npy"], 2, err="nope")
    case("outputs are written", ["run", "a.onecard", "--data", data, "--output-dir", "out"], 0, then=lambda d: pathlib.Path("out/held_out.npz").exists())
    case("the oracle agrees", ["diff-accuracy", model, "a.onecard", "--data", data, "--max-range-error", "1e-4", "--device", "cpu"], 0, out="diff-accuracy: PASS")
    case("a gate that cannot hold", ["optimize", model, "-o", "i.onecard", "--precision", "int8", "--data", calibration, "--quiet"], 0)
    case("diff-accuracy fails by its gate", ["diff-accuracy", model, "i.onecard", "--data", data, "--max-range-error", "1e-9"], 1, out="diff-accuracy: FAIL")
    case("bench", ["bench", "a.onecard", "--random", "1", "--iterations", "5", "--json", "--quiet"], 0, then=lambda d: json.loads(d.stdout)["median_ms"] > 0)
    case("inspect --plan", ["inspect", "a.onecard", "--plan", "--json"], 0, then=lambda d: "buffers" in json.dumps(json.loads(d.stdout)))
    case("inspect --graph", ["inspect", model, "--graph"], 0, out="conv(")
    case("check", ["check", model], 0, out="OK")
    case("export", ["export", "a.onecard", "-o", "back.onnx"], 0, out="export: OK")
    case("exported file imports", ["diff-accuracy", model, "back.onnx", "--data", data, "--max-range-error", "1e-4"], 0)
    case("passes", ["passes"], 0, out="fold_batch_norm_into_conv")
    case("ops", ["ops"], 0, out="Conv")
    case("devices", ["devices"], 0, out="cpu")
    case("skip a pass", ["optimize", model, "-o", "s.onecard", "--skip-pass", "fold_batch_norm_into_conv", "--json"], 0,
         then=lambda d: all(p["name"] != "fold_batch_norm_into_conv" or p["changes"] == 0 for p in json.loads(d.stdout)["passes"]))
    case("an unknown pass", ["optimize", model, "-o", "s.onecard", "--skip-pass", "nope"], 2, err="nope")
    case("int8 needs data", ["optimize", model, "-o", "z.onecard", "--precision", "int8"], 2, err="--data")
    case("unknown precision", ["optimize", model, "-o", "z.onecard", "--precision", "int3"], 2)
    case("prune more than all", ["optimize", model, "-o", "z.onecard", "--prune", "1.5"], 2)
    case("what a later version brings is refused", ["optimize", model, "-o", "z.onecard", "--precision", "int4-weights"], 2)
    case("a limit too small names the feasible one", ["optimize", model, "-o", "z.onecard", "--memory-limit", "1", "--json"], 4, then=lambda d: json.loads(d.stdout)["smallest_feasible_bytes"] > 1)
    case("nothing is left of failures", ["devices"], 0, then=lambda d: not pathlib.Path("z.onecard").exists())
    case("a model that is not there", ["optimize", "gone.onnx", "-o", "z.onecard"], 5, err="gone.onnx")
    pathlib.Path("text.onnx").write_text("hello\n")
    case("text for a model", ["optimize", "text.onnx", "-o", "z.onecard"], 3)
    case("an error with --json", ["optimize", "text.onnx", "-o", "z.onecard", "--json"], 3, then=lambda d: json.loads(d.stdout)["exit_code"] == 3 and "message" in json.loads(d.stdout)["error"])
    case("no GPU here", ["run", "a.onecard", "--data", data, "--device", "cuda:77"], 6)
    for command in ("optimize", "run", "diff-accuracy", "bench", "inspect", "check", "export", "passes", "ops", "devices"):
        case(f"{command} --help has an example", [command, "--help"], 0, out="onecard " + command)
print("command line:", "all as promised" if not failed else f"{failed} cases failed")
sys.exit(bool(failed))
