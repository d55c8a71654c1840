#!/usr/bin/env bash
# The main job on a real trained network (handwritten digits): set up, build, then optimize it four ways, validate each bundle, and print what each
# costs in accuracy and bytes. Everything it makes lies in build/quickstart.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
./build.sh release onecard onecard-run
onecard=build/release/onecard
out=build/quickstart
mkdir -p "$out"

$onecard optimize "$here/digits.onnx" -o "$out/float.onecard" --quiet
$onecard optimize "$here/digits.onnx" -o "$out/int8.onecard" --precision int8 --data "$here/calibration.npz" --quiet
$onecard optimize "$here/digits.onnx" -o "$out/pruned.onecard" --prune 0.5 --quiet
$onecard optimize "$here/digits.onnx" -o "$out/pruned-int8.onecard" --prune 0.5 --precision int8 --data "$here/calibration.npz" --quiet

printf '%-12s %10s %10s %9s %9s\n' bundle bytes "of source" top-1 "ms/image"
source_bytes=$(stat -c %s "$here/digits.onnx")
for name in float int8 pruned pruned-int8; do
  bundle="$out/$name.onecard"
  build/release/onecard-run run "$bundle" --self-check --quiet > /dev/null
  $onecard diff-accuracy "$here/digits.onnx" "$bundle" --data "$here/held_out.npz" --labels "$here/labels.npy" --metric top1 --json --quiet > "$out/$name.accuracy.json"
  $onecard bench "$bundle" --random 1 --iterations 200 --warmup 20 --json --quiet > "$out/$name.bench.json"
  bytes=$(stat -c %s "$bundle")
  build/deps/venv/bin/python - "$out/$name" "$name" "$bytes" "$source_bytes" <<'PY'
import json, sys
path, name, size, source = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
task = json.load(open(path + ".accuracy.json"))["task"]
ms = json.load(open(path + ".bench.json"))["median_ms"]
print(f"{name:<12} {size:>10} {size / source:>10.3f} {100 * task['candidate']:>8.2f}% {ms:>9.4f}")
PY
done
echo "quickstart: OK, bundles in $out"
