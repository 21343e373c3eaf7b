#!/bin/sh
# Who may include whom: the table of HACKING.md, "Layers".
. "$(dirname "$0")/tap.sh"

files=$(c_sources runtime models frontends)
# shellcheck disable=SC2086 # a list of names without spaces
findings=$(awk '
    function layer(path,    part) {
        split(path, part, "/")
        return part[1] == "runtime" ? part[2] : part[1]
    }
    BEGIN {
        allowed["base"] = ""
        allowed["device"] = allowed["text"] = "base"
        allowed["tensor"] = "base device"
        allowed["kernel"] = "base device"
        allowed["op"] = "base device tensor kernel"
        allowed["io"] = "base tensor"
        allowed["data"] = "base text"
        allowed["optim"] = allowed["nn"] = "base tensor op"
        allowed["sparse"] = "base tensor op io"
        allowed["models"] = "base tensor nn"
        allowed["train"] = "base tensor op nn sparse optim io text data"
        allowed["study"] = "base io train"
        allowed["frontends"] = "base device tensor kernel op io text data optim sparse nn train study models"
    }
    function fault(why) { print FILENAME ":" FNR ": " why }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        target = quoted[2]
        from = layer(FILENAME)
        to = layer(target)
        if (!(from in allowed))
            fault("no layer is called " from)
        else if (to != from && index(" " allowed[from] " ", " " to " ") == 0)
            fault(from " may not include " target)
        folder = target
        sub(/\/[^\/]*$/, "", folder)
        own = FILENAME
        sub(/\/[^\/]*$/, "", own)
        if (target ~ /_priv\.h$/ && folder != own)
            fault(target " is private to " folder)
    }
    /^[ \t]*#[ \t]*include[ \t]*</ {
        if ($0 ~ /<(CL|OpenCL)\// && layer(FILENAME) != "device")
            fault("only runtime/device calls OpenCL")
        if ($0 ~ /<clblast/ && layer(FILENAME) !~ /^(device|op)$/)
            fault("only runtime/device and runtime/op call CLBlast")
    }' $files)
check 'every include line keeps to the layers' "$findings"

# Above op a tensor has an element type, and what is fp32 whatever the model's is says so: sp_f32_bytes.
# shellcheck disable=SC2046
check 'no layer above op measures a tensor by sizeof(float)' \
    "$(grep -n 'sizeof *(float)' $(c_sources runtime/nn runtime/optim runtime/sparse runtime/train runtime/study models frontends) /dev/null || true)"
finish
