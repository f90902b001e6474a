#!/usr/bin/env bash
# tests/parity/parity.sh parity BUILD [--full] [--only GROUPS]
#                                           compares this engine with its peers; prints the tables of docs/parity.md
# tests/parity/parity.sh golden [WHAT…]     makes new golden files: parity, audio, weights (all by default)
# --full: networks at full width on inputs of full size, without the planted mistakes.
# GROUPS, joined by commas: ops, training, keras_networks, rules, fusion, media.
# The peers have their own environment, build/peers, shared with ./run bench peers. PyPI's PyTorch for x86-64 Linux
# needs NVIDIA's libraries, hence about 5 GB.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${AVS_PEERS_DIR:-$root/build/peers}
packages=(torch==2.11.0 torchvision==0.26.0 timm==1.0.31 keras==3.15.1 scikit-learn==1.9.1 librosa==0.11.0 Gammatone==1.0.3
  soxr==1.1.0 soundfile==0.14.0 av==18.1.0 safetensors==0.8.0)
export KERAS_BACKEND=torch

# peers TEST PACKAGE…: installs the packages unless Python can already run TEST.
peers() {
  local test=$1
  shift
  "$venv/bin/python" -c "$test" 2>/dev/null && return
  echo "installing $* into $venv" >&2
  [ -e "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
}
# OpenBLAS variables that select old kernels would slow a current NumPy down.
python() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$venv/bin/python" -W ignore "$@"; }

command=${1:-}
shift || true
peers 'import torch, torchvision, timm, keras, sklearn, librosa, gammatone, soxr, soundfile, av, safetensors' "${packages[@]}"
case "$command" in
  golden)
    recordings=${AVS_DATA:-$root/../shared/data}/tau_wavs
    if [ $# -eq 0 ]; then
      set -- parity weights
      if [ -d "$recordings" ]; then set -- "$@" audio; else echo "golden: no $recordings: audio stays as it is" >&2; fi
    fi
    for what in "$@"; do
      case "$what" in
        parity) python "$here/peers/make_cases.py" "$root/tests/golden/parity" --golden ;;
        audio)
          [ -d "$recordings" ] || { echo "golden audio: no recordings in $recordings; set AVS_DATA" >&2; exit 1; }
          python "$root/tests/golden/audio/make_golden.py" --recordings "$recordings"
          ;;
        weights)
          peers 'import jax, h5py, transformers' jax==0.10.2 h5py==3.16.0 transformers==5.24.0
          python "$root/tests/models/weights/make_goldens.py" "$root/tests/models/weights/golden.zip"
          ;;
        *) echo "golden: parity, audio or weights, not '$what'" >&2; exit 2 ;;
      esac
    done
    ;;
  parity)
    build=$1
    shift
    cases=$(mktemp -d)
    trap 'rm -rf "$cases"' EXIT
    python "$here/peers/make_cases.py" "$cases" "$@"
    case " $* " in *" --full "*) mistakes=() ;; *) mistakes=(--mistakes) ;; esac
    status=0
    mkdir "$cases/written"
    "$build/bin/parity_check" "$cases" "${mistakes[@]}" --write "$cases/written" || status=1
    [ -z "$(ls "$cases/written")" ] || { echo && python "$here/peers/read_back.py" "$cases/written"; } || status=1
    exit "$status"
    ;;
  *) echo "parity.sh: parity or golden, not '$command'" >&2; exit 2 ;;
esac
