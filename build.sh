#!/usr/bin/env bash
# Sets up what is missing and builds: build.sh [PRESET] [TARGET …]. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
./setup.sh
preset=${1:-release}
shift || true
# Sloppiness: what ccache wants to be told before it keeps what was compiled with precompiled headers.
export PATH="$PWD/build/deps/venv/bin:$PATH" CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
log="build/$preset.log"
cmake --preset "$preset" > "$log" 2>&1 || { tail -30 "$log" >&2; exit 1; }
echo "build: compiling ($preset); the first time takes several minutes" >&2
ninja -C "build/$preset" "$@" > "$log" 2>&1 || { grep -E "error|FAILED|undefined" "$log" | head -40 >&2; tail -5 "$log" >&2; exit 1; }
