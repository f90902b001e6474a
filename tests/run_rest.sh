# tests/run_rest.sh, sourced by run.sh: what `./run test all` adds to the tests of the CPU product: sanitizers, the emulated kernels
# in other orders, lesser instruction sets, other compilers, the fuzzer. It uses run.sh's place, run_program and $parts.

for binary in "$build"/asan/bin/*_tests "$build"/tsan/bin/*_tests; do
  [ ! -x "$binary" ] || place run_program "$binary"
done
# Every op runs again with the last thread and block first, and once shuffled (docs/emulation.md).
for order in reverse shuffled:7; do
  place run_program "$build/bin/emulated_ops_tests" '*' "AVS_EMULATION_ORDER=$order"
done

# Prints which of avx512, avx2 and any this machine has, its best first: the names of AVS_ISA (tensor/cpu/simd.h).
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

# Rounding differs between instruction sets: ops, networks and golden files run again under every lesser one of this machine, in our
# code (AVS_ISA) and in oneDNN's.
declare -A part_of=([tensor_ops_tests]='*' [models_tests]='Folding*:*EightSamples*' [parity_tests]='Golden/Parity.*')
read -ra sets < <(instruction_sets)
for set in "${sets[@]:1}"; do
  for program in "${!part_of[@]}"; do
    place run_program "$build/bin/$program" "${part_of[$program]}" "AVS_ISA=$set" "ONEDNN_MAX_CPU_ISA=${onednn_set[$set]}"
  done
done
echo "instruction sets: ${sets[*]} (all but the first: ops, networks and golden files)"
wait

record() { printf '%s %s\t%s\n' "$1" "$2" "${3:-}" >>"$parts/rest"; }  # passed|failed|skipped NAME [REASON]

# check NAME LOG COMMAND…: NAME passes if COMMAND does. Its output goes to LOG, and is shown if it fails.
check() {
  local name=$1 log=$2 began=$SECONDS
  shift 2
  if "$@" >"$log" 2>&1; then
    record passed "$name"
  else
    grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking)' "$log"
    record failed "$name" "log: $log"
  fi
  echo "$((SECONDS - began)) ${name%%:*}" >>"$parts/seconds"
}

# Uses nvcc if it is installed: compiles every file for two architectures with warnings as errors, compares the output
# of ptxas with docs/cuda_report.md, and links a program, which must start without a GPU. Configures with the CMake that
# ./run fetched, if any: from 3.31 on, CMake's unity builds accept .cu files.
compile_cuda() {
  local name='cuda: every file compiles for sm_75 and sm_90a without a warning' tree="$build/cuda" started=$SECONDS nvcc
  local page='cuda: no kernel spills, and all are as docs/cuda_report.md says' said options
  local starts="cuda: a program with the CUDA backend links, needs none of NVIDIA's libraries to start, and starts"
  local unity='cuda: a CMake from 3.31 on, whose unity builds take .cu files, configures and builds it' cmake=cmake version
  if ! nvcc=$("$root/cmake/nvcc.sh" 2>/dev/null); then
    said=$("$root/cmake/nvcc.sh" 2>&1 | tr '\n' ';')
    for name in "$name" "$unity" "$page" "$starts"; do record skipped "$name" "$said"; done
    return
  fi
  mkdir -p "$tree"
  [ ! -x "$root/build/cmake/bin/cmake" ] || cmake=$root/build/cmake/bin/cmake
  version=$("$cmake" --version | sed -n 's/^cmake version //p')
  mapfile -t options < <("$root/tests/cuda_report/report.sh" options 75,90a)
  if "$cmake" -S "$root" -B "$tree" -G Ninja -DCMAKE_CUDA_COMPILER="$nvcc" "${options[@]}" >"$tree/build.log" 2>&1 &&
    "$cmake" --build "$tree" --target avs_cuda avs_variants >>"$tree/build.log" 2>&1; then
    record passed "$name"
    if [ "$(printf '%s\n' 3.31 "$version" | sort -V | head -n 1)" = 3.31 ]; then
      record passed "$unity"
    else
      record skipped "$unity" "the newest here is $version"
    fi
    said=$("$root/tests/cuda_report/report.sh" compare "$tree" "$nvcc")
    case $? in
      0) record passed "$page" ;;
      3)
        record passed 'cuda: no kernel spills, and docs/cuda_report.md has all of them'
        record skipped "$page" 'its registers are those of another nvcc'
        ;;
      *)
        echo "$said"
        record failed "$page" "./run cuda_report makes it anew"
        ;;
    esac
    if "$cmake" --build "$tree" --target variants_bench >>"$tree/build.log" 2>&1 &&
      ! readelf -d "$tree/bin/variants_bench" | grep -E 'NEEDED.*lib(cu|nv)' >>"$tree/build.log" &&
      "$tree/bin/variants_bench" --benchmark_list_tests 2>&1 | grep -q '^cuda/layer_norm.cu/'; then
      record passed "$starts"
    else
      record failed "$starts" "log: $tree/build.log"
    fi
  else
    grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)' "$tree/build.log"
    record failed "$name" "log: $tree/build.log"
  fi
  echo "$((SECONDS - started)) cuda for sm_75 and sm_90a" >>"$parts/seconds"
}

# Parses the host code, cuda/'s included, with clang as compile_cuda configured it. (A pragma that clang does not know is a speed
# hint for GCC.)
parse_with_clang() {
  cd "$build/cuda" || return
  sed -n 's/^  "command": "[^ ]* \(.*\.c[px][px]\)",$/\1/p' compile_commands.json | sed 's/\\\(.\)/\1/g' |
    xargs -d '\n' -P "$(nproc)" -I '{}' sh -c 'clang++ -fsyntax-only {} -Wno-unknown-pragmas'
}
check_with_clang() {
  local name='clang: the host code, with CUDA, has neither error nor warning'
  if ! command -v clang++ >/dev/null || [ ! -e "$build/cuda/compile_commands.json" ]; then
    record skipped "$name" 'no clang++, or no nvcc to configure a build with CUDA, on this machine'
  else
    (check "$name" "$build/cuda/clang.log" parse_with_clang)
  fi
}

# Runs the readers of weight files under clang's fuzzer, half a minute each, in parallel.
fuzz_readers() {
  local name='fuzz: the readers of weight files, 30 s each, without a finding'
  if ! command -v clang++ >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
    record skipped "$name" 'no clang with its fuzzer on this machine'
  else
    check "$name" "$build/fuzz.log" "$root/tests/fuzz/fuzz.sh" all 30
  fi
}

# Compiles the host code for 64-bit ARM if a cross compiler is installed (docs/porting.md): the libraries up to models/,
# and cuda/'s. Nothing is linked or run.
build_for_aarch64() {
  cmake -S "$root" -B "$build/aarch64" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64.cmake" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DAVS_BENCH=OFF -DAVS_ONEDNN_ROOT="$onednn" &&
    cmake --build "$build/aarch64" --target avs_models avs_emulated_host
}
compile_aarch64() {
  local name='aarch64: everything up to models/, and the host code of cuda/, compiles'
  if ! command -v aarch64-linux-gnu-g++ >/dev/null; then
    record skipped "$name" 'no aarch64-linux-gnu-g++ on this machine (Debian: g++-aarch64-linux-gnu)'
  else
    mkdir -p "$build/aarch64"
    check "$name" "$build/aarch64/build.log" build_for_aarch64
  fi
}

onednn=$(sed -n 's/^AVS_ONEDNN_ROOT:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null)
if [ "$filter" = '*' ]; then
  compile_cuda
  check_with_clang
  fuzz_readers
  compile_aarch64
fi
