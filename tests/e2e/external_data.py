#!/usr/bin/env python3
"""Models whose weights lie in other files: every place they may lie in, every way that may be wrong, and sizes beyond 4 GB. external_data.py FOLDER_OF_PROGRAMS"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

program = str(pathlib.Path(sys.argv[1]).resolve() / "onecard")
failed = 0
GB = 1 << 30
MOST_MEMORY = 150 << 20


def call(*args):
    """Exit code, stdout, stderr and the peak memory as the kernel counts it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen([program, *map(str, args)], stdout=out, stderr=err)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return p.returncode, out.read().decode(), err.read().decode(), usage.ru_maxrss * 1024


def case(what, args, code=0, says="", then=None):
    global failed
    got, out, err, peak = call(*args)
    wrong = []
    if got != code:
        wrong.append(f"exit {got}, wanted {code}")
    if says not in out + err:
        wrong.append(f"does not say '{says}'")
    if not wrong and then and not then(out, peak):
        wrong.append("not as promised")
    if wrong:
        failed += 1
        print(f"FAILED: {what}: {'; '.join(wrong)}\n  {out[-300:]!r}\n  {err[-300:]!r}, {peak >> 20} MB")


def external(name, dims, location, offset=None, length=None, dtype=TensorProto.FLOAT):
    t = TensorProto(name=name, dims=dims, data_type=dtype, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            t.external_data.add(key=key, value=str(value))
    return t


def sum_model(path, *tensors):
    """out = in + every tensor, all of four elements."""
    nodes, last = [], "in"
    for i, t in enumerate(tensors):
        nodes.append(helper.make_node("Add", [last, t.name], [f"sum{i}"], name=f"add{i}"))
        last = f"sum{i}"
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [4])
    graph = helper.make_graph(nodes, "g", [value("in")], [value(last)], list(tensors))
    pathlib.Path(path).write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())


def answer(*args):
    """The output for zeros: the sum of the tensors."""
    np.save("zeros.npy", np.zeros(4, np.float32))
    code, out, err, _ = call("run", *args, "--input", "in=zeros.npy", "--output-dir", "out", "--quiet")
    if code:
        return err
    (array,) = np.load("out/input.npz").values()
    return array


def adds_up(what, want, *args):
    global failed
    got = answer(*args)
    if not isinstance(got, np.ndarray) or not np.array_equal(got, want):
        failed += 1
        print(f"FAILED: {what}: {got!r}, wanted {want}")


