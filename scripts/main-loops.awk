# Of each kernel in a listing of nvdisasm the instructions of its main loop by kind: of loops with products the one with the largest share
# of them, else the longest. Also in tests/Sa2VA.Cuda.Tests/MainLoop.cs.
function end(   text, i, names, mix) {
  if (name == "") return
  for (i = best_from; i < best_to; i++) mix[kinds[i]]++
  text = family "/" name " loop " best_to - best_from
  split("tensor ldmatrix shared global mufu fma other", names, " ")
  for (i = 1; i <= 7; i++) if (mix[names[i]] > 0) text = text " " names[i] " " mix[names[i]]
  print text
}
/^\.text\.[A-Za-z0-9_]+:/ { end(); name = substr($1, 7, length($1) - 7); n = best_from = best_to = share = 0; split("", labels); next }
/^[ \t]*\.L_[A-Za-z0-9_]+:/ { label = $1; sub(/:.*/, "", label); labels[label] = n; next }
/^[ \t]+\/\*[0-9a-f]+\*\/[ \t]+[^;]+;/ {
  op = $2; if (op ~ /^@/) op = $3; sub(/\..*/, "", op)
  kinds[n++] = op ~ /^(HMMA|IMMA|HGMMA)$/ ? "tensor" : op == "LDSM" ? "ldmatrix" : op ~ /^(LDS|STS|ATOMS)$/ ? "shared" : \
    op ~ /^(LDG|STG|LDGSTS|LD|ST|ATOMG|RED|UTMALDG)$/ ? "global" : op == "MUFU" ? "mufu" : op ~ /^[FH](FMA|MUL|ADD)2?$/ ? "fma" : "other"
  at = index($0, "`(.L_"); if (at == 0 || op != "BRA") next
  label = substr($0, at + 2); sub(/\).*/, "", label)
  if (!(label in labels)) next
  from = labels[label]; products = 0
  for (i = from; i < n; i++) if (kinds[i] == "tensor") products++
  # A kernel ends with a branch to itself, which is no loop.
  if (n - from > 1 && (products / (n - from) > share || (share == 0 && n - from > best_to - best_from))) {
    share = products / (n - from); best_from = from; best_to = n
  }
}
END { end() }
