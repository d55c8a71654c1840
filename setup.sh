#!/usr/bin/env bash
# Installs what the build needs, once: Debian packages, a Python environment and ONNX's C++ libraries, the latter two under build/deps.
# Promises: does nothing and is quick when everything is there; needs apt and pip alone; ends non-zero with a sentence otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

packages=(g++ ninja-build ccache git python3 python3-venv python3-dev libprotobuf-dev protobuf-compiler libcli11-dev libgtest-dev
          libbenchmark-dev libzstd-dev nlohmann-json3-dev libxxhash-dev libhwy-dev libstb-dev zlib1g-dev)
python_packages=(cmake==3.31.10 onednn-devel-cpu-gomp==2023.2.0 numpy==2.2.6 onnx==1.23.2)
onnx_version=1.23.2
deps=$PWD/build/deps
mkdir -p "$deps"
exec 9>"$deps/.lock"
flock 9   # two commands started at once must not install over each other

missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing ${missing[*]}" >&2
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || { echo "setup: no sudo here: run this as root first: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

stamp="$deps/venv/.stamp"
want="${python_packages[*]}"
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  echo "setup: making build/deps/venv" >&2
  python3 -m venv "$deps/venv"
  "$deps/venv/bin/pip" install -q --disable-pip-version-check "${python_packages[@]}" >&2
  printf '%s' "$want" > "$stamp"
fi
export PATH="$deps/venv/bin:$PATH"

if [ "$(cat "$deps/onnx/.stamp" 2>/dev/null)" != "$onnx_version" ]; then
  echo "setup: building ONNX's C++ libraries (about three minutes the first time)" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  pip download -q --disable-pip-version-check --no-binary onnx --no-deps -d "$work" "onnx==$onnx_version" >&2
  tar xf "$work/onnx-$onnx_version.tar.gz" -C "$work"
  # ccache must see the same paths each time, or a second checkout compiles everything again
  export CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1
  cmake -S "$work/onnx-$onnx_version" -B "$work/b" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_INSTALL_PREFIX="$deps/onnx" -DONNX_ML=ON -DONNX_BUILD_PYTHON=OFF \
    -DONNX_BUILD_TESTS=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON > "$work/log" 2>&1 || { tail -30 "$work/log" >&2; exit 1; }
  cmake --build "$work/b" > "$work/log" 2>&1 || { tail -30 "$work/log" >&2; exit 1; }
  cmake --install "$work/b" > /dev/null
  printf '%s' "$onnx_version" > "$deps/onnx/.stamp"
fi
