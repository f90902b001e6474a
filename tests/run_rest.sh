# tests/run_rest.sh, sourced by run.sh: what `./run test all` adds to the tests of the CPU product: sanitizers, the emulated kernels
# in other orders, lesser instruction sets, other compilers, the fuzzer. It uses run.sh's place, run_program and $parts.

for binary in "$build"/asan/bin/*_tests "$build"/tsan/bin/*_tests; do
  # Decoding whole folders takes minutes under the thread sanitizer; build/tsan/bin/data_tests runs them.
  tests='*'
  [ "${binary#"$build"}" != /tsan/bin/data_tests ] || tests='-Prepare*:DcaseLayout*'
  [ ! -x "$binary" ] || place run_program "$binary" "$tests"
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
declare -A part_of=([ops_tests]='*' [models_tests]='Folding*:*EightSamples*' [parity_tests]='Golden/Parity.*')
read -ra sets < <(instruction_sets)
for set in "${sets[@]:1}"; do
  for program in "${!part_of[@]}"; do
    place run_program "$build/bin/$program" "${part_of[$program]}" "AVS_ISA=$set" "ONEDNN_MAX_CPU_ISA=${onednn_set[$set]}"
  done
done
echo "instruction sets: ${sets[*]} (all but the first: ops, networks and golden files)"
wait

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
    printf 'skipped %s\t%s\n' "$name" "$said" "$unity" "$said" "$page" "$said" "$starts" "$said" >>"$parts/rest"
    return
  fi
  mkdir -p "$tree"
  [ ! -x "$root/build/cmake/bin/cmake" ] || cmake=$root/build/cmake/bin/cmake
  version=$("$cmake" --version | sed -n 's/^cmake version //p')
  mapfile -t options < <("$root/tests/cuda_report/report.sh" options 75,90a)
  if "$cmake" -S "$root" -B "$tree" -G Ninja -DCMAKE_CUDA_COMPILER="$nvcc" "${options[@]}" >"$tree/build.log" 2>&1 &&
    "$cmake" --build "$tree" --target avs_cuda avs_variants >>"$tree/build.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$parts/rest"
    if [ "$(printf '%s\n' 3.31 "$version" | sort -V | head -n 1)" = 3.31 ]; then
      printf 'passed %s\t\n' "$unity" >>"$parts/rest"
    else
      printf 'skipped %s\t%s\n' "$unity" "the newest here is $version" >>"$parts/rest"
    fi
    said=$("$root/tests/cuda_report/report.sh" compare "$tree" "$nvcc")
    case $? in
      0) printf 'passed %s\t\n' "$page" >>"$parts/rest" ;;
      3)
        printf 'passed %s\t\n' 'cuda: no kernel spills, and docs/cuda_report.md has all of them' >>"$parts/rest"
        printf 'skipped %s\t%s\n' "$page" 'its registers are those of another nvcc' >>"$parts/rest"
        ;;
      *)
        echo "$said"
        printf 'failed %s\t(./run cuda_report makes it anew)\n' "$page" >>"$parts/rest"
        ;;
    esac
    if "$cmake" --build "$tree" --target variants_bench >>"$tree/build.log" 2>&1 &&
      ! readelf -d "$tree/bin/variants_bench" | grep -E 'NEEDED.*lib(cu|nv)' >>"$tree/build.log" &&
      "$tree/bin/variants_bench" --benchmark_list_tests 2>&1 | grep -q '^cuda/layer_norm.cu/'; then
      printf 'passed %s\t\n' "$starts" >>"$parts/rest"
    else
      printf 'failed %s\t(log: %s)\n' "$starts" "$tree/build.log" >>"$parts/rest"
    fi
  else
    grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)' "$tree/build.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/build.log" >>"$parts/rest"
  fi
  echo "$((SECONDS - started)) cuda for sm_75 and sm_90a" >>"$parts/seconds"
}

# Checks the host code, including cuda/'s, with clang, configured as in compile_cuda but only parsed. (A pragma that
# clang does not know is a speed hint for GCC.)
check_with_clang() {
  local name='clang: the host code, with CUDA, has neither error nor warning' tree="$build/cuda" started=$SECONDS
  if ! command -v clang++ >/dev/null || [ ! -e "$tree/compile_commands.json" ]; then
    printf 'skipped %s\t%s\n' "$name" 'no clang++, or no nvcc to configure a build with CUDA, on this machine' >>"$parts/rest"
    return
  fi
  if sed -n 's/^  "command": "[^ ]* \(.*\.c[px][px]\)",$/\1/p' "$tree/compile_commands.json" | sed 's/\\\(.\)/\1/g' |
    (cd "$tree" && xargs -d '\n' -P "$(nproc)" -I '{}' sh -c 'clang++ -fsyntax-only {} -Wno-unknown-pragmas') \
      >"$tree/clang.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$parts/rest"
  else
    grep -E 'error|warning' "$tree/clang.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/clang.log" >>"$parts/rest"
  fi
  echo "$((SECONDS - started)) clang" >>"$parts/seconds"
}

# Runs the readers of weight files under clang's fuzzer, half a minute each, in parallel.
fuzz_readers() {
  local name='fuzz: the readers of weight files, 30 s each, without a finding' log="$build/fuzz.log" started=$SECONDS
  if ! command -v clang++ >/dev/null || ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
    printf 'skipped %s\tno clang with its fuzzer on this machine\n' "$name" >>"$parts/rest"
    return
  fi
  if "$root/tests/fuzz/fuzz.sh" all 30 >"$log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$parts/rest"
  else
    cat "$log"
    printf 'failed %s\t(log: %s)\n' "$name" "$log" >>"$parts/rest"
  fi
  echo "$((SECONDS - started)) fuzzing the readers" >>"$parts/seconds"
}

# Compiles the host code for 64-bit ARM if a cross compiler is installed (docs/porting.md): the libraries up to models/,
# and cuda/'s. Nothing is linked or run.
compile_aarch64() {
  local name='aarch64: everything up to models/, and the host code of cuda/, compiles' tree="$build/aarch64" started=$SECONDS
  if ! command -v aarch64-linux-gnu-g++ >/dev/null; then
    printf 'skipped %s\tno aarch64-linux-gnu-g++ on this machine (Debian: g++-aarch64-linux-gnu)\n' "$name" >>"$parts/rest"
    return
  fi
  mkdir -p "$tree"
  if cmake -S "$root" -B "$tree" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64.cmake" -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DAVS_BENCH=OFF -DAVS_ONEDNN_ROOT="$onednn" >"$tree/build.log" 2>&1 &&
    cmake --build "$tree" --target avs_models avs_emulated_host >>"$tree/build.log" 2>&1; then
    printf 'passed %s\t\n' "$name" >>"$parts/rest"
  else
    grep -v '^\[[0-9]*/[0-9]*\] \(Building\|Linking\)' "$tree/build.log"
    printf 'failed %s\t(log: %s)\n' "$name" "$tree/build.log" >>"$parts/rest"
  fi
  echo "$((SECONDS - started)) aarch64" >>"$parts/seconds"
}

onednn=$(sed -n 's/^AVS_ONEDNN_ROOT:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null)
if [ "$filter" = '*' ]; then
  compile_cuda
  check_with_clang
  fuzz_readers
  compile_aarch64
fi
