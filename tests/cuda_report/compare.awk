# Compares lines of resources.awk (after names.awk; the second file) with docs/cuda_report.md (the first) and prints one
# line per difference. A spill always differs. -v nvcc=VERSION: if the page is from another version, only kernel names
# are compared, not registers and shared memory.
BEGIN { FS = "\t" }
FNR == 1 { ++part }
part == 1 && /^Made by .*\(nvcc / {
  made_by = $0
  sub(/^.*\(nvcc /, "", made_by)
  sub(/,.*$/, "", made_by)
  listed = $0
  sub(/^.*, sm_/, "", listed)
  sub(/\).*$/, "", listed)
  count = split(listed, order, " ")
}
part == 1 && /^## / { file = substr($0, 4) }
part == 1 && /^\| `/ {
  split($0, cells, / \| /)
  name = cells[1]
  gsub(/^\| `|`$/, "", name)
  split(cells[3], shared, " ")
  split(cells[4], registers, " ")
  page[file, name] = 1
  kernels[++kernel_count] = file SUBSEP name
  most_shared[file, name] = shared[1]
  for (a = 1; a <= count; ++a) on_page[file, name, order[a]] = registers[a]
}
part == 2 {
  built_here[$1, $3] = 1
  if ($6 > 0) print $1 ": " $3 " spills " $6 " bytes on sm_" $2
  if (!(($1, $3) in page)) {
    if (!(($1, $3) in told)) print $1 ": " $3 " is not on the page"
    told[$1, $3] = 1
    next
  }
  if (made_by != nvcc) next
  if (($1, $3, $2) in on_page && $4 != on_page[$1, $3, $2])
    print $1 ": " $3 " has " $4 " registers on sm_" $2 ", the page says " on_page[$1, $3, $2]
  if ($5 > most_shared[$1, $3])
    print $1 ": " $3 " has " $5 " bytes of static shared memory on sm_" $2 ", the page says at most " most_shared[$1, $3]
}
END {
  for (k = 1; k <= kernel_count; ++k)
    if (!(kernels[k] in built_here)) {
      split(kernels[k], of, SUBSEP)
      print of[1] ": " of[2] " is on the page, but no longer built"
    }
}
