#!/usr/bin/env bash
# tests/gpu_bundle.sh pack TREE ARCHIVE    packs the programs of a CUDA build in TREE for a machine with only a driver
# tests/gpu_bundle.sh rehearse ARCHIVE     unpacks it in an empty root (bash, coreutils, a driver that finds no GPU) and
#                                          runs the parts that need no GPU; needs root
# ./run gpu_bundle configures and builds TREE first.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=(selftest gpu_agreement gpu_plans gpu_report memory_plan step_bench ops_bench variants_bench)
# The target machine provides these parts of glibc and of the driver.
ours='^(libc|libm|libdl|librt|libpthread|ld-linux-x86-64|libcuda|libresolv)\.so'

# Prints the paths of every library that the given programs need, directly or indirectly, one per line.
libraries_of() { ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u; }

pack() {
  local tree=$1 archive=$2 stage name program library
  stage=$(mktemp -d)
  trap "rm -rf '$stage'" EXIT  # now: a local is gone at exit
  name=$(basename "$archive" .tar.xz)
  mkdir -p "$stage/$name"/{bin,lib}
  for program in "${programs[@]}"; do
    [ -x "$tree/bin/$program" ] || continue  # gpu_plans exists only with cuDNN
    strip -o "$stage/$name/bin/$program" "$tree/bin/$program"
  done
  export LD_LIBRARY_PATH=$(dirname "$(sed -n 's/^ONEDNN_LIBRARY:[A-Z]*=//p' "$tree/CMakeCache.txt")")
  libraries_of "$tree"/bin/selftest "$tree"/bin/*_bench | while read -r library; do
    [[ $(basename "$library") =~ $ours ]] || strip --strip-unneeded -o "$stage/$name/lib/$(basename "$library")" "$library"
  done
  cp "$root/tests/first_contact.sh" "$root/bench/peers/step_peer.py" "$root/bench/gpu_predictions.json" "$root/LICENSE" \
    "$root/THIRD_PARTY.md" "$stage/$name/"
  git -C "$root" describe --always --dirty >"$stage/$name/commit" 2>/dev/null || true
  # A large dictionary compresses the kernels that the programs share.
  tar -C "$stage" -cf - "$name" | xz -T1 --lzma2=preset=9,dict=192MiB >"$archive.part"
  mv "$archive.part" "$archive"
  echo "$archive: $(du -h "$archive" | cut -f 1), unpacked $(du -sh "$stage/$name" | cut -f 1)" >&2
}

# Copies programs and the libraries that they need into the root below $1.
furnish() {
  local to=$1 file
  shift
  for file in "$@" $(libraries_of "$@") /lib64/ld-linux-x86-64.so.2; do
    mkdir -p "$to$(dirname "$file")"
    cp -L "$file" "$to$file"
  done
}

rehearse() {
  local archive=$1 empty tool tools=() stubs
  [ "$(id -u)" -eq 0 ] || { echo "gpu_bundle.sh: rehearse needs root, for chroot" >&2; exit 1; }
  empty=$(mktemp -d)
  trap "umount -q '$empty/proc'; rm -rf '$empty'" EXIT
  for tool in bash cat date dirname basename env grep head ldd ls mkdir mktemp mv rm sed sleep tail tee timeout tr uname wc cut id; do
    tools+=("$(command -v $tool)")
  done
  furnish "$empty" "${tools[@]}" 2>/dev/null
  cp -L "$(dirname "$(ldd "$(command -v bash)" | awk '/libc.so/ { print $3 }')")"/{libm,libpthread,libdl,librt}.so.* "$empty/lib/x86_64-linux-gnu/"
  mkdir -p "$empty"/{tmp,root,dev,proc}
  ln -s usr/bin "$empty/bin"  # scripts name /bin/bash
  mount -t proc proc "$empty/proc"  # the loader finds $ORIGIN there
  ln -s bash "$empty$(dirname "$(command -v bash)")/sh"
  cat /dev/null >"$empty/dev/null"
  # An nvidia-smi that lists a GPU, without a driver: programs that need a device must report that in one line.
  printf '#!/bin/bash\necho "NVIDIA stub, 0.0, 9.0"\n' >"$empty/usr/bin/nvidia-smi"
  chmod +x "$empty/usr/bin/nvidia-smi"
  tar -C "$empty/root" -xf "$archive"
  local bundle=/root/$(basename "$archive" .tar.xz) program
  in_root() { chroot "$empty" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root "$@"; }
  for program in "$empty$bundle"/bin/*; do
    local missing
    missing=$(in_root ldd "$bundle/bin/$(basename "$program")" | grep 'not found' || true)
    [ -z "$missing" ] || { echo "$(basename "$program"): $missing" >&2; return 1; }
  done
  echo "selftest on the CPU:"
  in_root "$bundle/bin/selftest" --device cpu --filter 'Relu*:Linear*:LayerNorm*' 2>&1 | tail -n 1
  echo "selftest on a GPU that is not there:"
  in_root "$bundle/bin/selftest" --device cuda && return 1
  echo "first_contact.sh:"
  in_root bash "$bundle/first_contact.sh" --out /tmp/out && return 1
  in_root ls /tmp/out
}

case "${1:-}" in
  pack) [ $# -eq 3 ] || { echo "gpu_bundle.sh: pack TREE ARCHIVE" >&2; exit 2; }; pack "$2" "$3" ;;
  rehearse) [ $# -eq 2 ] || { echo "gpu_bundle.sh: rehearse ARCHIVE" >&2; exit 2; }; rehearse "$2" ;;
  *) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; exit 2 ;;
esac
