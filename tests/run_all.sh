#!/usr/bin/env bash
# tests/run_all.sh [BUILD] [FILTER]
# Compiles cuda/ with nvcc and the host code for aarch64 if these compilers are installed, and runs every
# BUILD/bin/*_tests, and those of BUILD/asan and BUILD/tsan if they were built. Prints failures at once, then skipped
# tests with reasons; the last line is `N passed, N failed, N skipped`. Exit 1 if a test failed, or a program crashed
# or exceeded its time; 2 if none ran.
# FILTER is gtest's: 'Conv2d.*'.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:-$root/build}
filter=${2:-*}
limit_seconds=${AVS_TEST_LIMIT_SECONDS:-1500}  # for one program: each takes a few minutes
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# Turns gtest's output into one line per test in $results ("passed|failed|skipped NAME<TAB>REASON") and shows only the
# output of failed tests. A test's output without a newline precedes gtest's mark on the same line, hence no ^ anchors.
follow='
function finish(kind, reason) {
  print kind " " program ": " current "\t" reason >> results
  current = ""
}
/\[ RUN      \] / { current = $NF; output = ""; next }
current != "" && /\[       OK \] / { finish("passed", ""); next }
current != "" && /\[  SKIPPED \] / {
  reason = output
  sub(/^[^\n]*: Skipped\n/, "", reason)
  gsub(/\n+$/, "", reason)
  gsub(/\n/, " ", reason)
  finish("skipped", reason)
  next
}
current != "" && /\[  FAILED  \] / { printf "%s%s\n", output, $0; fflush(); finish("failed", ""); next }
current != "" { output = output $0 "\n"; next }
/^\[/ || /^Running main/ || /^Note: Google Test filter/ || /FAILED TESTS?$/ || /^ *$/ { next }
{ print; fflush() }
END {
  if (current != "") {
    printf "%s[  CRASHED ] %s\n", output, current
    finish("failed", "crashed")
  }
}'

# BINARY RESULTS [PART VARIABLE=VALUE…]: runs the tests in PART in that environment, unless FILTER is set
run_program() {
  local binary=$1 results=$2 program=${1#"$build"/} part=$filter started=$SECONDS status
  if [ $# -gt 2 ]; then
    [ "$filter" != '*' ] || part=$3
    shift 3
    export "$@"
    program="$program with $*"
  fi
  # Decoding whole folders takes minutes under the thread sanitizer; build/tsan/bin/data_tests runs everything.
  [ "$program" = tsan/bin/data_tests ] && [ "$filter" = '*' ] && part='-Prepare*:DcaseLayout*'
  timeout --kill-after=10 "$limit_seconds" "$binary" --gtest_color=no --gtest_filter="$part" 2>&1 |
    awk -v program="$program" -v results="$results" "$follow"
  status=${PIPESTATUS[0]}
  if [ $((SECONDS - started)) -ge "$limit_seconds" ]; then
    echo "$program: stopped after $limit_seconds seconds"
  fi
  if [ "$status" -ne 0 ] && ! grep -q '^failed ' "$results"; then
    echo "$program: every test passed, but the program ended with status $status"
    printf 'failed %s: (the program itself)\tstatus %s\n' "$program" "$status" >>"$results"
  fi
  echo "$program: $((SECONDS - started)) s" >&2
}

# Prints this machine's instruction sets of AVX-512, AVX2 and neither, its best first, by the names of AVS_ISA
# (tensor/cpu/simd.h).
instruction_sets() {
  local has
  has=" $(sed -n 's/^flags[[:space:]]*: //p' /proc/cpuinfo | head -n 1) "
  case "$has" in
    *' avx512f '*) echo avx512 avx2 any ;;
    *' avx2 '*) echo avx2 any ;;
    *) echo any ;;
  esac
}
declare -A onednn_set=([avx2]=AVX2 [any]=SSE41)

