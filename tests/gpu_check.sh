#!/usr/bin/env bash
# tests/gpu_check.sh [--build DIR] [--device cuda:N] [--out NAME] [--seconds 600] [--only STEPS] [--emulated DIR]
#
# Is every kernel right on this GPU, and how fast is it? Ten minutes at most after the build: all ops against their
# references, training against the CPU, repetition and graphs bit for bit, NVIDIA's sanitizers, memory against its plan,
# benchmarks beside a copy, cuBLAS, cuDNN and PyTorch (where it is installed), the demo. Writes NAME.json and NAME.md
# (default bench/results/gpu-DEVICE); README's table is made of them (./run gpu_table). Exit 1 when a check fails.
#
#   --build DIR      a build with -DAVS_CUDA=ON; without, build/gpu is made for the GPU that is here
#   --only STEPS     some of: selftest own agreement memcheck racecheck synccheck memory kernels variants training peers demo
#   --emulated DIR   the same flow on programs of DIR whose GPU is this machine (docs/emulation.md), as far as they go
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build='' device=cuda:0 out='' seconds=600 only='' emulated=''
usage() { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; }
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --build | --device | --out | --seconds | --only | --emulated)
      [ $# -ge 2 ] || { echo "gpu_check.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift 2
      ;;
    *) echo "gpu_check.sh: no option '$1'" >&2; usage >&2; exit 2 ;;
  esac
