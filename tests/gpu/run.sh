#!/usr/bin/env bash
# Builds the CUDA device and checks it on this machine's GPU: every kernel against its definition, then whole networks beside the CPU.
# Where there is no GPU it says SKIPPED and ends with 0. tests/gpu/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if ! command -v nvcc > /dev/null; then echo "SKIPPED: no CUDA toolkit (nvcc) on this machine"; exit 0; fi
if ! [ -e /dev/nvidiactl ] && ! nvidia-smi -L > /dev/null 2>&1; then echo "SKIPPED: no NVIDIA GPU on this machine"; exit 0; fi
export PATH="$PWD/build/deps/venv/bin:$PATH"
cmake --preset cuda > /dev/null
ninja -C build/cuda onecard cuda_device_test
build/cuda/tests/cuda/cuda_device_test
if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do compute-sanitizer --tool $tool --error-exitcode 1 build/cuda/tests/cuda/cuda_device_test > /tmp/onecard_$tool.log || { tail -40 /tmp/onecard_$tool.log; exit 1; }; done
else
  echo "SKIPPED: compute-sanitizer is not installed"
fi
check() {  # MODEL: the GPU's results beside the CPU's
  local out
  out=$(mktemp -d)
  build/cuda/onecard optimize "$1" -o "$out/model.onecard" > /dev/null
  for device in cpu cuda; do
    build/cuda/onecard run "$out/model.onecard" --random 7 --device $device --output-dir "$out/$device"
  done
  build/cuda/onecard run "$out/model.onecard" --self-check --device cuda
  python3 - "$out" <<'PY'
import glob, os, sys
import numpy as np
for path in glob.glob(os.path.join(sys.argv[1], "cpu", "*.npz")):
    cpu, gpu = np.load(path), np.load(path.replace(os.sep + "cpu" + os.sep, os.sep + "cuda" + os.sep))
    for name in cpu.files:
        np.testing.assert_allclose(gpu[name], cpu[name], rtol=1e-3, atol=1e-3 * (np.ptp(cpu[name]) + 1e-6), err_msg=name)
PY
  rm -r "$out"
  echo "PASS $1"
}
check samples/quickstart/digits.onnx
for model in mnist-8 mcunet super-resolution-10; do
  if [ -e "../shared/models/$model.onnx" ]; then check "../shared/models/$model.onnx"; else echo "SKIPPED: $model is not beside the checkout"; fi
done
