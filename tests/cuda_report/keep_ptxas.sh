#!/usr/bin/env bash
# keep_ptxas.sh NVCC ARGUMENTS… -o OBJECT: a compiler launcher. Runs nvcc and keeps the report's inputs next to the
# object, so that a build with nothing to do still has them:
#   OBJECT.ptxas    the output of ptxas for each kernel (-Xptxas=-v); all other output goes to stderr
#   OBJECT.kernels  the facts of each kernel in the PTX (ptx.awk)
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
object= previous=
for argument in "$@"; do
  [ "$previous" = -o ] && object=$argument
  previous=$argument
done
[ -n "$object" ] || exec "$@"
said=$(mktemp)
kept=$(mktemp -d)
trap 'rm -rf "$said" "$kept"' EXIT
"$@" --keep --keep-dir "$kept" 2>"$said"
status=$?
of_ptxas='^ptxas info|bytes stack frame'
grep -E "$of_ptxas" "$said" >"$object.ptxas"
grep -vE "$of_ptxas" "$said" >&2
# Any architecture would do, but kernels for tensor cores are empty on old ones; the newest has them all.
ptx=$(find "$kept" -name '*.ptx' | sort -V | tail -n 1)
[ -z "$ptx" ] || awk -f "$here/ptx.awk" "$ptx" >"$object.kernels"
exit $status
