#!/usr/bin/env python3
"""docs/operators.md is what the program says it is. operators.py PROGRAM

The kernels of a processor's instruction set are its own: that column is not compared."""
import pathlib
import subprocess
import sys

written = pathlib.Path(__file__).resolve().parents[2] / "docs/operators.md"
printed = subprocess.run([sys.argv[1], "ops", "--markdown"], capture_output=True, text=True, check=True).stdout


def without_kernels(text):
    return [line.split("|")[:5] if line.startswith("|") else line for line in text.splitlines()]


had, has = without_kernels(written.read_text()), without_kernels(printed)
different = [(a, b) for a, b in zip(had, has) if a != b]
if len(had) != len(has) or different:
    print(f"docs/operators.md is stale: {len(had)} lines, should be {len(has)}; first difference: {different[:1]}")
    print("write it anew: build/release/onecard ops --markdown > docs/operators.md")
    sys.exit(1)
print("docs/operators.md: as the program prints it")
