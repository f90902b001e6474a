#!/usr/bin/env bash
# tests/fuzz/fuzz.sh READER SECONDS   (READER: hdf5, torch, safetensors; all: the three in parallel)
# Builds the reader with clang's libFuzzer in build/fuzz and runs it for SECONDS. The corpus comes from
# tests/models/weights/golden.zip and from earlier runs. Exit 1 on a finding, which is stored in build/fuzz/findings.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
reader=${1:-} seconds=${2:-}
case "$reader" in
  hdf5 | torch | safetensors) readers=("$reader") ;;
  all) readers=(hdf5 torch safetensors) ;;
  *) echo "fuzz: the readers are hdf5, torch and safetensors (or all), not '$reader'" >&2; exit 2 ;;
esac
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || { echo "fuzz: seconds must be a number above 0, not '$seconds'" >&2; exit 2; }

if ! command -v clang++ >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
  sudo=(); [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends clang libclang-rt-dev >&2
fi

build="$root/build/fuzz"
launcher=$(command -v ccache || true)
CXX=clang++ cmake -S "$root/tests/fuzz" -B "$build" -G Ninja ${launcher:+-DCMAKE_CXX_COMPILER_LAUNCHER=$launcher} >/dev/null
cmake --build "$build" --target "${readers[@]/#/fuzz_}" make_hdf5_seeds >&2

# seeds READER: small files, and files that once broke the reader
seeds() {
  local folder="$build/seeds/$1"
  mkdir -p "$build/corpus/$1" "$folder"
  case "$1" in
    hdf5) "$build/make_hdf5_seeds" "$folder" ;;
    torch) unzip -q -o -j "$root/tests/models/weights/golden.zip" '*.p*t*' -d "$folder" ;;
    safetensors) unzip -q -o -j "$root/tests/models/weights/golden.zip" '*.safetensors' -d "$folder" ;;
  esac
  [ "$1" = hdf5 ] || python3 "$root/tests/fuzz/small_seeds.py" "$1" "$folder"
  local regressions=("$root/tests/fuzz/regressions/$1"/*)
  [ ! -e "${regressions[0]}" ] || cp "${regressions[@]}" "$folder"
}

# is_slow READER FILE: does this input alone take ten seconds of CPU time?
is_slow() {
  ! (ulimit -t 10 && "$build/fuzz_$1" -timeout=3600 "$2") >/dev/null 2>&1
}

# fuzz READER: one input may take ten seconds, 2 GB in all (including the sanitizer's) and 64 MB per allocation; more is a
# finding. The fuzzer measures wall time: on a busy machine it reports inputs that are fast alone, which are dropped.
fuzz() {
  local findings="$build/findings/$1" new end=$((SECONDS + seconds)) status file
  mkdir -p "$findings"
  new=$(mktemp -d "$findings/new.XXXXXX")
  : >"$build/$1.log"
  while [ $SECONDS -lt $end ]; do
    status=0
    "$build/fuzz_$1" "$build/corpus/$1" "$build/seeds/$1" -max_total_time=$((end - SECONDS)) -timeout=10 \
      -rss_limit_mb=2048 -malloc_limit_mb=64 -max_len=262144 -artifact_prefix="$new/" -print_final_stats=1 -verbosity=1 \
      >>"$build/$1.log" 2>&1 || status=$?
    for file in "$new"/timeout-* "$new"/slow-unit-*; do
      [ ! -e "$file" ] || is_slow "$1" "$file" || { rm "$file" && status=0; }
    done
    [ "$status" -eq 0 ] && [ -z "$(ls "$new")" ] || break
  done
  if [ -n "$(ls "$new")" ]; then
    tail -n 40 "$build/$1.log"
    echo "fuzz: $1: a finding; the input is in $new, the report in $build/$1.log" >&2
    return 1
  fi
  rmdir "$new"
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$build/$1.log"
    echo "fuzz: $1: the run ended early, without a finding; its log is $build/$1.log" >&2
    return 1
  fi
  awk -v reader="$1" -v seconds="$seconds" '/number_of_executed_units/ { tried += $2 } match($0, /cov: [0-9]+/) {
    coverage = substr($0, RSTART + 5, RLENGTH - 5) } END {
    print "fuzz: " reader ", " seconds " s, " tried " inputs, " coverage " edges covered, no finding" }' "$build/$1.log"
}

for reader in "${readers[@]}"; do seeds "$reader"; done
running=()
for reader in "${readers[@]}"; do
  fuzz "$reader" &
  running+=($!)
done
failed=0
for job in "${running[@]}"; do wait "$job" || failed=1; done
exit "$failed"
