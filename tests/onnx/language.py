#!/usr/bin/env python3
"""What a file may say beside single operators: functions, control flow, sequences, sparse and typed constants, random operators.
The answers are written in numpy. language.py PROGRAM"""
import pathlib
import subprocess
import sys
import tempfile
import warnings

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

warnings.filterwarnings("ignore")
program = str(pathlib.Path(sys.argv[1]).resolve())
root = pathlib.Path(tempfile.mkdtemp(prefix="language"))
rnd = np.random.default_rng(3)
failed = count = 0


def floats(*shape):
    return rnd.standard_normal(shape).astype(np.float32)


def to_proto(v, name=""):
    return numpy_helper.from_list(v, name) if isinstance(v, list) else numpy_helper.from_array(np.asarray(v), name)


def run(model, inputs, outputs):
    folder = root / str(count)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    for kind, values in (("input", inputs), ("output", outputs or [])):
        for i, v in enumerate(values):
            (folder / f"{kind}_{i}.pb").write_bytes(to_proto(v).SerializeToString())
    data = ["--data", folder] if inputs or outputs else ["--random", "1"]
    command = [program, "run", folder / "model.onnx", *data, "--device", "cpu", "--quiet"]
    if outputs is not None:
        command += ["--check", "--rtol", "1e-4", "--atol", "1e-5"]
    else:
        command += ["--output-dir", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    return done, folder


def wrong(what, done):
    global failed
    failed += 1
    print(f"{what}: exit {done.returncode}: {(done.stderr + done.stdout).strip()[-300:]}")


def case(what, model, inputs, outputs=(), refused=""):
    """`refused`: exit 3 with this sentence instead of the answer."""
    global count
    count += 1
    model = parser.parse_model(model) if isinstance(model, str) else model
    done, _ = run(model, inputs, outputs)
    if not (done.returncode == 3 and refused in done.stderr if refused else done.returncode == 0):
        wrong(what, done)


def graph_case(what, nodes, inputs, outputs, opset=21, initial=(), sparse=(), types=None, domains=()):
    """A graph of nodes; inputs and outputs as {name: array}."""
    typed = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v)) for n, v in inputs.items()]
    made = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), None) for n, v in outputs.items()]
    graph = helper.make_graph(nodes, "g", typed, made, list(initial), sparse_initializer=list(sparse))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *domains], ir_version=10)
    case(what, model, list(inputs.values()), list(outputs.values()))


x = floats(2, 3)


def leaky(v, slope):
    return np.where(v < 0, np.float32(slope) * v, v)


# Functions: attributes handed down, defaults, calls of one another, overloads, absent optional inputs, standard names in other domains.
case("function with attributes", """<ir_version: 10, opset_import: ["": 18, "own": 1]>
g (float[2,3] x) => (float[2,3] y) { y = own.Leaky <slope = 0.3> (x) }
<domain: "own", opset_import: ["": 18]> Leaky <slope> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }""", [x], [leaky(x, 0.3)])
case("function attribute with a default", """<ir_version: 10, opset_import: ["": 18, "own": 1]>
g (float[2,3] x) => (float[2,3] y) { y = own.Leaky (x) }
<domain: "own", opset_import: ["": 18]> Leaky <slope: float = 0.25> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }""", [x], [leaky(x, 0.25)])
case("nested functions hand attributes down", """<ir_version: 10, opset_import: ["": 18, "own": 1]>
g (float[2,3] x) => (float[2,3] y) { t = own.Twice <s = 0.5> (x)  y = own.Twice <s = 0.1> (t) }
<domain: "own", opset_import: ["": 18, "own": 1]> Twice <s> (a) => (c) { b = own.Leaky <slope: float = @s> (a)  c = own.Leaky <slope: float = @s> (b) }
<domain: "own", opset_import: ["": 18]> Leaky <slope> (a) => (b) { b = LeakyRelu <alpha: float = @slope> (a) }""", [x], [leaky(x, 0.5 * 0.5 * 0.1 * 0.1)])
case("function of another opset", """<ir_version: 10, opset_import: ["": 18, "own": 1]>
g (float[2,3] x) => (float[2] y) { y = own.Sum (x) }
<domain: "own", opset_import: ["": 11]> Sum (a) => (b) { b = ReduceSum <axes = [1], keepdims = 0> (a) }""", [x], refused="FunctionOp imports version 11 whereas model imports version 18")
case("function of opset 6", """<ir_version: 10, opset_import: ["": 6, "own": 1]>
g (float[2,3] x, float[2] b) => (float[2,3] y) { y = own.AddRows (x, b) }
<domain: "own", opset_import: ["": 6]> AddRows (a, b) => (c) { c = Add <broadcast = 1, axis = 0> (a, b) }""", [x, (rows := floats(2))], [x + rows[:, None]])
case("function around control flow", """<ir_version: 10, opset_import: ["": 18, "own": 1]>
g (float[2,3] x, bool c) => (float[2,3] y) { y = own.Choose (x, c) }
<domain: "own", opset_import: ["": 18]> Choose (a, c) => (b) {
  two = Constant <value = float {2.0}> ()
  b = If (c) <then_branch = t () => (u) { u = Mul (a, two) }, else_branch = e () => (v) { v = Neg (a) }> }""", [x, np.array(True)], [2 * x])