one, two = np.arange(4, dtype=np.float32), np.float32([10, 20, 30, 40])
with tempfile.TemporaryDirectory() as tmp:
    os.chdir(tmp)

    # Where the bytes may lie.
    pathlib.Path("a.bin").write_bytes(one.tobytes())
    pathlib.Path("sub").mkdir()
    pathlib.Path("sub/b.bin").write_bytes(b"xyz" + two.tobytes() + b"rest")
    sum_model("plain.onnx", external("a", [4], "a.bin"))
    adds_up("neither offset nor length", one, "plain.onnx")
    sum_model("two.onnx", external("a", [4], "a.bin", 0, 16), external("b", [4], "sub/b.bin", 3))
    adds_up("two files, an unaligned offset, no length", one + two, "two.onnx")
    big = np.zeros(1 << 16, np.float32)
    big[-4:] = two
    pathlib.Path("odd.bin").write_bytes(b"x" + big.tobytes())
    start = helper.make_tensor("start", TensorProto.INT64, [1], [len(big) - 4])
    graph = helper.make_graph([helper.make_node("Constant", [], ["end"], value_ints=[1 << 16]), helper.make_node("Slice", ["w", "start", "end"], ["s"]),
                               helper.make_node("Add", ["in", "s"], ["o"])], "g", [helper.make_tensor_value_info("in", TensorProto.FLOAT, [4])],
                              [helper.make_tensor_value_info("o", TensorProto.FLOAT, [4])], [external("w", [1 << 16], "odd.bin", 1, 1 << 18), start])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "odd.onnx")
    adds_up("a large tensor at an unaligned offset", two, "odd.onnx")
    os.symlink("a.bin", "link.bin")
    sum_model("inside.onnx", external("a", [4], "link.bin"))
    adds_up("a link that stays inside", one, "inside.onnx")

    # What is wrong, and what is said about it.
    def wrong(what, says, code, *tensors, flags=()):
        sum_model("wrong.onnx", *tensors)
        for command in ("check", "inspect"):
            case(f"{what} ({command})", [command, "wrong.onnx", *flags], code, says)

    wrong("a missing file", "not copied along", 5, external("a", [4], "gone.bin"))
    wrong("a short file", "needs 16 bytes at offset 4, the file has 16", 3, external("a", [4], "a.bin", 4))
    wrong("an offset beyond the end", "truncated copy", 3, external("a", [4], "a.bin", 1 << 40))
    wrong("the largest offset", "truncated copy", 3, external("a", [4], "a.bin", (1 << 64) - 8))
    wrong("an offset that is no number", "no number of bytes", 3, external("a", [4], "a.bin", "-4"))
    wrong("a length that contradicts the shape", "needs 16 bytes, its length says 12", 3, external("a", [4], "a.bin", 0, 12))
    wrong("a path that climbs", "leaves the model's folder", 3, external("a", [4], "../a.bin"))
    wrong("a path that climbs back", "leaves the model's folder", 3, external("a", [4], "sub/../a.bin"))
    wrong("an absolute path", "absolute", 3, external("a", [4], str(pathlib.Path("a.bin").resolve())))
    wrong("no location", "no file name", 3, external("a", [4], ""))
    wrong("a folder", "not a regular file", 5, external("a", [4], "sub"))
    os.mkfifo("pipe.bin")
    wrong("a pipe", "not a regular file", 5, external("a", [4], "pipe.bin"))
    pathlib.Path("lfs.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 16\n")
    wrong("a git-LFS pointer", "git lfs pull", 3, external("a", [4], "lfs.bin"))
    wrong("strings", "strings", 3, external("a", [4], "a.bin", dtype=TensorProto.STRING))
    with tempfile.TemporaryDirectory() as outside:
        data = pathlib.Path(outside) / "c.bin"
        data.write_bytes(two.tobytes())
        os.symlink(data, "out.bin")
        wrong("a link that leaves", "--allow-external-root", 3, external("a", [4], "out.bin"))
        wrong("a link into an allowed folder", "OK", 0, external("a", [4], "out.bin"), flags=["--allow-external-root", outside])
        os.link(data, "hard.bin")
        wrong("a file with two names", "hard links", 3, external("a", [4], "hard.bin"))
        wrong("a file with two names in an allowed folder", "OK", 0, external("a", [4], "hard.bin"), flags=["--allow-external-root", "."])
        case("an allowed folder that is none", ["check", "wrong.onnx", "--allow-external-root", "nowhere"], 2, "no such folder")

    # A cache of links into one folder of blobs: the data lies beside the link, not beside what the link leads to.
    os.makedirs("hub/blobs"), os.makedirs("hub/snapshots/x")
    sum_model("hub/blobs/abc", external("a", [4], "model.onnx_data"))
    pathlib.Path("hub/blobs/def").write_bytes(two.tobytes())
    os.symlink("../../blobs/abc", "hub/snapshots/x/model.onnx")
    os.symlink("../../blobs/def", "hub/snapshots/x/model.onnx_data")
    cached, root = "hub/snapshots/x/model.onnx", ["--allow-external-root", "hub/blobs"]
    case("a cache without leave", ["check", cached], 3, "--allow-external-root")
    adds_up("a cache", two, cached, *root)
    case("a cache, optimized", ["optimize", cached, "-o", "hub.onecard", *root], 0, "optimize: OK")
    adds_up("a cache's bundle", two, "hub.onecard")
    case("a cache, measured", ["bench", cached, *root, "--iterations", "2", "--duration", "0"], 0, "bench:")
    case("a cache, compared", ["diff-accuracy", cached, "hub.onecard", *root, "--random", "1", "--max-range-error", "1e-4"], 0, "PASS")

    # Sizes that no 32-bit number holds, on sparse files.
    with open("sparse.bin", "wb") as f:
        f.truncate(6 * GB)
        f.seek(5 * GB + 4)
        f.write(two.tobytes())
    sum_model("far.onnx", external("a", [4], "sparse.bin", 5 * GB + 4, 16), external("b", [4], "a.bin"))
    adds_up("an offset above 4 GB", one + two, "far.onnx")
    rows = 1 << 14
    weights = [external(f"w{i}", [rows, rows], "sparse.bin", i * GB, GB) for i in range(6)]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", rows])
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(6)]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [value("x0")], [value("x6")], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "six.onnx")
    case("check of 6 GB", ["check", "six.onnx"], 0, "check: OK", then=lambda out, peak: peak < MOST_MEMORY)
    case("inspect of 6 GB", ["inspect", "six.onnx", "--json"], 0, then=lambda out, peak: peak < MOST_MEMORY and json.loads(out)["weight_bytes"] == 6 * GB)
    case("inspect --weights of 6 GB", ["inspect", "six.onnx", "--weights"], 0, then=lambda out, peak: peak < MOST_MEMORY)
    single = [external("w", [3 << 14, rows], "sparse.bin")]  # 3 GB, without offset and length
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3 << 14])], [value("y")], single)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "single.onnx")
    case("one tensor of 3 GB", ["check", "single.onnx"], 0, "check: OK", then=lambda out, peak: peak < MOST_MEMORY)
    with open("huge.onnx", "wb") as f:
        f.truncate(2 * GB + 1)
    case("a model beyond what protobuf holds", ["check", "huge.onnx"], 3, "save the weights as external data", then=lambda out, peak: peak < MOST_MEMORY)

print("external data:", "all as promised" if not failed else f"{failed} cases failed")
sys.exit(bool(failed))
