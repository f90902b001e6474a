# Prints for each kernel in PTX, separated by tabs: two columns for names.awk, kernel (mangled), threads of a block (0:
# not in the PTX), max dynamic shared memory of its launches in bytes (note_dynamic_shared in cuda/device.cuh).
function finish() { if (kernel != "") print "ptx", "", kernel, threads, dynamic }
BEGIN { OFS = "\t" }
/\.entry / {
  finish()
  kernel = $0
  sub(/^.*\.entry +/, "", kernel)
  sub(/[^A-Za-z0-9_$].*$/, "", kernel)
  threads = dynamic = 0
}
/^\.maxntid / {
  gsub(/,/, " ")
  threads = $2 * ($3 == "" ? 1 : $3) * ($4 == "" ? 1 : $4)
}
/\/\/ dynamic shared memory: / { dynamic = $NF }
END { finish() }