for overload, want in (("", x + 1), ("minus", x - 1)):
    one = helper.make_node("Constant", [], ["one"], value_float=1.0)
    functions = [helper.make_function("own", "Step", ["a"], ["b"], [one, helper.make_node(op, ["a", "one"], ["b"])], [helper.make_opsetid("", 18)], overload=o)
                 for o, op in (("", "Add"), ("minus", "Sub"))]
    node = helper.make_node("Step", ["x"], ["y"], domain="own", overload=overload)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, [2, 3])], [helper.make_tensor_value_info("y", 1, [2, 3])])
    case(f"overload '{overload}'", helper.make_model(graph, functions=functions, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("own", 1)], ir_version=10), [x], [want])
case("a domain nobody defines", """<ir_version: 10, opset_import: ["": 18, "elsewhere": 1]>
g (float[2,3] x) => (float[2,3] y) { y = elsewhere.Thing (x) }""", [x], refused="elsewhere.Thing")
case("training operators", """<ir_version: 10, opset_import: ["": 18, "ai.onnx.preview.training": 1]>
g (float r, int64 t, float[3] x, float[3] gr, float[3] h) => (float[3] y, float[3] z) { y, z = ai.onnx.preview.training.Adagrad (r, t, x, gr, h) }""",
     [np.float32(1), np.int64(1), floats(3), floats(3), floats(3)], refused="an operator of training, which is left out")

# Control flow.
case("loop with scan outputs", """<ir_version: 10, opset_import: ["": 18]>
g (int64 n, float[3] x) => (float[3] last, float[k,3] all) {
  go = Constant <value = bool {1}> ()
  last, all = Loop (n, go, x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] t, float[3] u) { d = Identity (c)  t = Add (s, s)  u = Identity (t) }> }""", [np.int64(4), (v := floats(3))], [16 * v, np.stack([2 * v, 4 * v, 8 * v, 16 * v])])
for opset in (1, 11, 13, 16, 19, 21, 25):
    zero = np.zeros((0, 3), np.float32)
    v = floats(3)
    case(f"loop of no iterations at opset {opset}", f"""<ir_version: {13 if opset > 23 else 10}, opset_import: ["": {opset}]>
g (int64 n, float[3] x) => (float[3] last, float[k,3] all) {{
  go = Constant <value = bool {{1}}> ()
  last, all = Loop (n, go, x) <body = b (int64 i, bool c, float[3] s) => (bool d, float[3] t, float[3] u) {{ d = Identity (c)  t = Identity (s)  u = Exp (s) }}> }}""", [np.int64(0), v], [v, zero])
    for way in (True, False):
        case(f"if at opset {opset}", f"""<ir_version: {13 if opset > 23 else 10}, opset_import: ["": {opset}]>
g (bool c, float[2,3] x) => (float[a,b] y) {{
  y = If (c) <then_branch = t () => (float[3,2] u) {{ u = Transpose (x) }}, else_branch = e () => (float[2,3] v) {{ v = Exp (x) }}> }}""", [np.array(way), x], [x.T if way else np.exp(x)])
