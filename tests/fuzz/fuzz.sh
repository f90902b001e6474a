#!/usr/bin/env bash
# tests/fuzz/fuzz.sh READER SECONDS   (READER: hdf5, torch, safetensors)
# Builds the reader with clang's libFuzzer under build/fuzz and lets it try inputs for so long, from a corpus cut out of
# tests/weights/golden.zip and from what earlier runs found. Exit 1 on a finding, which is left in build/fuzz/findings.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
reader=${1:-} seconds=${2:-}
case "$reader" in
  hdf5 | torch | safetensors) ;;
  *) echo "fuzz: the readers are hdf5, torch and safetensors, not '$reader'" >&2; exit 2 ;;
esac
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: seconds must be a number above 0, not '$seconds'" >&2; exit 2; }

if ! command -v clang++ >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
  sudo=(); [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends clang libclang-rt-dev >&2
fi

build="$root/build/fuzz"
CXX=clang++ cmake -S "$root/tests/fuzz" -B "$build" -G Ninja >/dev/null
cmake --build "$build" --target "fuzz_$reader" make_hdf5_seeds >&2

corpus="$build/corpus/$reader" seeds="$build/seeds/$reader"
mkdir -p "$corpus" "$seeds" "$build/findings"
case "$reader" in
  hdf5) "$build/make_hdf5_seeds" "$seeds" ;;
  torch) unzip -q -o -j "$root/tests/weights/golden.zip" '*.p*t*' -d "$seeds" ;;
  safetensors) unzip -q -o -j "$root/tests/weights/golden.zip" '*.safetensors' -d "$seeds" ;;
esac
[ "$reader" = hdf5 ] || python3 "$root/tests/fuzz/small_seeds.py" "$reader" "$seeds"
regressions=("$root/tests/fuzz/regressions/$reader"/*)
[ -e "${regressions[0]}" ] && cp "${regressions[@]}" "$seeds"

# Ten seconds and 2 GB for one input: more is a finding.
before=$(ls "$build/findings")
status=0
"$build/fuzz_$reader" "$corpus" "$seeds" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=262144 \
  -artifact_prefix="$build/findings/$reader-" -print_final_stats=1 -verbosity=1 >"$build/$reader.log" 2>&1 || status=$?
tail -n 12 "$build/$reader.log"
if [ "$(ls "$build/findings")" != "$before" ]; then
  echo "fuzz: a finding; the input is in $build/findings, the report in $build/$reader.log" >&2
  exit 1
fi
if [ "$status" -ne 0 ]; then
  echo "fuzz: the run ended early, without a finding; its log is $build/$reader.log" >&2
  exit 1
fi
echo "fuzz: $reader, $seconds s, no finding"