# Runs as many programs at once as there are cores, two at most: they measure nothing, and some use several threads. The
# long ones start first.
cd "$root"
at_once=$(nproc) parts=$(mktemp -d)
trap 'rm -rf "$results" "$parts"' EXIT
[ "$at_once" -le 2 ] || at_once=2
for binary in "$build"/bin/emula*_tests "$build"/bin/*_tests "$build"/asan/bin/*_tests "$build"/tsan/bin/*_tests; do
  part=$parts/${binary//\//_}
  [ -x "$binary" ] && [ ! -e "$part" ] || continue
  : >"$part"
  while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
  run_program "$binary" "$part" &
done
# Runs every op again with the last thread and block first, and once shuffled (docs/emulation.md).
for order in reverse shuffled:7; do
  while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
  [ ! -x "$build/bin/emulated_ops_tests" ] ||
    run_program "$build/bin/emulated_ops_tests" "$parts/$order" '*' "AVS_EMULATION_ORDER=$order" &
done
# Runs the tests whose rounding depends on the instruction set again under every lesser set of this machine: ours, and
# the corresponding one of oneDNN.
declare -A part_of=([ops_tests]='*' [models_tests]='Folding*:*EightSamples*' [parity_tests]='Golden/Parity.*')
read -ra sets < <(instruction_sets)
for set in "${sets[@]:1}"; do
  for program in ops_tests models_tests parity_tests; do
    while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
    [ ! -x "$build/bin/$program" ] ||
      run_program "$build/bin/$program" "$parts/$program-$set" "${part_of[$program]}" "AVS_ISA=$set" \
        "ONEDNN_MAX_CPU_ISA=${onednn_set[$set]}" &
  done
done
wait
echo "instruction sets: ${sets[*]} (all but the first: ops, networks and golden files)"
cat "$parts"/* >"$results" 2>/dev/null

# Uses nvcc if it is installed: compiles every file for two architectures with warnings as errors, compares the output
# of ptxas with docs/cuda_report.md, and links a program, which also starts without a GPU. Configures with the CMake
# that ./run fetched, if any: from 3.31 on, CMake's unity builds accept .cu files.
compile_cuda() {
  local name='cuda: every file compiles for sm_75 and sm_90a without a warning' tree="$build/cuda" started=$SECONDS nvcc
  local page='cuda: no kernel spills, and all are as docs/cuda_report.md says' said options
  local starts="cuda: a program with the CUDA backend links, needs none of NVIDIA's libraries to start, and starts"
  local unity='cuda: a CMake from 3.31 on, whose unity builds take .cu files, configures and builds it' cmake=cmake version
  if ! nvcc=$("$root/cmake/nvcc.sh" 2>/dev/null); then
    said=$("$root/cmake/nvcc.sh" 2>&1 | tr '\n' ';')
    printf 'skipped %s\t%s\n' "$name" "$said" "$unity" "$said" "$page" "$said" "$starts" "$said" >>"$results"
    return
  fi
  mkdir -p "$tree"
  [ ! -x "$root/build/cmake/bin/cmake" ] || cmake=$root/build/cmake/bin/cmake
  version=$("$cmake" --version | sed -n 's/^cmake version //p')
  mapfile -t options < <("$root/tests/cuda_report/report.sh" options 75,90a)
  if "$cmake" -S "$root" -B "$tree" -G Ninja -DCMAKE_CUDA_COMPILER="$nvcc" "${options[@]}" >"$tree/build.log" 2>&1 &&
    "$cmake" --build "$tree" --target avs_cuda avs_variants >>"$tree/build.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$results"
    if [ "$(printf '%s\n' 3.31 "$version" | sort -V | head -n 1)" = 3.31 ]; then
      printf 'passed %s\t\n' "$unity" >>"$results"
    else
      printf 'skipped %s\t%s\n' "$unity" "the newest here is $version" >>"$results"
    fi
    said=$("$root/tests/cuda_report/report.sh" compare "$tree" "$nvcc")
    case $? in
      0) printf 'passed %s\t\n' "$page" >>"$results" ;;
      3)
        printf 'passed %s\t\n' 'cuda: no kernel spills, and docs/cuda_report.md has all of them' >>"$results"
        printf 'skipped %s\t%s\n' "$page" 'its registers are those of another nvcc' >>"$results"
        ;;
      *)
        echo "$said"
        printf 'failed %s\t(./run cuda_report makes it anew)\n' "$page" >>"$results"
        ;;
    esac
    if "$cmake" --build "$tree" --target variants_bench >>"$tree/build.log" 2>&1 &&
      ! readelf -d "$tree/bin/variants_bench" | grep -E 'NEEDED.*lib(cu|nv)' >>"$tree/build.log" &&
      "$tree/bin/variants_bench" --benchmark_list_tests 2>&1 | grep -q '^cuda/layer_norm.cu/'; then
      printf 'passed %s\t\n' "$starts" >>"$results"
    else
      printf 'failed %s\t(log: %s)\n' "$starts" "$tree/build.log" >>"$results"
    fi
  else
    grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)' "$tree/build.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/build.log" >>"$results"
  fi
  echo "cuda for sm_75 and sm_90a: $((SECONDS - started)) s" >&2
}

# Checks the host code, including cuda/'s, with clang, configured as in compile_cuda but only parsed. (A pragma that
# clang does not know is a speed hint for GCC.)
check_with_clang() {
  local name='clang: the host code, with CUDA, has neither error nor warning' tree="$build/cuda" started=$SECONDS
  if ! command -v clang++ >/dev/null || [ ! -e "$tree/compile_commands.json" ]; then
    printf 'skipped %s\t%s\n' "$name" 'no clang++, or no nvcc to configure a build with CUDA, on this machine' >>"$results"
    return
  fi
  if sed -n 's/^  "command": "[^ ]* \(.*\.c[px][px]\)",$/\1/p' "$tree/compile_commands.json" | sed 's/\\\(.\)/\1/g' |
    (cd "$tree" && xargs -d '\n' -P "$at_once" -I '{}' sh -c 'clang++ -fsyntax-only {} -Wno-unknown-pragmas') \
      >"$tree/clang.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$results"
  else
    grep -E 'error|warning' "$tree/clang.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/clang.log" >>"$results"
  fi
  echo "clang: $((SECONDS - started)) s" >&2
}

# Runs the readers of weight files under clang's fuzzer, half a minute each, in parallel.
fuzz_readers() {
  local name='fuzz: the readers of weight files, 30 s each, without a finding' log="$build/fuzz.log" started=$SECONDS
  if ! command -v clang++ >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
    printf 'skipped %s\tno clang with its fuzzer on this machine\n' "$name" >>"$results"
    return
  fi
  if "$root/tests/fuzz/fuzz.sh" all 30 >"$log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$results"
  else
    cat "$log"
    printf 'failed %s\t(log: %s)\n' "$name" "$log" >>"$results"
  fi
  echo "fuzzing the readers: $((SECONDS - started)) s" >&2
}
if [ "$filter" = '*' ]; then
  compile_cuda
  check_with_clang
  fuzz_readers
fi

# Compiles the host code for 64-bit ARM if a cross compiler is installed (docs/porting.md): the libraries up to models/,
# and cuda/'s. Nothing is linked or run.
compile_aarch64() {
  local name='aarch64: everything up to models/, and the host code of cuda/, compiles' tree="$build/aarch64" started=$SECONDS
  if ! command -v aarch64-linux-gnu-g++ >/dev/null; then
    printf 'skipped %s\tno aarch64-linux-gnu-g++ on this machine (Debian: g++-aarch64-linux-gnu)\n' "$name" >>"$results"
    return
  fi
  mkdir -p "$tree"
  if cmake -S "$root" -B "$tree" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64.cmake" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DAVS_BENCH=OFF -DAVS_ONEDNN_ROOT="$onednn" >"$tree/build.log" 2>&1 &&
    cmake --build "$tree" --target avs_models avs_emulated_host >>"$tree/build.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$results"
  else
    grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)' "$tree/build.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/build.log" >>"$results"
  fi
  echo "aarch64: $((SECONDS - started)) s" >&2
}
onednn=$(sed -n 's/^AVS_ONEDNN_ROOT:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null)
[ "$filter" = '*' ] && compile_aarch64

count() { grep -c "^$1 " "$results" || true; }
if [ "$(count skipped)" -gt 0 ]; then
  echo "skipped:"
  sed -n 's/^skipped \([^\t]*\)\t\(.*\)$/  \1 (\2)/p' "$results"
fi
if [ "$(count failed)" -gt 0 ]; then
  echo "failed:"
  sed -n 's/^failed \([^\t]*\)\t\(.*\)$/  \1 \2/p' "$results"
fi
if [ ! -s "$results" ]; then
  echo "no test ran: nothing under $build/bin matches '$filter'" >&2
  exit 2
fi
echo "$(count passed) passed, $(count failed) failed, $(count skipped) skipped"
[ "$(count failed)" -eq 0 ]