done
[[ $seconds =~ ^[0-9]+$ ]] || { echo "gpu_check.sh: --seconds is a whole number, not '$seconds'" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- the machine and the build ----

quoted() { # a JSON string of $1
  local s=${1//\\/\\\\}
  s=${s//\"/\\\"}
  s=${s//$'\t'/ }
  printf '"%s"' "${s//$'\n'/ }"
}
if [ -n "$emulated" ]; then
  build=$emulated
  name='host emulation' driver=none cuda=none prefix=emulated_
else
  command -v nvidia-smi >/dev/null || { echo "gpu_check.sh: no nvidia-smi here: no NVIDIA driver is installed" >&2; exit 1; }
  facts=$(nvidia-smi --id="${device#cuda:}" --query-gpu=name,driver_version,compute_cap --format=csv,noheader) ||
    { echo "gpu_check.sh: nvidia-smi knows no GPU ${device#cuda:}" >&2; exit 1; }
  IFS=, read -r name driver capability <<<"$facts"
  driver=${driver# } capability=${capability# } prefix=
  cuda=$("$("$root/cmake/nvcc.sh" 2>/dev/null)" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
  if [ -z "$build" ]; then
    build=$root/build/gpu
    echo "building $build for sm_${capability/./}" >&2
    nvcc=$("$root/cmake/nvcc.sh") || exit 1
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON -DAVS_CUDA=ON \
      "-DCMAKE_CUDA_COMPILER=$nvcc" "-DAVS_CUDA_ARCHITECTURES=${capability/./}-real" >&2 &&
      cmake --build "$build" >&2 || exit 1
  fi
fi
bin=$build/bin
for program in selftest gpu_agreement memory_plan; do
  [ -x "$bin/$prefix$program" ] || { echo "gpu_check.sh: $bin/$prefix$program is not built" >&2; exit 1; }
done
# What our programs say of the device and of NVIDIA's libraries.
said=$("$bin/${prefix}selftest" --device "$device" --filter 'Relu*' 2>&1 | sed -n 's/.*device: //p' | head -n 1)
cat >"$work/facts.json" <<JSON
{"device": $(quoted "$name"), "driver": $(quoted "$driver"), "cuda": $(quoted "${cuda:-?}"),
 "said": $(quoted "${said:-nothing}"),
 "versions": $(quoted "$("$bin/${prefix}memory_plan" --version)"),
 "commit": $(quoted "$(git -C "$root" describe --always --dirty 2>/dev/null || echo '?')"),
 "date": $(quoted "$(date -u +%F)"), "emulated": $([ -n "$emulated" ] && echo true || echo false)}
JSON

# ---- steps ----

began=$SECONDS failures=0
record() { # NAME STATE SECONDS NOTE
  printf '{"step": "%s", "state": "%s", "seconds": %s, "note": %s}\n' "$1" "$2" "$3" "$(quoted "$4")" >>"$work/steps.jsonl"
  printf '%-10s %-8s %4s s  %s\n' "$1" "$2" "$3" "$4"
}
# step NAME MOST_SECONDS COMMAND…: passes when the command ends with 0. Its last line is the note.
step() {
  local name=$1 most=$2 left=$((seconds - (SECONDS - began))) start=$SECONDS status=0
  shift 2
  case " ${only:-$name} " in *" $name "*) ;; *) return ;; esac
  if [ $left -lt 5 ]; then
    record "$name" skipped 0 'no time was left'
    return
  fi
  [ $left -lt $most ] || left=$most
  timeout --kill-after=5 $left bash -c '"$@"' "$name" "$@" >"$work/$name.log" 2>&1 || status=$?
  if [ $status -eq 0 ]; then
    record "$name" passed $((SECONDS - start)) "$(tail -n 1 "$work/$name.log")"
  elif [ $status -eq 124 ] && [ $left -lt $most ]; then # no fault of its own
    record "$name" skipped $((SECONDS - start)) "the $seconds seconds were over"
  elif [ $status -eq 124 ] && [[ $name == *check ]]; then # a sanitizer: slow, and without a finding so far
    record "$name" skipped $((SECONDS - start)) "no finding in $most s, but not finished; $(tail -n 1 "$work/$name.log")"
  else
    [ $status -eq 124 ] && echo "stopped after $((SECONDS - start)) s" >>"$work/$name.log"
    record "$name" failed $((SECONDS - start)) "exit $status: $(tail -n 1 "$work/$name.log")"
    sed 's/^/    /' "$work/$name.log" | tail -n 40
    failures=$((failures + 1))
  fi
}
without() { # NAME REASON
  case " ${only:-$1} " in *" $1 "*) record "$1" skipped 0 "$2" ;; esac
}

bench() { # FILE PROGRAM FILTER: Google Benchmark's JSON, and how many were measured
  "$2" --benchmark_filter="$3" --benchmark_min_time=0.02 --benchmark_out="$work/$1" --benchmark_out_format=json >/dev/null &&
    echo "$(grep -c '"real_time"' "$work/$1") measured"
}
kernels() {
  bench kernels.json "$bin/ops_bench" device:1 &&
    AVS_CUBLAS=0 AVS_CUDNN=0 bench own_kernels.json "$bin/ops_bench" '^(linear|conv2d).*device:1'
}
training() {
  "$bin/${prefix}step_bench" --device "$device" --benchmark_min_time=1 --benchmark_out="$work/training.json" \
    --benchmark_out_format=json "$@" >/dev/null && echo "$(grep -c '"real_time"' "$work/training.json") measured"
}
memory() { # no step takes more than planned and a twentieth
  "$bin/${prefix}memory_plan" --device "$device" --measure --json "$work/memory.json" "$@" &&
    "$bin/gpu_report" memory "$work/memory.json"
}
peers() {
  local how mode model
  for how in eager compile; do
    for mode in train infer; do
      for model in aud-mel:8 vis-inc:16 vis-conv:16; do
        python3 "$root/bench/peers/step_peer.py" $mode ${model%:*} ${model#*:} --seconds 2 --device cuda --bf16 \
          $([ $how = compile ] && echo --compile) >"$work/peer" || return 1
        sed "s|^{|{\"name\": \"$mode/${model/:/\/}\", \"how\": \"$how\", |" "$work/peer" >>"$work/peers.jsonl"
      done
    done
  done
  echo "$(wc -l <"$work/peers.jsonl") measured"
}
demo() { "$root/apps/demo/demo.sh" "$build" --device "$device" --out "$work/demo"; }
own() { AVS_CUBLAS=0 AVS_CUDNN=0 "$bin/selftest" --device "$device" --filter "$1"; }
# Without NVIDIA's libraries: their kernels are theirs to check, and with them ours would not run.
sanitize() {
  AVS_CUBLAS=0 AVS_CUDNN=0 compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/selftest" --device "$device" --filter "$2"
}

export root build bin prefix device work
export -f bench kernels training memory peers demo own sanitize
if [ -n "$emulated" ]; then
  step selftest 60 "$bin/emulated_selftest" --device "$device" --filter 'Relu*:LayerNorm*'
  step agreement 120 "$bin/emulated_gpu_agreement" --device "$device" --models vis-conv --steps 2 --batch 2 --width 0.05 \
    --small-inputs --dtypes f32,bf16 --no-spectrograms --json "$work/agreement.json"
  for tool in memcheck racecheck synccheck; do without $tool 'the emulation checks each access itself'; done
  AVS_EMULATION_DRY=1 step memory 60 memory --model vis-conv --batch 4,16
  AVS_EMULATION_DRY=1 step training 60 training --width 0.05 --benchmark_filter=vis-conv --benchmark_min_time=0.01
  for name_of_step in kernels variants peers demo; do without $name_of_step 'the emulation has no speed'; done
else
  step selftest 90 "$bin/selftest" --device "$device"
  step own 45 own 'Linear*:Conv2d*'
  step agreement 120 "$bin/gpu_agreement" --device "$device" --json "$work/agreement.json"
  if command -v compute-sanitizer >/dev/null; then
    step memcheck 60 sanitize memcheck '*'
    step racecheck 60 sanitize racecheck 'LayerNorm*:BatchNorm*:Softmax*:Reduce*:Linear*:Depthwise*:AvgPool*:GlobalAvgPool*'
    step synccheck 45 sanitize synccheck 'LayerNorm*:BatchNorm*:Softmax*:Reduce*:Linear*:Depthwise*'
  else
    for tool in memcheck racecheck synccheck; do without $tool 'no compute-sanitizer on this machine'; done
  fi
  step memory 60 memory --batch 8
  step kernels 90 kernels
  step variants 30 bench variants.json "$bin/variants_bench" .
  step training 60 training
  if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    step peers 90 peers
  else
    without peers 'PyTorch with CUDA is not installed'
  fi
  step demo 600 demo
fi

[ -e "$work/steps.jsonl" ] || { echo "gpu_check.sh: --only $only names no step" >&2; exit 2; }
short=$(tr -c 'A-Za-z0-9\n' - <<<"$name")
out=${out:-$root/bench/results/gpu-${short,,}}
mkdir -p "$(dirname "$out")"
"$bin/gpu_report" make "$work" "$out" || exit 1
echo "$((SECONDS - began)) s, $failures failed; $out.md, $out.json"
[ $failures -eq 0 ]
