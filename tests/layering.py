#!/usr/bin/env python3
"""Fails when a file includes something above its own floor or beside it, when a dependency is known outside its room, when a plug-in file misses its list
row, or when a file is longer than 400 lines. Usage: layering.py SOURCE_ROOT"""
import pathlib
import re
import sys

# Each folder may include itself and the folders named after it.
GROUND = ["lib/base", "lib/ir", "lib/ops"]
THIRD = ["passes", "lib/plan", "lib/device"]
MAY_USE = {
    "lib/base": [],
    "lib/ir": ["lib/base"],
    "lib/ops": ["lib/base", "lib/ir"],
    "lib/device": GROUND,
    "passes": GROUND,
    "lib/onnx": GROUND,
    "lib/plan": GROUND + ["lib/device"],
    "lib/cpu": GROUND + ["lib/device"],
    "cuda": GROUND + ["lib/device"],
    "lib/bundle": GROUND,
    "lib/runtime": GROUND + THIRD + ["lib/bundle"],
    "lib/report": GROUND + THIRD + ["lib/bundle", "lib/runtime"],
    "lib/flow": GROUND + THIRD + ["lib/onnx", "lib/bundle", "lib/runtime", "lib/report"],
    "tools": GROUND + THIRD + ["lib/onnx", "lib/cpu", "cuda", "lib/bundle", "lib/runtime", "lib/report", "lib/flow"],
}
# Headers of a library and the rooms that may know it.
LIBRARIES = {
    r"google/protobuf|onnx/": ["lib/onnx"],
    r"zstd\.h|xxhash\.h": ["lib/bundle"],
    r"dnnl|oneapi/": ["lib/cpu"],
    r"hwy/": ["lib/cpu"],
    r"cuda|cublas|cudnn": ["cuda"],
    r"CLI/": ["tools"],
    r"stb/|zlib": ["lib/runtime"],
}
# Longer for a reason: a parser and a matcher that share private types.
LONG = {"lib/ops/regular_expression.cpp"}


def home_of(path):
    return max((d for d in MAY_USE if path.startswith(d + "/")), key=len, default=None)


def check(root):
    bad = []
    for file in sorted(root.rglob("*")):
        path = str(file.relative_to(root))
        home = home_of(path)
        if not home or file.suffix not in {".h", ".cpp", ".cu", ".cuh", ".inc"}:
            continue
        text = file.read_text()
        for inc in re.findall(r'#include "([^"]+)"', text):
            used = home_of(inc)
            if used and used != home and used not in MAY_USE[home]:
                bad.append(f"{path}: {home} must not use {inc}")
        for inc in re.findall(r"#include <([^>]+)>", text):
            for pattern, rooms in LIBRARIES.items():
                if re.match(pattern, inc) and home not in rooms:
                    bad.append(f"{path}: only {', '.join(rooms)} may know <{inc}>")
        lines = text.count("\n")
        if lines > 400 and path not in LONG:
            bad.append(f"{path}: {lines} lines; 400 at most")
    rows = re.findall(r"OP\((\w+)\)", (root / "lib/ops/ops.inc").read_text())
    defined = [n for f in (root / "lib/ops").glob("*.cpp") for n in re.findall(r"^DEFINE_OP\((\w+)\)", f.read_text(), re.M)]
    bad += [f"lib/ops/ops.inc: {n} has no row" for n in defined if n not in rows]
    bad += [f"lib/ops: {n} is listed and not defined" for n in rows if n not in defined]
    passes = re.findall(r"PASS\((\w+),", (root / "passes/passes.inc").read_text())
    bad += [f"passes/{n}.cpp is missing" for n in passes if not (root / f"passes/{n}.cpp").exists()]
    return bad


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print(*found, sep="\n")
    sys.exit(bool(found))
