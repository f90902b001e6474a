# Shortens the third column, demangled by c++filt, to a readable name: gelu_kernel<4, float>.
BEGIN { FS = OFS = "\t" }
{
  name = $3
  sub(/^void /, "", name)
  gsub(/\(anonymous namespace\)::|avs::|cuda::|own::/, "", name)
  depth = 0
  for (i = 1; i <= length(name); ++i) {
    c = substr(name, i, 1)
    if (c == "<") ++depth
    if (c == ">") --depth
    if (c == "(" && depth == 0) break
  }
  $3 = substr(name, 1, i - 1)
  gsub(/ >/, ">", $3)
  print
}
