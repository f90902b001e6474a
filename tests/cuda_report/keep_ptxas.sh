#!/usr/bin/env bash
# keep_ptxas.sh NVCC ARGUMENTS… -o OBJECT: a compiler launcher. Runs nvcc and keeps beside the object what the report
# needs, so that a build that has nothing to do still has it:
#   OBJECT.ptxas    what ptxas says of each kernel (-Xptxas=-v); everything else goes on to stderr
#   OBJECT.kernels  what the PTX says of each (ptx.awk)
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
# Any architecture will do, but kernels for tensor cores are empty where there are none: the last has them all.
ptx=$(find "$kept" -name '*.ptx' | sort -V | tail -n 1)
[ -z "$ptx" ] || awk -f "$here/ptx.awk" "$ptx" >"$object.kernels"
exit $status
