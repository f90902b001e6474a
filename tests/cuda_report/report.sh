#!/usr/bin/env bash
# What nvcc says of the kernels, in a build of cuda/ that began with this script's `options` (keep_ptxas.sh keeps it there).
#   report.sh options ARCHITECTURES        options for cmake; ARCHITECTURES as in 75,90a
#   report.sh table TREE NVCC PAGE         writes PAGE from the build in TREE; exit 1 when a kernel spills
#   report.sh compare TREE NVCC            holds TREE against docs/cuda_report.md: prints what differs; exit 1 when anything does,
#                                          3 where only spills and names were compared: the page is another nvcc's
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
page=$root/docs/cuda_report.md

# nvcc optimises kernels without being asked; what is around them is compiled, not run, and need not be optimised.
options() {
  printf '%s\n' -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_CUDA_FLAGS_DEBUG=-DNDEBUG \
    -DCMAKE_UNITY_BUILD=ON -DAVS_CUDA=ON -DAVS_TESTS=OFF -DAVS_BENCH=ON -DCMAKE_CUDA_FLAGS=-Xptxas=-v \
    "-DCMAKE_CUDA_COMPILER_LAUNCHER=$here/keep_ptxas.sh" "-DAVS_CUDA_ARCHITECTURES=$(sed 's/,/-real;/g' <<<"$1")-real"
}

version_of() { "$1" --version | sed -n 's/^.*release [0-9.]*, V\([0-9.]*\).*$/\1/p'; }
readable() { c++filt | awk -f "$here/names.awk"; }
# The files that TREE's build is made of; one of a source that is no more stays behind in its folder.
kept() {
  local source
  for source in "$root"/cuda/*.cu; do
    find "$1/cuda" -name "$(basename "$source").o.$2"
  done
}
resources() { kept "$1" ptxas | xargs awk -f "$here/resources.awk" | readable; }

# The comment at the head of each file: what it does and what bounds it.
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
