#!/usr/bin/env bash
# first_contact.sh [--build DIR] [--out DIR] [--device cuda:N] [--seconds 560] [--only PHASES] [--more] [--emulated DIR]
#
# The first ten minutes on a GPU: is every kernel correct, and how fast is a step compared with its prediction and with
# PyTorch? Correctness comes first. Each phase has a time limit and writes its result into --out when it ends, so that
# an interrupted run loses nothing; a phase that exceeds its limit is skipped, not failed. DIR then holds
# gpu-DEVICE.json and gpu-DEVICE.md (./run gpu_table makes docs/gpu.md's table from those in bench/results) and every log.
# Exit 1 if a check fails, 2 for wrong options.
#
#   --build DIR      a build with -DAVS_CUDA=ON (default: this folder if it is a bundle, else build/)
#   --out DIR        default: first_contact.out
#   --only PHASES    some of: facts ops agreement plans steps kernels peers memcheck racecheck; with --more also
#                    compile profile memory synccheck variants demo
#   --more           runs those too, after the others: a second visit
#   --own-kernels    continues without cuDNN or cuBLASLt
#   --emulated DIR   the same flow with programs of DIR whose GPU is emulated (docs/emulation.md), as far as they support it
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build='' device=cuda:0 out=first_contact.out seconds=560 only='' emulated='' more='' own_kernels=''
usage() { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --more | --own-kernels) name=${1#--} && printf -v "${name//-/_}" yes && shift ;;
    --build | --device | --out | --seconds | --only | --emulated)
      [ $# -ge 2 ] || { echo "first_contact.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) echo "first_contact.sh: no option '$1'" >&2; usage >&2; exit 2 ;;
  esac
done
[[ $seconds =~ ^[0-9]+$ ]] || { echo "first_contact.sh: --seconds is a whole number, not '$seconds'" >&2; exit 2; }
if [ -d "$here/bin" ]; then  # a bundle (gpu_bundle.sh)
  tree=$here peer=$here/step_peer.py predictions=$here/gpu_predictions.json
else
  tree=$here/../build peer=$here/../bench/peers/step_peer.py predictions=$here/../bench/gpu_predictions.json
fi
build=${emulated:-${build:-$tree}}
bin=$build/bin prefix=${emulated:+emulated_}
for program in selftest gpu_agreement memory_plan; do
  [ -x "$bin/$prefix$program" ] || { echo "first_contact.sh: $bin/$prefix$program is not built" >&2; exit 1; }
done
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
rm -f "$out"/{facts.json,phases.jsonl,agreement.json,plans.json,steps.jsonl,peers.jsonl,memory.json,kernels.json,own_kernels.json,variants.json}

# ---- facts ----

quoted() { # a JSON string of $1
  local s=${1//\\/\\\\}
  s=${s//\"/\\\"}
  s=${s//$'\t'/ }
  printf '"%s"' "${s//$'\n'/ }"
}
# If the system lacks NVIDIA's libraries, takes all of them from the wheels that PyTorch installs, since cuDNN refuses
# parts of another version.
wheel_folders() {
  python3 - <<'PY' 2>/dev/null
import glob, os, site
roots = site.getsitepackages() + [site.getusersitepackages()]
print(":".join(sorted({os.path.dirname(f) for r in roots for f in glob.glob(r + "/nvidia/*/lib/lib*.so*")})))
PY
}
if [ -z "$emulated" ]; then
  command -v nvidia-smi >/dev/null || { echo "first_contact.sh: no nvidia-smi here: no NVIDIA driver is installed" >&2; exit 1; }
  known=$(nvidia-smi --id="${device#cuda:}" --query-gpu=name,driver_version,compute_cap --format=csv,noheader) ||
    { echo "first_contact.sh: nvidia-smi knows no GPU ${device#cuda:}" >&2; exit 1; }
  IFS=, read -r gpu driver _ <<<"$known"
  driver=${driver# }
  cuda=$(nvidia-smi 2>/dev/null | sed -n 's/.*CUDA Version: *\([0-9.]*\).*/\1/p' | head -n 1)
  if ! ldconfig -p 2>/dev/null | grep -q 'libcudnn\.so\.9'; then
    wheels=$(wheel_folders)
    export LD_LIBRARY_PATH=${wheels}${wheels:+:}${LD_LIBRARY_PATH:-}
  fi
else
  gpu='host emulation' driver=none cuda=none
fi
export AVS_PLANS="$out/cudnn_plans.tsv"  # the report includes the choice of cuDNN's engines
write_facts() {  # the descriptions of the device and of NVIDIA's libraries
  local said missing
  missing=$(ldd "$bin/${prefix}selftest" | grep 'not found' | tr -s '\t\n' ' ')
  [ -z "$missing" ] || { echo "libraries that are not here:$missing"; return 1; }
  "$bin/${prefix}selftest" --device "$device" --filter 'Relu*' >"$out/said" 2>&1 || { cat "$out/said"; return 1; }
  said=$(sed -n 's/.*device: //p' "$out/said" | head -n 1)
  missing=$(sed -n 's/.*\(cu[A-Z][A-Za-z]* cannot be opened: .*\)/\1/p' "$out/said" | tail -n 1)
  cat >"$out/facts.json" <<JSON
{"device": $(quoted "$gpu"), "driver": $(quoted "$driver"), "cuda": $(quoted "${cuda:-?}"), "said": $(quoted "${said:-nothing}"),
 "versions": $(quoted "$("$bin/${prefix}memory_plan" --version)"), "commit": $(quoted "$commit"),
 "date": $(quoted "$(date -u +%F)"), "emulated": $([ -n "$emulated" ] && echo true || echo false)}
JSON
  case "$said$missing" in *'own kernels'* | *'cannot be opened'*)  # all speeds would be those of our own kernels
    [ -n "$emulated$own_kernels" ] || { echo "${missing:-$said}; --own-kernels goes on without NVIDIA's libraries"; return 1; } ;;
  esac
  echo "$said"
}
commit=$(cat "$here/commit" 2>/dev/null || git -C "$here" describe --always --dirty 2>/dev/null || echo '?')
short=$(tr -c 'A-Za-z0-9\n' - <<<"$gpu")
report=$out/gpu-${short,,}

# ---- phases ----

began=$SECONDS failures=0 phases=0
record() { # NAME STATE SECONDS NOTE
  printf '{"step": "%s", "state": "%s", "seconds": %s, "note": %s}\n' "$1" "$2" "$3" "$(quoted "$4")" >>"$out/phases.jsonl"
  printf '%-22s %-8s %4s s  %.300s\n' "$1" "$2" "$3" "$4"
  phases=$((phases + 1))
  [ ! -e "$out/facts.json" ] || "$bin/gpu_report" make "$out" "$report" "$predictions" >/dev/null 2>"$out/report.log" || cat "$out/report.log"
}
# phase GROUP[/NAME] SECONDS COMMAND…: passes if COMMAND exits with 0. Its last line is the note.
phase() {
  local name=$1 group=${1%%/*} most=$2 left=$((seconds - (SECONDS - began))) start=$SECONDS status=0 log
  shift 2
  case " ${only:-$group} " in *" $group "*) ;; *) return 0 ;; esac
  log=$out/${name//\//-}.log
  if [ $left -lt 5 ]; then
    record "$name" skipped 0 'no time was left'
    return 0
  fi
  [ $left -lt $most ] || left=$most
  timeout --kill-after=5 $left bash -c '"$@"' "$name" "$@" >"$log" 2>&1 || status=$?
  case $status in
    0) record "$name" passed $((SECONDS - start)) "$(tail -n 1 "$log")" ;;
    124 | 137)
      if [ $((SECONDS - start)) -ge "$left" ]; then
        record "$name" skipped $((SECONDS - start)) "its $left s were over; $(tail -n 1 "$log")"
        return 0
      fi ;;&
    *)
      record "$name" failed $((SECONDS - start)) "exit $status: $(tail -n 1 "$log")"
      tail -n 15 "$log" | cut -c 1-300 | sed 's/^/    /'
      failures=$((failures + 1))
      return 1
      ;;
  esac
}
without() { # GROUP REASON
  case " ${only:-$1} " in *" $1 "*) record "$1" skipped 0 "$2" ;; esac
}

bench() {  # FILE PROGRAM FILTER OPTIONS…: writes Google Benchmark's JSON, and the number of benchmarks
  local file=$1 program=$2 filter=$3
  shift 3
  "$program" --benchmark_filter="$filter" --benchmark_out="$out/$file" --benchmark_out_format=json "$@" >/dev/null &&
    echo "$(grep -c '"real_time"' "$out/$file") measured"
}
# step NAME MODEL/BATCH OPTIONS…: measures one training step by graph, as a line of steps.jsonl
step() {
  local how=$1 what=$2
  shift 2
  "$bin/${prefix}step_bench" --device "$device" --benchmark_filter="^train/$what\$" --benchmark_format=json "$@" >"$out/step.json" &&
    "$bin/gpu_report" line "$out/step.json" "$how" >>"$out/steps.jsonl" && tail -n 1 "$out/steps.jsonl"
}
memory() {  # no step may exceed its plan by more than a twentieth
  "$bin/${prefix}memory_plan" --device "$device" --measure --json "$out/memory.json" "$@" &&
    "$bin/gpu_report" memory "$out/memory.json"
}
peers() {  # HOW OPTIONS… MODEL:BATCH…: measures PyTorch in one process, with the data on the device
  python3 "$peer" train --how "$1" --seconds 2 --device cuda --bf16 "${@:2}" >>"$out/peers.jsonl" && tail -n 1 "$out/peers.jsonl"
}
profile() { # the slowest kernels of a step under Nsight Compute
  ncu --clock-control none --launch-skip 2000 --launch-count 400 --metrics gpu__time_duration.sum,dram__bytes.sum \
    --csv "$bin/step_bench" --device "$device" --benchmark_filter="^train/$1\$" --benchmark_min_time=0.01 >"$out/ncu-${1//\//-}.csv" &&
    echo "$(wc -l <"$out/ncu-${1//\//-}.csv") lines in ncu-${1//\//-}.csv"
}
demo() { "$here/../apps/demo/demo.sh" "$build" --device "$device" --out "$out/demo"; }
own() { AVS_CUBLAS=0 AVS_CUDNN=0 "$bin/selftest" --device "$device" --filter "$1"; }
# Runs without NVIDIA's libraries, because their kernels are not ours to check and would replace ours.
sanitize() {
  AVS_CUBLAS=0 AVS_CUDNN=0 compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/selftest" --device "$device" --filter "$2"
}

export here build bin prefix device out peer gpu driver cuda commit emulated own_kernels
export -f quoted write_facts bench step memory peers profile demo own sanitize
if [ -n "$emulated" ]; then
  phase facts 30 write_facts
  phase ops 60 "$bin/emulated_selftest" --device "$device" --filter 'Relu*:LayerNorm*'
  phase agreement 120 "$bin/emulated_gpu_agreement" --device "$device" --models vis-conv --steps 2 --batch 2 --width 0.05 \
    --small-inputs --dtypes f32,bf16 --no-spectrograms --json "$out/agreement.json"
  AVS_EMULATION_DRY=1 phase steps/vis-conv 60 step bf16 vis-conv/16 --width 0.05 --benchmark_min_time=0.01
  AVS_EMULATION_DRY=1 phase memory 60 memory --model vis-conv --batch 4,16
  for name in memcheck racecheck; do without $name 'the emulation checks each access itself'; done
  for name in plans kernels peers; do without $name 'the emulation has no speed'; done
else
  phase facts 30 write_facts || { echo "first_contact.sh: nothing else was tried"; exit 1; }
  phase ops 70 "$bin/selftest" --device "$device"
  phase ops/own-kernels 40 own 'Linear*:Conv2d*'
  phase agreement 60 "$bin/gpu_agreement" --device "$device" --steps 3 --json "$out/agreement.json"
  if [ -x "$bin/gpu_plans" ]; then
    phase plans 40 "$bin/gpu_plans" --device "$device" --json "$out/plans.json"
  else
    without plans 'this build has no cuDNN'
  fi
  for model in vis-inc vis-conv aud-mel; do
    phase steps/$model-128 25 step bf16 $model/128
    phase steps/$model-16 15 step bf16 $model/16
  done
  if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    phase peers 60 peers graph vis-inc:128 vis-conv:128 aud-mel:128 vis-inc:16 vis-conv:16 aud-mel:16
  else
    without peers 'PyTorch with CUDA is not installed'
  fi
  phase kernels 60 bench kernels.json "$bin/ops_bench" device:1 --benchmark_min_time=0.01
  for model in vis-inc vis-conv; do
    phase steps/$model-f16 15 step f16 $model/128 --dtype f16
  done
  if command -v compute-sanitizer >/dev/null; then
    phase memcheck 40 sanitize memcheck '*'
    phase racecheck 40 sanitize racecheck 'LayerNorm*:BatchNorm*:Softmax*:Reduce*:Linear*:Depthwise*:AvgPool*:GlobalAvgPool*'
  else
    for name in memcheck racecheck; do without $name 'no compute-sanitizer on this machine'; done
  fi
  if [ -n "$more" ]; then
    phase compile 240 peers compile vis-inc:128 vis-conv:128
    for model in vis-inc vis-conv; do
      if command -v ncu >/dev/null; then phase profile/$model 90 profile $model/128; else without profile 'no ncu on this machine'; fi
    done
    phase memory 60 memory --batch 8
    ! command -v compute-sanitizer >/dev/null ||
      phase synccheck 45 sanitize synccheck 'LayerNorm*:BatchNorm*:Softmax*:Reduce*:Linear*:Depthwise*'
    phase kernels/own 60 env AVS_CUBLAS=0 AVS_CUDNN=0 bash -c 'bench "$@"' bench own_kernels.json "$bin/ops_bench" '^(linear|conv2d).*device:1' --benchmark_min_time=0.01
    phase variants 30 bench variants.json "$bin/variants_bench" . --benchmark_min_time=0.01
    if [ -e "$here/../apps/demo/demo.sh" ]; then phase demo 600 demo; else without demo 'the bundle has no decoders'; fi
  fi
fi

[ $phases -gt 0 ] || { echo "first_contact.sh: --only $only names no phase" >&2; exit 2; }
echo "$((SECONDS - began)) s, $failures failed; $report.md"
[ ! -e "$report.json" ] || "$bin/gpu_report" summary "$report.json" | head -c 12000 | tee "$out/summary.txt"
[ $failures -eq 0 ]