case("loop until a condition, growing", """<ir_version: 10, opset_import: ["": 18]>
g (float[1] x) => (float[k] y) {
  many = Constant <value = int64 {100}> ()  go = Constant <value = bool {1}> ()  limit = Constant <value = int64 {5}> ()
  y = Loop (many, go, x) <body = b (int64 i, bool c, float[n] s) => (bool d, float[m] t) { t = Concat <axis = 0> (s, x)  size = Size (t)  d = Less (size, limit) }> }""", [(one := floats(1))], [one.repeat(5)])
case("loop carrying a sequence", """<ir_version: 10, opset_import: ["": 18]>
g (int64 n, float[2] x) => (float[k,2] y) {
  go = Constant <value = bool {1}> ()  none = SequenceEmpty <dtype = 1> ()
  all = Loop (n, go, none) <body = b (int64 i, bool c, seq(float[2]) s) => (bool d, seq(float[2]) t) { d = Identity (c)  t = SequenceInsert (s, x) }>
  y = ConcatFromSequence <axis = 0, new_axis = 1> (all) }""", [np.int64(3), (row := floats(2))], [np.stack([row] * 3)])
case("loop carrying strings", """<ir_version: 10, opset_import: ["": 20]>
g (int64 n, string[1] x) => (string[1] y) {
  go = Constant <value = bool {1}> ()
  y = Loop (n, go, x) <body = b (int64 i, bool c, string[1] s) => (bool d, string[1] t) { d = Identity (c)  t = StringConcat (s, x) }> }""", [np.int64(2), np.array(["ab"], object)], [np.array(["ababab"], object)])
scans = floats(4, 3)
case("scan", """<ir_version: 10, opset_import: ["": 18]>
g (float[3] s, float[4,3] x) => (float[3] last, float[4,3] y) {
  last, y = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_directions = [1], body = b (float[3] a, float[3] e) => (float[3] t, float[3] u) { t = Add (a, e)  u = Identity (t) }> (s, x) }""",
     [np.zeros(3, np.float32), scans], [scans.sum(0), np.cumsum(scans[::-1], 0)[::-1]])
batch = floats(2, 4, 3)
case("scan of opset 8, in batches", """<ir_version: 10, opset_import: ["": 8]>
g (float[2,3] s, float[2,4,3] x) => (float[2,3] last, float[2,4,3] y) {
  last, y = Scan <num_scan_inputs = 1, body = b (float[3] a, float[3] e) => (float[3] t, float[3] u) { t = Add (a, e)  u = Identity (t) }> ("", s, x) }""",
     [np.zeros((2, 3), np.float32), batch], [batch.sum(1), np.cumsum(batch, 1)])
case("scan of opset 8, batches of different lengths", """<ir_version: 10, opset_import: ["": 8]>
g (int64[2] n, float[2,3] s, float[2,4,3] x) => (float[2,3] last, float[2,4,3] y) {
  last, y = Scan <num_scan_inputs = 1, body = b (float[3] a, float[3] e) => (float[3] t, float[3] u) { t = Add (a, e)  u = Identity (t) }> (n, s, x) }""",
     [np.int64([2, 4]), np.zeros((2, 3), np.float32), batch], refused="Scan of opset 8 with sequence_lens is not supported")
parts = [floats(2), floats(3)]
case("sequence map with an outer value", """<ir_version: 10, opset_import: ["": 18]>
g (seq(float[n]) s, float[1] k) => (seq(float[n]) y, seq(int64[1]) z) {
  y, z = SequenceMap (s) <body = b (float[n] e) => (float[n] f, int64[1] m) { f = Mul (e, k)  m = Shape (e) }> }""", [parts, np.float32([2])], [[2 * p for p in parts], [np.int64([2]), np.int64([3])]])

