#!/usr/bin/env bash
# Sets up what is missing, builds and runs every test of ours; with ../shared beside the checkout also its golden networks and damaged files.
# tests/run.sh --quick leaves out the sanitizers and the compile-only CUDA build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
quick=${1:-}
./build.sh release
export PATH="$PWD/build/deps/venv/bin:$PATH"
python=build/deps/venv/bin/python
passed=0 failed=0 skipped=0
run() {  # NAME COMMAND…
  local name=$1; shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}
skip() { echo "== $1"; echo "SKIPPED: $2"; skipped=$((skipped + 1)); }

run "unit tests" ctest --test-dir build/release --output-on-failure -j2
run "quickstart" bash samples/quickstart/run.sh
run "own network, end to end" $python tests/e2e/digits.py build/release
run "ONNX node cases" $python tests/onnx/node_cases.py build/release/onecard
run "quantized models" $python tests/onnx/quantized_cases.py build/release/onecard
run "old opsets" $python tests/onnx/old_opsets.py build/release/onecard
run "files beyond single operators" $python tests/onnx/language.py build/release/onecard
run "command line" $python tests/cli/cases.py build/release/onecard
run "check" $python tests/onnx/check_cases.py build/release/onecard
run "low precision" $python tests/cli/low_precision.py build/release/onecard
run "table of operators" $python tests/cli/operators.py build/release/onecard
run "external data" $python tests/e2e/external_data.py build/release
run "complaints that have ended" $python tests/e2e/pains.py build/release/onecard
run "masks of pruning" $python tests/e2e/l1_masks.py build/release/onecard
run "what zeros are worth" $python tests/e2e/zeros.py build/release/onecard
run "damaged files" $python tests/e2e/damaged.py build/release/onecard
if [ "$quick" != --quick ]; then
  # Hostile sizes must be refused by us, not by the sanitizer's allocator.
  sanitized() {
    local targets=(importer bundle graph_text tensor_file)
    ./build.sh dev ir_test ops_test passes_test plan_test bundle_test "${targets[@]/#/replay_}" || return 1
    for room in ir ops passes plan bundle; do ASAN_OPTIONS=allocator_may_return_null=1 "build/dev/tests/${room}_test" --gtest_brief=1 || return 1; done
    for target in "${targets[@]}"; do ASAN_OPTIONS=allocator_may_return_null=1 "build/dev/tests/fuzz/replay_$target" "tests/fuzz/findings/$target" || return 1; done
  }
  run "sanitizers" sanitized
  if command -v nvcc > /dev/null && [ -d cuda ]; then
    run "CUDA compiles" ./build.sh cuda oc_cuda
    run "GPU tests" bash tests/gpu/run.sh
  else
    skip "CUDA compiles" "no CUDA toolkit on this machine"
  fi
fi
if [ -d ../shared/accept ]; then
  run "accuracy guard" $python tests/e2e/guard.py build/release/onecard
  run "golden networks" $python ../shared/accept/goldens.py build/release/onecard
  [ "$quick" = --quick ] || run "integer sums" $python tests/e2e/integer_sums.py build/release ../shared/models
  run "hostile files" $python ../shared/accept/robust.py build/release/onecard --count 40
else
  skip "accuracy guard" "../shared is not beside the checkout"
  skip "golden networks" "../shared is not beside the checkout"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
