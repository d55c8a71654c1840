#!/usr/bin/env python3
"""check names every node that cannot be imported, with its reason, in one run, and says OK to exactly what optimize takes. check_cases.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import onnx
from onnx import TensorProto, helper

warnings.filterwarnings("ignore")
from onnx.backend.test.case.node import collect_testcases

program = str(pathlib.Path(sys.argv[1]).resolve())
failed = []
node, FLOAT = helper.make_node, TensorProto.FLOAT
floats = lambda name, *dims: helper.make_tensor_value_info(name, FLOAT, dims)


def write(path, nodes, inputs, outputs, functions=()):
    imports = [helper.make_opsetid(d, v) for d, v in (("", 17), ("my.domain", 1), ("com.microsoft", 1))]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=imports, functions=list(functions), ir_version=8)
    pathlib.Path(path).write_bytes(model.SerializeToString())


def call(*args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True)


def expect(what, path, wanted):
    """`wanted`: (domain, operator) to count, names of nodes, and what the reason says."""
    done = call("check", path, "--json")
    result = json.loads(done.stdout)
    got = {(u["domain"], u["op_type"]): u for u in result.get("unsupported", [])}
    wrong = [] if done.returncode == (3 if wanted else 0) else [f"exit {done.returncode}"]
    if got.keys() != wanted.keys():
        wrong.append(f"lists {sorted(got)}: {done.stdout[-200:]}")
    for key in got.keys() & wanted.keys():
        count, names, reason = wanted[key]
        if got[key]["count"] != count or set(got[key]["nodes"]) != set(names) or reason not in got[key]["reason"]:
            wrong.append(str(got[key]))
    text = call("check", path).stdout
    if any(key[1] not in text for key in wanted) or text.splitlines()[-1].split()[1] != ("FAIL" if wanted else "OK"):
        wrong.append(f"as text: {text}")
    if wrong:
        failed.append(what)
        print(f"FAILED: {what}: {'; '.join(wrong)}")


with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    then = helper.make_graph([node("Frob", ["x"], ["q"], "inner", domain="my.domain")], "then", [], [floats("q")])
    other = helper.make_graph([node("Softmax", ["text"], ["p"], "text_softmax")], "else", [], [floats("p")])
    text = helper.make_tensor_value_info("text", TensorProto.STRING, [2])
    inputs = [floats("x", 2), floats("m", 2, 3), text, helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    nodes = [node("Frob", ["x"], ["a"], "outer", domain="my.domain"), node("Relu", ["a"], ["b"], "fine"), node("Tokenizer", ["text"], ["t"], "tokens", domain="com.microsoft"),
             node("Nope", ["b"], ["n1"], "nope1"), node("Nope", ["x"], ["n2"], "nope2"), node("If", ["c"], ["i"], "if", then_branch=then, else_branch=other),
             node("MatMul", ["m", "m"], ["mm"], "extents")]
    write(tmp / "many.onnx", nodes, inputs, [floats("b")])
    expect("several problems at once", tmp / "many.onnx",
           {("my.domain", "Frob"): (2, ["outer", "inner"], "not ONNX's"), ("com.microsoft", "Tokenizer"): (1, ["tokens"], "splits text"),
            ("", "Nope"): (2, ["nope1", "nope2"], "no such operator"), ("", "Softmax"): (1, ["text_softmax"], "string"), ("", "MatMul"): (1, ["extents"], "extents differ")})
    body = [node("Frob", ["x"], ["f"], "in_function", domain="com.microsoft"), node("Add", ["f", "x"], ["y"])]
    function = helper.make_function("my.domain", "Mine", ["x"], ["y"], body, [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])
    twice = [node("Mine", ["x"], ["a"], "call1", domain="my.domain"), node("Mine", ["a"], ["b"], "call2", domain="my.domain")]
    write(tmp / "function.onnx", twice, inputs[:1], [floats("b")], [function])
    expect("inside a function called twice", tmp / "function.onnx", {("com.microsoft", "Frob"): (1, ["in_function"], "com.microsoft")})
    scan = helper.make_graph([node("Frob", ["s"], ["s2"], "in_scan", domain="my.domain")], "body", [floats("s")], [floats("s2")])
    write(tmp / "scan.onnx", [node("Scan", ["x"], ["y"], "scan", body=scan, num_scan_inputs=1)], inputs[:1], [floats("y")])
    expect("inside a Scan", tmp / "scan.onnx", {("my.domain", "Frob"): (1, ["in_scan"], "my.domain")})
    write(tmp / "good.onnx", [node("Relu", ["x"], ["y"])], inputs[:1], [floats("y")])
    expect("nothing wrong", tmp / "good.onnx", {})

    # What check says is what optimize does.
    for case in collect_testcases()[::40]:
        path = tmp / "case.onnx"
        onnx.save(case.model, path)
        said, did = call("check", path).returncode, call("optimize", path, "-o", tmp / "case.onecard", "--quiet").returncode
        if (said == 0) != (did == 0) or said not in (0, 3):
            failed.append(case.name)
            print(f"FAILED: {case.name}: check ends with {said}, optimize with {did}")

print("check:", "all as promised" if not failed else f"{len(failed)} cases failed")
sys.exit(bool(failed))
