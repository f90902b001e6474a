# Writes docs/cuda_report.md from three files, in this order: lines of ptx.awk, lines of resources.awk (both after
# names.awk), and the head comments of the .cu files as "file <TAB> text". -v sets `architectures` and `nvcc`.
#
# Theoretical occupancy, from NVIDIA's tables of compute capabilities: the blocks that fit a multiprocessor by threads,
# blocks, registers (allocated to each warp by 256, in groups of four warps) and shared memory, as a share of its max
# warps; "?" for an architecture that is not in the table below.
function limits(architecture, warps, blocks, shared_kb) {
  most_warps[architecture] = warps
  most_blocks[architecture] = blocks
  most_shared[architecture] = shared_kb * 1024
}
function up(n, unit) { return int((n + unit - 1) / unit) * unit }
function least(a, b) { return a < b ? a : b }
function occupancy(architecture, threads, registers, shared,    warps, fit, by_registers) {
  if (!(architecture in most_warps)) return "?"
  warps = up(threads, 32) / 32
  fit = least(most_blocks[architecture], int(most_warps[architecture] / warps))
  by_registers = int(65536 / up((registers < 1 ? 1 : registers) * 32, 256))
  fit = least(fit, int((by_registers - by_registers % 4) / up(warps, 4)))
  if (architecture != 75) shared += 1024
  shared = up(shared, architecture == 75 ? 256 : 128)
  if (shared > 0) fit = least(fit, int(most_shared[architecture] / shared))
  return int(100 * fit * warps / most_warps[architecture])
}
BEGIN {
  FS = "\t"
  limits("75", 32, 16, 64)
  limits("80", 64, 32, 164)
  limits("86", 48, 16, 100)
  limits("87", 48, 16, 164)
  limits("89", 48, 24, 100)
  limits("90a", 64, 32, 228)
  limits("120", 48, 24, 100)
  count = split(architectures, order, " ")
}
FNR == 1 { ++part }
part == 1 { threads[$3] = $4 == 0 ? 256 : $4; dynamic[$3] = $5 }
part == 2 {
  if (!(($1, $3) in seen)) {
    seen[$1, $3] = 1
    kernels[$1] = kernels[$1] $3 "\n"
    total += 1
  }
  registers[$1, $3, $2] = $4
  shared_on[$1, $3, $2] = $5
  if ($5 > shared[$1, $3] + 0) shared[$1, $3] = $5
  if ($6 > 0) {
    spills[$1, $3] = spills[$1, $3] " " $2 ":" $6
    spilling += 1
  }
}
part == 3 {
  if (!($1 in statement)) files[++file_count] = $1
  statement[$1] = statement[$1] $2 "\n"  # one line each
}
END {
  print "# Every kernel: registers, shared memory, occupancy, bound\n"
  print "Made by `./run cuda_report` from what ptxas says (nvcc " nvcc ", sm_" architectures "); no GPU is needed. " total " kernels;"
  print (spilling == 0 ? "none spills registers to memory on any architecture." : spilling " SPILL.") " Numbers side by side are these architectures, in this order."
  print "Occupancy is theoretical: the percentage of a multiprocessor's warps that registers, shared memory and block size allow. Shared"
  print "memory is in bytes: the largest static size + the largest dynamic size of a launch. Each file's own comment states what its kernels"
  print "move and what bounds them. `./run test all` compares two architectures with this page. Nothing here was measured on a GPU."
  for (f = 1; f <= file_count; ++f) {
    file = files[f]
    if (!(file in kernels)) continue
    print "\n## " file "\n\n" statement[file]
    print "| kernel | threads | shared | registers | occupancy |\n|---|---|---|---|---|"
    n = split(kernels[file], names, "\n") - 1
    for (k = 1; k <= n; ++k) {
      name = names[k]
      regs = occupied = ""
      for (a = 1; a <= count; ++a) {
        regs = regs (a > 1 ? " " : "") registers[file, name, order[a]]
        occupied = occupied (a > 1 ? " " : "") occupancy(order[a], threads[name], registers[file, name, order[a]], shared_on[file, name, order[a]] + dynamic[name])
      }
      if ((file, name) in spills) regs = regs " SPILLS" spills[file, name]
      print "| `" name "` | " threads[name] " | " (shared[file, name] + 0) (dynamic[name] > 0 ? " + " dynamic[name] : "") " | " regs " | " occupied " |"
    }
  }
}
