#!/usr/bin/env bash
# cmake/cudnn.sh [TOOLKIT]: prints the folder whose include/ has cuDNN 9's headers: the CUDA toolkit's, the system's, or
# that of Python's wheel nvidia-cudnn-cu13. Exit 1 if there is none.
python=$(python3 -c 'import site, sys; print("\n".join(site.getsitepackages() + [site.getusersitepackages()]))' 2>/dev/null)
while read -r folder; do
  for headers in "$folder"/include "$folder"/include/*-linux-gnu "$folder"/nvidia/cudnn/include; do
    [ -e "$headers/cudnn_graph.h" ] || continue
    dirname "$headers"
    exit 0
  done
done < <(printf '%s\n' "${1:-/usr/local/cuda}" /usr "$python")
exit 1
