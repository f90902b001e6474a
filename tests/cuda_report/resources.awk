# Prints the output of ptxas (FILE.cu.o.ptxas) as one line per kernel and architecture, separated by tabs:
#   file  architecture  kernel (mangled)  registers  bytes of static shared memory  bytes spilled
# A function that kernels call and that spills has a line too.
BEGIN { OFS = "\t" }
FNR == 1 {
  file = FILENAME
  sub(/^.*\//, "", file)
  sub(/\.o\.ptxas$/, "", file)
}
/Compiling entry function/ {
  split($0, quoted, "'")
  kernel = quoted[2]
  architecture = quoted[4]
  sub(/^sm_/, "", architecture)
}
/Function properties for/ { of = $NF }
/bytes stack frame/ {
  spilled = $5 + $9
  if (of != kernel && spilled > 0) print file, architecture, of, 0, 0, spilled
}
/: Used [0-9]+ registers/ {
  shared = 0
  if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
  for (i = 1; i < NF; ++i)
    if ($i == "Used") print file, architecture, kernel, $(i + 1), shared, spilled
}
