# ebnf.awk -- the rules of hbm.y as EBNF, for docs/language.md: awk -f grammar/ebnf.awk grammar/hbm.y
#
# A rule stands as it is written, without actions and error recovery, but for these: what is empty or something is
# [ something ]; left recursion is { repetition }; `expr OP expr` for every binary operator is one line, with the
# operators in a list by precedence; a rule that is one symbol, or is named opt_..., is written out where it is used.

BEGIN {WIDTH = 100}

# ---- reading ----
/^%%/ {part++; next}
part == 0 && /^%token/ {read_tokens($0); next}
part == 0 && /^%(left|right|nonassoc|precedence)/ {levels[++n_levels] = $0; next}
part == 1 {text = text " " $0}

# LE "<=" of a %token line: how a token is shown.
function read_tokens(line,  i, n, word) {
    n = split(line, word, " ")
    for (i = 2; i < n; i++)
        if (word[i] ~ /^[A-Z]+$/ && word[i + 1] ~ /^"/) {shown[word[i]] = word[i + 1]; i++}
}

# Text without actions and comments: characters in braces, which nest; quoted braces are tokens.
function strip(s,  out, depth, i, c, three) {
    gsub(/\/\*[^*]*\*\//, "", s)
    for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1); three = substr(s, i, 3)
        if (three ~ /^'.'$/) {if (!depth) out = out " " three " "; i += 2; continue}
        if (c == "{") depth++
        if (!depth) out = out (c == "|" || c == ";" ? " " c " " : c)
        if (c == "}") depth--
    }
    return out
}

function show(symbol) {
    if (symbol in shown) return symbol ~ /^(IDENT|NUMBER|STRING)$/ ? substr(shown[symbol], 2, length(shown[symbol]) - 2) : shown[symbol]
    if (symbol ~ /^'.'$/) return "\"" substr(symbol, 2, 1) "\""
    return symbol
}

function read_rules(  n, word, i, rule, alternative) {
    n = split(strip(text), word, " ")
    for (i = 1; i <= n; i++) {
        if (word[i] ~ /^[a-z_]+:$/) {
            rule = substr(word[i], 1, length(word[i]) - 1)
            order[++n_rules] = rule; alternative = ""
        } else if (word[i] == "|" || word[i] == ";") {
            sub(/^ /, "", alternative)
            if (alternative !~ /^error /) alternatives[rule, ++count[rule]] = alternative
            alternative = ""
        } else if (word[i] == "%prec") i++
        else alternative = alternative " " show(word[i])
    }
}

# ---- rewriting ----
function joined(list, n,  i, out) {
    for (i = 1; i <= n; i++) out = out (i > 1 ? " | " : "") list[i]
    return out
}
function group(list, n) {return n > 1 ? "( " joined(list, n) " )" : list[1]}

# Few alternatives beside those that begin with the rule itself: shown as repetition, else as written.
function is_list(rule,  i, others) {
    for (i = 1; i <= count[rule]; i++) others += index(alternatives[rule, i], rule " ") != 1
    return others <= 2
}

# The body of a rule in EBNF; alternatives of the whole rule stay apart, by "\n".
function body(rule,  i, alt, base, n_base, rest, n_rest, empty, binary, out) {
    for (i = 1; i <= count[rule]; i++) {
        alt = alternatives[rule, i]
        if (alt == "%empty") empty = 1
        else if (alt ~ "^" rule " [^ ]+ " rule "$") binary = 1
        else if (index(alt, rule " ") == 1 && is_list(rule)) rest[++n_rest] = substr(alt, length(rule) + 2)
        else base[++n_base] = alt
    }
    if (n_rest) return (n_base ? group(base, n_base) " " : "") "{ " joined(rest, n_rest) " }"
    if (empty) return "[ " joined(base, n_base) " ]"
    if (binary) base[++n_base] = rule " operator " rule
    for (i = 1; i <= n_base; i++) out = out (i > 1 ? "\n" : "") base[i]
    return out
}

# Rules that are written out where they are used.
function inlined(rule) {return rule ~ /^opt_/ || (bodies[rule] !~ /[ \n]/ && rule != order[1])}

function expand(s,  changed, n, word, i, out) {
    do {
        changed = 0; out = ""
        gsub(/\n/, " \n ", s)
        n = split(s, word, / +/)
        for (i = 1; i <= n; i++) {
            if (word[i] in bodies && inlined(word[i])) {word[i] = bodies[word[i]]; changed = 1}
            out = out (i > 1 ? " " : "") word[i]
        }
        s = out
    } while (changed)
    gsub(/ *\n */, "\n", s)
    return s
}

# ---- printing ----
function print_rule(name, s,  n, line, i, word, m, k, out, lead) {
    n = split(s, line, "\n")
    for (i = 1; i <= n; i++) {
        lead = sprintf("%-14s%s ", i == 1 ? name : "", i == 1 ? "=" : "|")
        out = lead
        m = split(line[i], word, " ")
        for (k = 1; k <= m; k++) {
            if (length(out) + length(word[k]) + 3 > WIDTH) {sub(/ $/, "", out); print out; out = sprintf("%20s", "")}
            out = out word[k] " "
        }
        if (i == n) out = out ";"
        sub(/ $/, "", out)
        print out
    }
}

# The operators between two expressions, from the loosest to the tightest, as the precedences say.
function print_operators(  i, n, word, k, out, line) {
    for (i = 1; i <= n_levels; i++) {
        n = split(levels[i], word, " "); line = ""
        for (k = 2; k <= n; k++)
            if (("expr from expr " show(word[k]) " expr") in is_binary) line = line (line == "" ? "" : " | ") show(word[k])
        if (line != "") out = out (out == "" ? "" : "\n") line
    }
    print_rule("operator", out)
}

END {
    read_rules()
    for (i = 1; i <= n_rules; i++)
        for (k = 1; k <= count[order[i]]; k++) is_binary[order[i] " from " alternatives[order[i], k]] = 1
    for (i = 1; i <= n_rules; i++) bodies[order[i]] = body(order[i])
    for (i = 1; i <= n_rules; i++) {
        if (inlined(order[i])) continue
        line = expand(bodies[order[i]])
        print_rule(order[i], line)
        if (line ~ / operator /) print_operators()
    }
}
