# Prints each line of C as "file:line:code", without comments and with empty string literals.
FNR == 1 { comment = 0 }
{
    line = $0
    code = ""
    while (line != "") {
        if (comment) {
            end = index(line, "*/")
            if (!end) { line = ""; break }
            line = substr(line, end + 2)
            comment = 0
        } else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) {
            code = code substr(line, 1, RSTART - 1)
            found = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (found == "//") line = ""
            else if (found == "/*") comment = 1
            else code = code substr(found, 1, 1) substr(found, 1, 1)
        } else {
            code = code line
            line = ""
        }
    }
    print FILENAME ":" FNR ":" code
}