# Sequences and optionals.
case("sequence operators", """<ir_version: 10, opset_import: ["": 18]>
g (float[2] a, float[3] b) => (float[3] at, int64 n, seq(float[k]) left) {
  one = Constant <value = int64 {1}> ()  back = Constant <value = int64 {-2}> ()
  s = SequenceConstruct (a, b)  t = SequenceInsert (s, b, one)  at = SequenceAt (t, back)  n = SequenceLength (t)  left = SequenceErase (t, one) }""",
     parts, [parts[1], np.int64(3), parts])
case("optional around a sequence", """<ir_version: 10, opset_import: ["": 18]>
g (seq(float[k]) s) => (seq(float[k]) y, bool has) { o = Optional (s)  y = OptionalGetElement (o)  has = OptionalHasElement (o) }""", [parts], [parts, np.array(True)])
for dtype in (8, 9, 10, 14, 7):
    case(f"empty sequence of type {dtype}", f"""<ir_version: 10, opset_import: ["": 18]>
g () => (int64 n) {{ s = SequenceEmpty <dtype = {dtype}> ()  n = SequenceLength (s) }}""", [], [np.int64(0)])

# Constants in every form.
for key, value, want in (("value_float", 1.5, np.float32(1.5)), ("value_floats", [1.5, 2.5], np.float32([1.5, 2.5])), ("value_int", 7, np.int64(7)), ("value_ints", [7, 8], np.int64([7, 8])),
                         ("value_string", "ab", np.array("ab", object)), ("value_strings", ["ab", "c"], np.array(["ab", "c"], object))):
    graph_case(f"Constant {key}", [helper.make_node("Constant", [], ["y"], **{key: value})], {}, {"y": want})
for code in [*range(1, 8), *range(9, 27)]:
    dtype = helper.tensor_dtype_to_np_dtype(code)
    want = np.array([1, 0, 1]).astype(dtype)
    constant = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(want))
    filled = helper.make_node("ConstantOfShape", ["n"], ["z"], value=numpy_helper.from_array(want[:1]))
    graph_case(f"constants of {dtype}", [constant, filled], {"n": np.int64([2])}, {"y": want, "z": want[[0, 0]]}, opset=25)
dense = np.zeros((2, 3, 4), np.float32)
dense[0, 1, 2], dense[1, 2, 3] = 5, -6
flat = np.flatnonzero(dense)
for form, indices in (("linear", flat), ("by axis", np.argwhere(dense))):
    values = numpy_helper.from_array(dense.ravel()[flat], "w")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(indices.astype(np.int64)), dense.shape)
    graph_case(f"sparse initializer, {form}", [helper.make_node("Add", ["x", "w"], ["y"])], {"x": np.ones_like(dense)}, {"y": dense + 1}, sparse=[sparse])
    graph_case(f"sparse Constant, {form}", [helper.make_node("Constant", [], ["y"], sparse_value=sparse)], {}, {"y": dense})
whole = helper.make_sparse_tensor(numpy_helper.from_array(np.int64([3, 4]), "w"), numpy_helper.from_array(np.int64([1, 3])), [5])
graph_case("sparse initializer of integers", [helper.make_node("Add", ["x", "w"], ["y"])], {"x": np.zeros(5, np.int64)}, {"y": np.int64([0, 3, 0, 4, 0])}, sparse=[whole])
for dtype in (np.dtype(ml_dtypes.bfloat16), np.dtype(np.float16), np.dtype(np.float64), np.dtype(np.int8), np.dtype(np.uint32)):
    graph_case(f"EyeLike {dtype}", [helper.make_node("EyeLike", ["x"], ["y"], dtype=helper.np_dtype_to_tensor_dtype(dtype), k=1)], {"x": x}, {"y": np.eye(2, 3, 1).astype(dtype)})
    graph_case(f"OneHot {dtype}", [helper.make_node("OneHot", ["i", "d", "v"], ["y"])], {"i": np.int64([1, 0]), "d": np.int64(3), "v": np.array([2, 5]).astype(dtype)},
               {"y": np.array([[2, 5, 2], [5, 2, 2]]).astype(dtype)})
