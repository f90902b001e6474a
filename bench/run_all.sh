#!/usr/bin/env bash
# bench/run_all.sh BUILD [FILTER]          runs every benchmark, or those that match FILTER (a regular expression)
# bench/run_all.sh BUILD peers [OPTIONS]   compares with PyTorch, librosa, gammatone and the ffmpeg program
# A benchmark runs for at least AVS_BENCH_SECONDS (default 0.5; a training step at least once).
set -euo pipefail
build=$1
filter=${2:-.}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "$filter" = peers ]; then
  exec "$here/peers/peers.sh" "$build" "${@:3}"
fi
ran=0
for program in "$build"/bin/ops_bench "$build"/bin/features_bench "$build"/bin/loader_bench "$build"/bin/fusion_bench \
  "$build"/bin/step_bench; do
  [ -x "$program" ] || continue
  names=$("$program" --benchmark_list_tests --benchmark_filter="$filter" 2>/dev/null) || names=
  # Google Benchmark prints a failure on stdout if nothing matches.
  case "$names" in '' | Failed*) continue ;; esac
  echo "== $(basename "$program")"
  "$program" --benchmark_filter="$filter" --benchmark_min_time="${AVS_BENCH_SECONDS:-0.5}"
  ran=$((ran + 1))
done
if [ $ran -eq 0 ]; then
  echo "./run bench: no benchmark matches '$filter'" >&2
  exit 2
fi
