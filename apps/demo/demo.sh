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
               a data set of 368 small videos in which neither sound nor picture alone decides

The same command after an interruption continues; a stage that is done is not looked at again, so take another --out
after adding videos. Networks are small (width 0.125 to 0.25, pictures of 96 pixels):
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

again=no # once a stage runs, all later ones run too
stage() { # NAME COMMAND…
  local name=$1 mark="$out/stages/$1" began status=0
  shift
  if [ $again = no ] && [ -e "$mark" ] && [ "$(tail -n 1 "$mark")" = "$*" ]; then
    echo "== $name: done before" >&2
    return
  fi
  again=yes
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
  awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", b - a }' >"$mark.part"
  echo "$*" >>"$mark.part"
  mv "$mark.part" "$mark"
}

train() { # MODEL OPTIONS…
  stage "$1" "$bin/train_backbone" --model "$1" --cache "$out/cache" --out "$out/runs/$1" --resume \
    --schedule one-cycle --batch 16 "${device[@]}" "${@:2}"
}
fuse() { # NAME METHOD BACKBONES
  stage "$1" "$bin/train_fusion" --embeddings "$out/embeddings.safetensors" --method "$2" --use "$3" \
    --out "$out/runs/$1" --overwrite
}

if [ -z "$data" ]; then
  data=$out/data
  stage data "$bin/make_demo_data" --out "$data"
fi
stage prepare "$bin/prepare" --data "$data" --cache "$out/cache" --image-size 96

# mixup beta mixes each pair once instead of twice as the author does: half the work, and as good on these sounds.
for model in aud-mel aud-gam aud-cqt; do
  train $model --width 0.125 --epochs 8 --lr 2e-3 --mixup beta
done
train vis-inc --width 0.25 --epochs 24 --lr 1e-3 --frames-per-clip 2 --augment flip
train vis-conv --width 0.25 --epochs 16 --lr 1e-3 --frames-per-clip 2 --augment flip

backbones=()
for model in aud-mel aud-gam aud-cqt vis-inc vis-conv; do backbones+=(--backbone "$out/runs/$model"); done
stage embeddings "$bin/extract_embeddings" "${backbones[@]}" "${device[@]}" --cache "$out/cache" --out "$out/embeddings.safetensors"

audio=aud-mel,aud-gam,aud-cqt visual=vis-inc,vis-conv
for method in f1 f2 f3 f4 f5 f6; do fuse $method $method $audio,$visual; done
method=$("$bin/demo_report" --out "$out" --best-method)
fuse audio "$method" $audio
fuse visual "$method" $visual

seconds=$(for mark in "$out"/stages/*; do case "$mark" in *.begun) ;; *) head -n 1 "$mark" ;; esac; done |
  awk '{ sum += $1 } END { printf "%.1f", sum }')
"$bin/demo_report" --out "$out" --seconds "$seconds"
echo "$seconds s in all; $out/report.html, $out/results.json"
