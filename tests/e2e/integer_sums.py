#!/usr/bin/env python3
"""Given the same integers, the CPU's kernels and the reference agree bit for bit in the sums of every quantized layer of every network:
integer_sums.py BUILD MODELS.

MODELS holds FILE.onnx and golden/FILE/CASE/input_*.pb. Each network becomes int8 (ranges alone, its golden inputs as samples) and int8-dynamic; files that
come with integers are taken as they are."""
import pathlib
import subprocess
import sys
import tempfile

build, models = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
failed, layers = [], 0
with tempfile.TemporaryDirectory() as folder:
    made = []
    for model in sorted([*models.glob("*.onnx"), *models.glob("*/*.onnx")]):
        samples = models / "golden" / model.stem
        for precision in ("int8", "int8-dynamic"):
            out = f"{folder}/{model.stem}-{precision}.onecard"
            words = ["--data", samples, "--calibration", "minmax"] if precision == "int8" else []
            if precision == "int8" and not samples.is_dir():
                continue
            done = subprocess.run([build / "onecard", "optimize", model, "-o", out, "--precision", precision, *words, "--quiet"], capture_output=True, text=True)
            if done.returncode:
                failed.append(f"{model.name} {precision}: {done.stderr.strip()[-300:]}")
            else:
                made.append(out)
    done = subprocess.run([build / "tests/integer_sums", *made], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        print(line.replace(folder + "/", ""))
        if " layers of integers" in line:
            layers += int(line.split(": ")[1].split()[0])
    if done.returncode:
        failed.append("sums differ, or a bundle could not be run" + done.stderr)
for f in failed:
    print("FAILED:", f)
print(f"integer sums: {layers} layers of {len(made)} bundles")
sys.exit(bool(failed) or layers == 0)
