#!/usr/bin/env bash
# bench/run_all.sh BUILD [FILTER]          every benchmark, or those that FILTER (a regular expression) names
# bench/run_all.sh BUILD peers [OPTIONS]   PyTorch, librosa, gammatone and the ffmpeg program beside ours
# A benchmark runs for at least AVS_BENCH_SECONDS (default 0.5; steps, which take seconds each, at least once).
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
  # Google Benchmark says so on stdout when nothing matches.
  case "$names" in '' | Failed*) continue ;; esac
  echo "== $(basename "$program")"
  "$program" --benchmark_filter="$filter" --benchmark_min_time="${AVS_BENCH_SECONDS:-0.5}"
  ran=$((ran + 1))
done
if [ $ran -eq 0 ]; then
  echo "./run bench: no benchmark matches '$filter'" >&2
  exit 2
fi
