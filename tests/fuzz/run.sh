#!/usr/bin/env bash
# Fuzzes what reads strangers' files: tests/fuzz/run.sh [SECONDS] [TARGET …] builds the preset `fuzz` and gives every target (importer, bundle, graph_text,
# tensor_file) that long, 1200 by default, two at a time. Installs clang where it is missing. Corpora grow in build/fuzz/corpus and are kept between runs;
# a finding is left in build/fuzz/found/TARGET (exit 1): mend it and move the file to tests/fuzz/findings/TARGET, which ctest replays in every preset.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-1200}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(importer bundle graph_text tensor_file)
./setup.sh

missing=()
for p in clang libclang-rt-dev libomp-dev; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "fuzz: installing ${missing[*]}" >&2
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || { echo "fuzz: no sudo here: run this as root first: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

./build.sh release onecard
./build.sh fuzz "${targets[@]/#/fuzz_}"
build=build/fuzz
[ -d $build/seeds/tensor_file ] || build/deps/venv/bin/python tests/fuzz/seeds.py build/release/onecard $build/seeds

fuzz() {  # TARGET
  local found=$build/found/$1 corpus=$build/corpus/$1
  mkdir -p "$found" "$corpus"
  # One request above 1 GB, 2 GB in all, or ten seconds on one small file are findings too: every size in a file is hostile.
  UBSAN_OPTIONS=print_stacktrace=1 nice "$build/tests/fuzz/fuzz_$1" "$corpus" "$build/seeds/$1" "tests/fuzz/findings/$1" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
    -rss_limit_mb=2048 -malloc_limit_mb=1024 -artifact_prefix="$found/" -print_final_stats=1 > "$build/$1.log" 2>&1
}
export -f fuzz
export build seconds
rc=0
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'fuzz {} && echo "{}: $(grep -oP "(?<=number_of_executed_units: )\d+" "$build/{}.log") runs, no finding" || { echo "{}: FOUND, see $build/{}.log"; exit 1; }' || rc=1
exit $rc
