#!/usr/bin/env bash
# cmake/nvcc.sh: prints the path of nvcc 13 or newer: from PATH, /usr/local/cuda, or build/nvcc, which ./run unpacks.
# Exit 1 if there is none; stderr then says what was found instead.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for nvcc in "$(command -v nvcc)" /usr/local/cuda/bin/nvcc "$root/build/nvcc/bin/nvcc"; do
  [ -x "$nvcc" ] || continue
  if "$nvcc" --version | grep -qE 'release (1[3-9]|[2-9][0-9])\.'; then
    echo "$nvcc"
    exit 0
  fi
  echo "$nvcc is not one of CUDA 13 or newer" >&2
done
echo "no nvcc of CUDA 13 or newer on this machine" >&2
exit 1