words = np.array(["off", "on"], object)
graph_case("OneHot of strings", [helper.make_node("OneHot", ["i", "d", "v"], ["y"])], {"i": np.int64([1]), "d": np.int64(2), "v": words}, {"y": np.array([["off", "on"]], object)})
graph_case("MaxRoiPool", [helper.make_node("MaxRoiPool", ["x", "r"], ["y"], pooled_shape=[2, 2])], {"x": (image := floats(1, 2, 4, 4)), "r": np.float32([[0, 0, 0, 3, 3]])},
           {"y": image.reshape(1, 2, 2, 2, 2, 2).max((3, 5))})
graph_case("GlobalLpPool", [helper.make_node("GlobalLpPool", ["x"], ["y"], p=3)], {"x": image}, {"y": (np.abs(image) ** 3).sum((2, 3), keepdims=True) ** (1 / 3)})


# Random operators: numbers of the reference implementation for a seed; without one they repeat from run to run, and differ between nodes.
def random_case(what, node, inputs, look):
    global count
    count += 1
    typed = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in inputs.items()]
    graph = helper.make_graph([node], "g", typed, [onnx.ValueInfoProto(name="y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    answers = []
    for _ in range(2):
        done, folder = run(model, list(inputs.values()), None)
        if done.returncode:
            return wrong(what, done)
        answers.append(np.load(next(folder.glob("*.npz")))["y"])
        count += 1
    if answers[0].tobytes() != answers[1].tobytes() or not look(answers[0]):
        done.stderr = f"looks wrong: {answers[0].dtype} {answers[0].shape} {answers[0].ravel()[:4]}"
        wrong(what, done)


state = np.random.RandomState
random_case("RandomUniform with a seed", helper.make_node("RandomUniform", [], ["y"], shape=[5, 7], low=-1.0, high=3.0, seed=4.0), {}, lambda y: np.allclose(y, state(4).rand(5, 7) * 4 - 1, atol=1e-6))
random_case("RandomNormal with a seed", helper.make_node("RandomNormal", [], ["y"], shape=[5, 7], mean=2.0, scale=3.0, seed=4.0), {}, lambda y: np.allclose(y, state(4).randn(5, 7) * 3 + 2, atol=1e-5))
random_case("RandomUniformLike of f64", helper.make_node("RandomUniformLike", ["x"], ["y"], dtype=11, seed=1.0), {"x": x}, lambda y: y.dtype == np.float64 and np.array_equal(y, state(1).rand(2, 3)))
random_case("RandomNormalLike of f16", helper.make_node("RandomNormalLike", ["x"], ["y"], dtype=10), {"x": floats(100, 100)}, lambda y: y.dtype == np.float16 and abs(y.astype(float).mean()) < 0.05 and abs(y.astype(float).std() - 1) < 0.05)
random_case("Bernoulli", helper.make_node("Bernoulli", ["x"], ["y"], dtype=6, seed=2.0), {"x": (p := rnd.random((50, 40)).astype(np.float32))}, lambda y: y.dtype == np.int32 and np.array_equal(y, state(2).binomial(1, p)))
odds = np.log(np.float32([[0.1, 0.2, 0.7]])) + 5
random_case("Multinomial", helper.make_node("Multinomial", ["x"], ["y"], dtype=7, sample_size=5000, seed=2.0), {"x": odds},
            lambda y: y.dtype == np.int64 and y.shape == (1, 5000) and np.allclose(np.bincount(y[0], minlength=3) / 5000, [0.1, 0.2, 0.7], atol=0.03))

print(f"files beyond single operators: {failed} of {count} cases fail" if failed else f"files beyond single operators: all {count} cases pass")
sys.exit(failed > 0)
