#!/usr/bin/env python3
"""The accuracy guard on real networks: guard.py PROGRAM [NETWORK ...], with ../shared beside the checkout.

Plain compression of each network breaks a gate that `diff-accuracy` measures; with the same gate `optimize` ships a file that keeps it, larger than the plain
one and smaller than the float one. A gate that nothing compressed can keep ends in exit 1, one sentence, and an older file left as it was."""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

program = str(pathlib.Path(sys.argv[1]).resolve())
shared = pathlib.Path(__file__).resolve().parents[3] / "shared"
failed = 0


def need(ok, what):
    global failed
    if not ok:
        failed += 1
        print("FAILED:", what, flush=True)


def call(*args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True)


def save(name, feeds):
    folder = pathlib.Path(name)
    folder.mkdir()
    for i, feed in enumerate(feeds):
        np.savez(folder / f"{i:04d}.npz", **feed)
    return ["--data", folder]


def mnist():
    read = lambda name, skip: np.frombuffer(gzip.open(shared / "data/mnist" / name).read()[skip:], np.uint8)
    images = read("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 1, 1, 28, 28)[4000:4100].astype(np.float32)
    np.save("digits.npy", read("t10k-labels-idx1-ubyte.gz", 8)[4000:4100].astype(np.int64))
    return save("mnist", [{"Input3": i} for i in images])


def magika():
    return save("magika", [{"bytes": b[None]} for b in np.load(shared / "data/magika.npz")["bytes"][::4]])


def stories():
    def feed(ids):
        past = {f"past_key_values.{i}.{k}": np.zeros((1, 4, 0, 8), np.float32) for i in range(5) for k in ("key", "value")}
        n = len(ids) - 1
        return {"input_ids": np.int64([ids[:-1]]), "attention_mask": np.ones((1, n), np.int64), "position_ids": np.arange(n, dtype=np.int64)[None], **past}
    return save("stories", [feed(t) for t in np.load(shared / "bench/stories260k_sampled_ids.npy")[16:]])


def photographs():
    os.mkdir("photographs")
    labels = []
    for file in sorted((shared / "data/imagenet").iterdir())[5::6]:
        os.symlink(file, "photographs/" + file.name)
        labels.append(int(file.name[:4]))
    pathlib.Path("labels.txt").write_text("\n".join(map(str, labels)))
    return ["--data", "photographs", "--preprocess", "resize=256,crop=224,color=bgr,mean=104/117/123,scale=1"]


# model, samples, how it is compressed, what it must keep
CASES = {
    "mnist-8": (mnist, ["--precision", "int8"], ["--min-sqnr", "42"]),
    "mnist-8 pruned": (mnist, ["--precision", "int8", "--prune", "0.8"], ["--max-drop", "0", "--labels", "digits.npy"]),
    "magika-v3": (magika, ["--precision", "int8"], ["--min-sqnr", "40"]),
    "stories260k": (stories, ["--precision", "int8", "--calibration", "minmax"], ["--min-cosine", "0.9995"]),
    "squeezenet-fp16": (photographs, ["--precision", "int8", "--calibration", "minmax"], ["--max-drop", "0", "--labels", "labels.txt", "--metric", "top1"]),
}


def holds(name, make, how, gates):
    model, data = shared / "models" / (name.split()[0] + ".onnx"), make()
    optimize = lambda out, *more: call("optimize", model, "-o", out, *how, *data, *more, "--quiet", "--json")
    plain, guarded = optimize("plain.onecard"), optimize("guarded.onecard", *gates)
    need(plain.returncode == 0 and guarded.returncode == 0, f"{name}: optimize: {plain.stderr}{guarded.stderr}")
    if plain.returncode or guarded.returncode:
        return
    measured = {f: call("diff-accuracy", model, f"{f}.onecard", *data, *gates, "--quiet") for f in ("plain", "guarded")}
    need(measured["plain"].returncode == 1, f"{name}: plain compression keeps {gates}, so the guard is not tested: {measured['plain'].stdout}")
    need(measured["guarded"].returncode == 0, f"{name}: the shipped file breaks {gates}: {measured['guarded'].stdout}{measured['guarded'].stderr}")
    prices = json.loads(guarded.stdout)["guard"]["price_list"]
    shipped = [p for p in prices if p["shipped"]]
    need(len(shipped) == 1 and shipped[0]["holds"] and not prices[0]["holds"] and prices[0]["layers_raised"] == 0, f"{name}: price list {prices}")
    stored = json.loads(guarded.stdout)["weight_bytes_stored"]
    need(stored == shipped[0]["weight_bytes_stored"], f"{name}: {stored} bytes are stored, the price list says {shipped}")
    need(prices[0]["weight_bytes_stored"] < stored < prices[-1]["weight_bytes_stored"], f"{name}: bytes {[p['weight_bytes_stored'] for p in prices]}")
    if "--prune" in how:
        before, after = (json.loads(done.stdout)["pruning"] for done in (plain, guarded))
        need(after["zeros"] < before["zeros"], f"{name}: layers have their elements back, and {after['zeros']} zeros are told as before")
    need(all(p["relative_time"] > 0 for p in prices), f"{name}: times of a run")
    print(f"{name}: {' '.join(map(str, gates))}: {len(json.loads(guarded.stdout)['guard']['raised'])} layers raised, weights "
          f"{prices[0]['weight_bytes_stored']} -> {stored} bytes (all raised {prices[-1]['weight_bytes_stored']})", flush=True)


def cannot_hold():
    model, data = shared / "models/mnist-8.onnx", mnist()
    pathlib.Path("old.onecard").write_bytes(b"an older file")
    done = call("optimize", model, "-o", "old.onecard", "--precision", "int8", *data, "--min-sqnr", "200", "--quiet")
    need(done.returncode == 1, f"cannot hold: exit {done.returncode}")
    need("breaks at least 200" in done.stderr and len(done.stderr.strip().splitlines()) == 1 and not done.stdout, f"cannot hold: says {done.stderr!r} {done.stdout!r}")
    need(pathlib.Path("old.onecard").read_bytes() == b"an older file", "cannot hold: the older file is not what it was")
    done = call("optimize", model, "-o", "new.onecard", "--precision", "int8", *data, "--min-sqnr", "200", "--quiet")
    need(done.returncode == 1 and not pathlib.Path("new.onecard").exists(), "cannot hold: a file was written")


def same_bytes():
    model, data = shared / "models/mnist-8.onnx", mnist()
    for threads in (1, 2):
        call("optimize", model, "-o", f"{threads}.onecard", "--precision", "int8", *data, "--min-sqnr", "42", "--quiet", "--threads", threads)
    need(pathlib.Path("1.onecard").read_bytes() == pathlib.Path("2.onecard").read_bytes(), "the same command gives the same bytes at any number of threads")


if not (shared / "models").is_dir():
    print("guard: SKIPPED: ../shared is not beside the checkout")
    sys.exit(0)
tests = {name: lambda name=name: holds(name, *CASES[name]) for name in CASES} | {"cannot hold": cannot_hold, "same bytes": same_bytes}
for name, test in tests.items():
    if len(sys.argv) > 2 and name not in sys.argv[2:]:
        continue
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        test()
        os.chdir("/")
print(f"guard: {'FAILED' if failed else 'passed'}")
sys.exit(bool(failed))
