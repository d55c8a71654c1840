#!/usr/bin/env python3
"""Damages the quickstart network and its bundle in many seeded ways: damaged.py PROGRAM [COUNT]. Whatever comes, the program answers in time with a documented
exit code and one sentence, a damaged bundle is always noticed, and no half-written file is left."""
import pathlib
import random
import subprocess
import sys
import tempfile

program = sys.argv[1]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
root = pathlib.Path(__file__).resolve().parents[2]
rnd = random.Random(11)
bad = []


def call(*command):
    try:
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return None


def damage(data):
    b = bytearray(data)
    at, length = rnd.randrange(len(b)), rnd.choice([1, 8, 256])
    how = rnd.choice(["flip", "cut", "zero", "ones", "repeat", "insert", "append"])
    if how == "flip":
        b[at] ^= 1 << rnd.randrange(8)
    elif how == "cut":
        del b[at:]
    elif how == "zero":
        b[at:at + length] = bytes(len(b[at:at + length]))
    elif how == "ones":
        b[at:at + length] = b"\xff" * len(b[at:at + length])
    elif how == "repeat":
        b[at:at] = b[at:at + length]
    elif how == "insert":
        b[at:at] = rnd.randbytes(length)
    else:
        b += rnd.randbytes(length)
    return how, bytes(b)


def expect(what, done, codes):
    if done is None or done.returncode not in codes or (done.returncode and not (done.stderr + done.stdout).strip()):
        bad.append(f"{what}: {'no answer' if done is None else f'exit {done.returncode}'} {'' if done is None else done.stderr.strip()[-200:]}")


with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    source = (root / "samples/quickstart/digits.onnx").read_bytes()
    made = call(program, "optimize", root / "samples/quickstart/digits.onnx", "-o", tmp / "good.onecard", "--quiet")
    expect("optimize", made, (0,))
    bundle = (tmp / "good.onecard").read_bytes()
    for i in range(count):
        how, b = damage(bundle)
        if b != bundle:
            (tmp / "bad.onecard").write_bytes(b)
            expect(f"bundle {i} {how}", call(program, "run", tmp / "bad.onecard", "--self-check", "--quiet"), (5,))
        how, b = damage(source)
        (tmp / "bad.onnx").write_bytes(b)
        out = tmp / "out.onecard"
        done = call(program, "optimize", tmp / "bad.onnx", "-o", out, "--quiet")
        expect(f"model {i} {how}", done, (0, 3, 4, 5))
        if done and (done.returncode == 0) != out.exists():
            bad.append(f"model {i} {how}: a file exactly when exit 0")
        out.unlink(missing_ok=True)
    if sorted(p.name for p in tmp.iterdir()) != ["bad.onecard", "bad.onnx", "good.onecard"]:
        bad.append(f"files are left: {sorted(p.name for p in tmp.iterdir())}")
print(*bad, sep="\n")
print(f"damaged: {2 * count} files, {len(bad)} not handled as promised")
sys.exit(bool(bad))
