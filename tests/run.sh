#!/usr/bin/env bash
# tests/run.sh quick|all BUILD [FILTER]
# quick runs the CPU product's tests, BUILD/bin/*_tests without benchmarks, emulation and faults; all runs every program and the
# checks of tests/run_rest.sh. FILTER is gtest's: 'Conv2d.*'. Prints each failure as it happens, then a table of times and the
# skipped tests with reasons; the last line is `N passed, N failed, N skipped`. Exit 1: a test failed. Exit 2: no test ran.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
what=$1 build=$2 filter=${3:-*}
limit_seconds=${AVS_TEST_LIMIT_SECONDS:-1500}  # for one program
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
times=$build/test_seconds  # "SECONDS PROGRAM" of the last run: the longest program starts first

# Turns gtest's stream into "passed|failed|skipped NAME<TAB>REASON" lines, and shows the output of failed tests only.
follow='
function finish(kind, reason) { print kind " " program ": " current "\t" reason >> results; current = "" }
/\[ RUN      \] / { current = $NF; output = ""; next }
current != "" && /\[       OK \] / { finish("passed", ""); next }
current != "" && /\[  SKIPPED \] / {
  sub(/^[^\n]*: Skipped\n/, "", output); gsub(/\n+$/, "", output); gsub(/\n/, " ", output)
  finish("skipped", output); next
}
current != "" && /\[  FAILED  \] / { printf "%s%s\n", output, $0; fflush(); finish("failed", ""); next }
current != "" { output = output $0 "\n"; next }
/^\[/ || /^Running main/ || /^Note: Google Test filter/ || /FAILED TESTS?$/ || /^ *$/ { next }
{ print; fflush() }
END { if (current != "") { printf "%s[  CRASHED ] %s\n", output, current; finish("failed", "crashed") } }'

# run_program BINARY [TESTS VARIABLE=VALUE…]: these tests (unless FILTER chooses) in that environment.
run_program() {
  local binary=$1 program=${1#"$build"/} tests=$filter began=$SECONDS status results
  program=${program#bin/} && shift
  [ $# -eq 0 ] || [ "$filter" != '*' ] || tests=$1
  [ $# -lt 2 ] || { export "${@:2}"; program="$program with ${*:2}"; }
  results=$parts/${program//[\/ ]/_}
  timeout --kill-after=10 "$limit_seconds" "$binary" --gtest_color=no --gtest_filter="$tests" 2>&1 |
    awk -v program="$program" -v results="$results" "$follow"
  status=${PIPESTATUS[0]}
  if [ "$status" -ne 0 ] && ! grep -qs '^failed ' "$results"; then
    printf 'failed %s: (the program itself)\tended with status %s\n' "$program" "$status" >>"$results"
  fi
  echo "$((SECONDS - began)) $program" | tee -a "$parts/seconds" | sed 's/\([0-9]*\) \(.*\)/\2: \1 s/' >&2
}

# Starts a job when one of two places is free. More would disturb each other: some programs use several threads.
place() { while [ "$(jobs -rp | wc -l)" -ge "$(($(nproc) > 1 ? 2 : 1))" ]; do wait -n; done; "$@" & }

cd "$root"
programs=("$build"/bin/*_tests)
[ "$what" = all ] || mapfile -t programs < <(printf '%s\n' "${programs[@]}" | grep -vE '/(bench|emulat.*|faults)_tests$')
while read -r _ binary; do place run_program "$binary"; done < <(for binary in "${programs[@]}"; do
  echo "$(awk -v p="${binary##*/}" '$2 == p && NF == 2 { s = $1 } END { print s == "" ? 9999 : s }' "$times" 2>/dev/null || echo 9999) $binary"
done | sort -rn)
[ "$what" != all ] || source "$root/tests/run_rest.sh"
wait

[ "$filter" != '*' ] || cp "$parts/seconds" "$times"
{ [ -z "${AVS_BUILD_SECONDS:-}" ] || echo "$AVS_BUILD_SECONDS (building)"; cat "$parts/seconds"; } | sort -rn |
  awk 'BEGIN { print "seconds, two programs at a time:" } { s = $1; sub(/^[0-9]+ /, ""); printf "  %5d  %s\n", s, $0 }'
rm "$parts/seconds"
count() { cat "$parts"/* 2>/dev/null | grep -c "^$1 "; }
show() { cat "$parts"/* | sed -n "s/^$1 \([^\t]*\)\t\(.*\)\$/  \1 (\2)/p" | sed "s/ ()\$//; 1i $1:"; }
show skipped
show failed
[ "$(ls "$parts" | wc -l)" -gt 0 ] || { echo "no test ran: nothing under $build/bin matches '$filter'" >&2; exit 2; }
echo "$(count passed) passed, $(count failed) failed, $(count skipped) skipped"
[ "$(count failed)" -eq 0 ]
