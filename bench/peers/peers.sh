#!/usr/bin/env bash
# bench/peers/peers.sh BUILD [OPTIONS of compare.py]: installs PyTorch, librosa and gammatone into build/peers, then
# runs the comparison. PyPI's PyTorch needs NVIDIA's libraries to be imported: about 5 GB.
set -euo pipefail
build=$1
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${AVS_PEERS_DIR:-$(cd "$here/../.." && pwd)/build/peers}
packages=(torch==2.11.0 torchvision==0.26.0 librosa==0.11.0 Gammatone==1.0.3)

if ! "$venv/bin/python" -c 'import torch, torchvision, librosa, gammatone' 2>/dev/null; then
  echo "installing ${packages[*]} into $venv (about 5 GB)" >&2
  [ -e "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
fi
# OpenBLAS variables that select old kernels would slow a current NumPy down.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$venv/bin/python" "$here/compare.py" "$build" "$@"
