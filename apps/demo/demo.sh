#!/usr/bin/env bash
# ./run demo [--out DIR] [--data DIR] [--device DEVICE]: the whole system, from videos to a report.
# ./run calls it and passes the build folder first.
#
# Every stage is one command of build/bin, which is printed before it runs. A finished stage writes its seconds and its
# command to OUT/stages/; the next call skips it if the command is the same and no earlier stage ran again. A killed
# stage is resumed, except fusions, which take seconds.
set -euo pipefail
build=$1
shift
bin=$build/bin
out=$build/demo
data=
device=() # for training and embeddings; empty: each program chooses

usage() {
  cat <<'TEXT'
usage: ./run demo [--out DIR] [--data DIR] [--device DEVICE]

Trains five small networks on videos and fuses them; writes DIR/report.html and DIR/results.json.

  --out DIR    where everything goes (default: build/demo)
  --data DIR   your own videos, DIR/CLASS/* or DIR/{train,test}/CLASS/* or the DCASE layout; without it the demo makes
               a data set of 200 small videos in which neither sound nor picture alone decides

The same command after an interruption continues; a stage that is done is not looked at again, so take another --out
after adding videos. Networks are small (width 0.0625 to 0.25, pictures of 96 pixels) and trained without mixup:
for accuracy on your own videos follow README.md, "Your own videos".
TEXT
}

while [ $# -gt 0 ]; do
  case "$1" in
    --device)
      [ $# -ge 2 ] && [ -n "$2" ] || { echo "./run demo: $1 needs cpu, cuda or cuda:N" >&2; exit 2; }
      device=(--device "$2")
      shift 2
      ;;
    --out | --data)
      [ $# -ge 2 ] && [ -n "$2" ] || { echo "./run demo: $1 needs a folder" >&2; exit 2; }
      [ "$1" = --out ] && out=$2 || data=$2
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "./run demo: no option '$1'" >&2; usage >&2; exit 2 ;;
  esac
done
if [ -n "$data" ] && [ ! -d "$data" ]; then
  echo "./run demo: no folder $data" >&2
  exit 2
fi
mkdir -p "$out/stages" "$out/runs"

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", b - a }'; }

after= # the stages whose results the next one reads: it runs again if one of them ran since
stage() { # NAME COMMAND…
  local name=$1 mark="$out/stages/$1" began status=0 earlier is_done
  shift
  [ -e "$mark" ] && [ "$(tail -n 1 "$mark")" = "$*" ] && is_done=yes || is_done=no
  for earlier in $after; do
    [ ! "$out/stages/$earlier" -nt "$mark" ] || is_done=no
  done
  if [ $is_done = yes ]; then
    echo "== $name: done before" >&2
    return
  fi
  # Training with other options or on other clips cannot be resumed; OUT belongs to the demo, so remove it.
  if [ -e "$mark.begun" ] && [ "$(cat "$mark.begun")" != "$*" ]; then
    case $(basename "$1") in
      train_backbone) rm -rf "$out/runs/$name" ;;
      prepare) rm -rf "$out"/runs/* ;;
    esac
  fi
  rm -f "$mark"
  echo "$*" >"$mark.begun"
  echo "== $name: $(basename "$1") ${*:2}" >&2
  began=$EPOCHREALTIME
  "$@" || status=$?
  if [ $status -ne 0 ]; then
    echo "./run demo: stage '$name' failed (exit $status); the same command continues there" >&2
    exit $status
  fi
  seconds_since "$began" >"$mark.part"
  echo "$*" >>"$mark.part"
  mv "$mark.part" "$mark"
}

# Trainings depend on the cache alone. On a CPU two queues of them run side by side, each on half of the cores, which is faster
# than one network on all cores; a GPU trains one network after the other.
side_by_side=yes threads=$((($(nproc) + 1) / 2))
case "$(nproc) ${device[*]}" in
  '1 '* | *cuda*) side_by_side=no ;;
  *cpu) ;;
  *) ! command -v nvidia-smi >/dev/null || side_by_side=no ;;
esac
[ $side_by_side = yes ] || threads=0 # all
train() { # MODEL OPTIONS…
  stage "$1" "$bin/train_backbone" --model "$1" --cache "$out/cache" --out "$out/runs/$1" --resume \
    --schedule one-cycle --mixup none --batch 8 --threads "$threads" "${device[@]}" "${@:2}"
}
hear() { # MODEL: at this width a sound network costs as much as the two that see
  train "$1" --width 0.0625 --epochs 6 --lr 3e-3
}
fuse() { # NAME METHOD BACKBONES
  stage "$1" "$bin/train_fusion" --embeddings "$out/embeddings.safetensors" --method "$2" --use "$3" \
    --out "$out/runs/$1" --overwrite
}

if [ -z "$data" ]; then
  data=$out/data
  stage data "$bin/make_demo_data" --out "$data"
  after=data
fi
stage prepare "$bin/prepare" --data "$data" --cache "$out/cache" --image-size 96

after=prepare
networks="aud-mel aud-gam aud-cqt vis-inc vis-conv"
see_inc() { train vis-inc --width 0.25 --epochs 12 --lr 1e-3 --frames-per-clip 2 --augment flip; }
see_conv() { train vis-conv --width 0.25 --epochs 12 --lr 1e-3 --frames-per-clip 2 --augment flip; }
first_queue() { hear aud-mel; hear aud-gam; }
second_queue() { hear aud-cqt; see_inc; see_conv; }
began=$EPOCHREALTIME status=0
if [ $side_by_side = yes ]; then
  first_queue 2> >(sed -u 's/^/[1] /' >&2) &
  first=$!
  second_queue 2> >(sed -u 's/^/[2] /' >&2) &
  wait $! || status=$?
  wait $first || status=$?
  [ $status -eq 0 ] || exit $status
else
  first_queue
  second_queue
fi
for model in $networks; do
  if [ "$out/stages/$model" -nt "$out/stages/training" ]; then
    seconds_since "$began" >"$out/stages/training"
  fi
done

after=$networks
backbones=()
for model in $networks; do backbones+=(--backbone "$out/runs/$model"); done
stage embeddings "$bin/extract_embeddings" "${backbones[@]}" "${device[@]}" --cache "$out/cache" --out "$out/embeddings.safetensors"

after=embeddings
audio=aud-mel,aud-gam,aud-cqt visual=vis-inc,vis-conv
for method in f1 f2 f3 f4 f5 f6; do fuse $method $method $audio,$visual; done
method=$("$bin/demo_report" --out "$out" --best-method)
fuse audio "$method" $audio
fuse visual "$method" $visual

seconds=$(for name in data prepare training embeddings f1 f2 f3 f4 f5 f6 audio visual; do
  head -qn 1 "$out/stages/$name" 2>/dev/null
done | awk '{ sum += $1 } END { printf "%.1f", sum }')
"$bin/demo_report" --out "$out" --seconds "$seconds"
echo "$seconds s in all; $out/report.html, $out/results.json"
