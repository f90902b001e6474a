#!/usr/bin/env bash
# The report of nvcc on the kernels, from a build of cuda/ configured with this script's `options` (keep_ptxas.sh keeps
# it there).
#   report.sh options ARCHITECTURES        prints options for cmake; ARCHITECTURES as in 75,90a
#   report.sh table TREE NVCC PAGE         writes PAGE from the build in TREE; exit 1 if a kernel spills
#   report.sh compare TREE NVCC            compares TREE with docs/cuda_report.md and prints differences; exit 1 if any,
#                                          3 if only spills and names could be compared: the page is from another nvcc
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
page=$root/docs/cuda_report.md

# nvcc always optimises kernels; the host code is compiled but not run, so it is not optimised.
options() {
  printf '%s\n' -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_CUDA_FLAGS_DEBUG=-DNDEBUG \
    -DCMAKE_UNITY_BUILD=ON -DAVS_CUDA=ON -DAVS_TESTS=OFF -DAVS_BENCH=ON -DCMAKE_CUDA_FLAGS=-Xptxas=-v \
    "-DCMAKE_CUDA_COMPILER_LAUNCHER=$here/keep_ptxas.sh" "-DAVS_CUDA_ARCHITECTURES=$(sed 's/,/-real;/g' <<<"$1")-real"
}

version_of() { "$1" --version | sed -n 's/^.*release [0-9.]*, V\([0-9.]*\).*$/\1/p'; }
readable() { c++filt | awk -f "$here/names.awk"; }
# Prints the files of TREE's build; files whose source no longer exists are skipped.
kept() {
  local source
  for source in "$root"/cuda/*.cu; do
    find "$1/cuda" -name "$(basename "$source").o.$2"
  done
}
resources() { kept "$1" ptxas | xargs awk -f "$here/resources.awk" | readable; }

# Prints the comment at the head of each .cu file: its function and its bound.
statements() {
  (cd "$root/cuda" && awk 'FNR == 1 { inside = 1 } !/^\/\// { inside = 0 }
    inside { sub(/^\/\/ ?/, ""); print FILENAME "\t" $0 }' *.cu)
}

table() {
  local architectures page=$3
  architectures=$(resources "$1" | cut -f 2 | sort -u -V | tr '\n' ' ')
  awk -f "$here/table.awk" -v architectures="${architectures% }" -v nvcc="$(version_of "$2")" \
    <(kept "$1" kernels | xargs cat | readable) <(resources "$1") <(statements) >"$page.part"
  mv "$page.part" "$page"
  ! grep -n 'SPILLS' "$page" >&2
}

compare() {
  local nvcc differences
  nvcc=$(version_of "$2")
  differences=$(resources "$1" | awk -f "$here/compare.awk" -v nvcc="$nvcc" "$page" -)
  if [ -n "$differences" ]; then
    echo "$differences"
    return 1
  fi
  grep -q "(nvcc $nvcc," "$page" || return 3
}

case "${1:-} $#" in
  'options 2') options "$2" ;;
  'table 4') table "$2" "$3" "$4" ;;
  'compare 3') compare "$2" "$3" ;;
  *) echo "report.sh: options ARCHITECTURES, table TREE NVCC PAGE or compare TREE NVCC" >&2; exit 2 ;;
esac
