#!/bin/sh
# A test must be able to fail: every kernel file and header is broken once, in a copy that $SPEFT_KERNEL_DIR puts in its
# place, and the conformance of an op that uses it must fail, on a number and not on a build. A file without an entry below is
# a failure too.
set -eu
srcdir=${srcdir:-.}
work=$(mktemp -d "${TMPDIR:-/tmp}/speft-broken.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
tests=0

# file, op (after --other: in the geometry that the device does not take by itself), and what sed does to the file
mutations() {
    cat <<'END'
act/activation.h|activation|s/normal_cdf_##V(x) + x/normal_cdf_##V(x) - x/
act/activation_backward.cl|activation|s/load_##V(dy, i) \*/load_##V(dy, i) +/
act/activation_forward.cl|activation|s/activation_##V(load_##V(x, i))/load_##V(x, i)/
act/add.cl|add|s/ + load_##V(b/ - load_##V(b/
act/dropout_apply.cl|dropout|s/ \* load_##V(factors, i)//
act/gated_backward.cl|gated|s/d \* load_##V(up, i) \*/d */
act/gated_forward.cl|gated|s/ \* load_##V(up, i)/ + load_##V(up, i)/
act/rotary.cl|rotary|s/a \* c - b \* s/a * c + b * s/
attn/attention.cl|attention|s/ - delta\[i\])/ + delta[i])/
attn/attention_decode.cl|attention_decode|s/count; c++)/count - 1; c++)/
attn/attention_lanes.cl|--other attention|s/ - delta\[i\])/)/
attn/columns.h|attention|s/load_tail(row + 16 \* u, D/load_tail(row + 15 * u, 1 + D/
attn/linear_attention.cl|linear_attention|s/product \*= scale/product += scale/
blas/epilogue.h|gemm_epilogue|s/x += bias/x -= bias/
blas/gemm_epilogue.cl|gemm_epilogue|s/at % N/at % N \/ 2/
blas/gemm_pack.cl|gemm_packed|s/? w\[from\]/? -w[from]/
blas/gemm_packed.cl|gemm_packed|s/fma(x, y\[v\]/fma(x, -y[v]/
blas/gemm_tiled.cl|gemm_tiled|s/a\[k\]\[lm/-a[k][lm/
embed/embedding_backward.cl|embedding|s/k < last/k + 1 < last/
embed/embedding_forward.cl|embedding|s/+load_##V(k, c)//
embed/rows_gather.cl|rows|s/rows\[first + r\] \* C/r * C/
embed/rows_scatter.cl|rows|s/(size_t)rows\[first + r\]/(size_t)r/
lib/dropout.h|dropout|s/low.s##i, high.s##i/high.s##i, low.s##i/
lib/lanes.h|norm|s/(b.x + b.z)/(b.x - b.z)/
lib/math.h|activation|s/0x1.988462p-1f/0x1.998462p-1f/
lib/philox.h|dropout|s/0xBB67AE85u/0xBB67AE84u/
lib/vector.h|attention|s/i < count ? p\[i\]/i + 1 < count ? p[i]/
loss/cross_entropy.cl|loss|s/softmax - even/softmax + even/
loss/language.cl|language|s/shrink \* y - largest/shrink * y + largest/
loss/loss_total.cl|loss|s/scale \* sum/sum/
loss/squared_error.cl|loss|s/2.0f \* scale/scale/
norm/column_sum.cl|column_sum|s/base += C/base += 2 * C/
norm/layernorm_backward.cl|layernorm|s/ \* projection/ + projection/
norm/layernorm_forward.cl|layernorm|s/d \* d/d/
norm/rmsnorm_backward.cl|rmsnorm|s/ \* projection/ + projection/
norm/rmsnorm_forward.cl|rmsnorm|s/ + epsilon//
optim/adamw.cl|adamw|s/ \* root + epsilon/ + epsilon/
optim/moments.cl|moments|s/squares, i) + g \* g/squares, i) + g/
optim/norm_finish.cl|norm|s/coefficient > 1.0f ? 1.0f : coefficient/coefficient/
optim/norm_squares.cl|norm|s/x \* x/x/
optim/sm3.cl|sm3|s/fmin(old/fmax(old/
sparse/sddmm.cl|sddmm|s/scale \* sum/sum/
sparse/sparse_apply.cl|sparse|s/ + delta\[i\]//
sparse/sparse_gather.cl|sparse|s/positions\[i\]/i/
sparse/transpose.cl|transpose|s/t + i < count ? vload16/t + i + 1 < count ? vload16/
END
}

result() {
    tests=$((tests + 1))
    printf '%sok %d - %s\n' "$1" "$tests" "$2"
}

# broken FILE OP SED WORDS: with the file so broken the op fails, with these words.
broken() {
    rm -rf "$work/cl"
    mkdir -p "$work/cl/${1%/*}"
    sed "$3" "$srcdir/cl/$1" >"$work/cl/$1"
    if cmp -s "$srcdir/cl/$1" "$work/cl/$1"; then
        result 'not ' "$1: the mutation changes nothing; write another"
        return
    fi
    case $2 in
    --other*) arguments=$2 ;;
    *) arguments="--quick $2" ;;
    esac
    # shellcheck disable=SC2086
    SPEFT_KERNEL_DIR=$work/cl ./tests/kernel/conformance $arguments >"$work/log" 2>&1 || true
    if grep -q '^not ok' "$work/log" && grep -q "^# .* $4 " "$work/log"; then
        result '' "$1: broken, $2 fails: $4"
    else
        result 'not ' "$1: broken, and $2 does not fail: $4"
        sed 's/^/# /' "$work/log"
    fi
}

for file in $(cd "$srcdir/cl" && find . -name '*.cl' -o -name '*.h' | sed 's,^\./,,' | LC_ALL=C sort); do
    entry=$(mutations | grep "^$file|" || true)
    if [ -z "$entry" ]; then
        result 'not ' "$file has no entry in $0"
        continue
    fi
    rest=${entry#*|}
    broken "$file" "${rest%%|*}" "${rest#*|}" expected
done
broken norm/rmsnorm_forward.cl rmsnorm 's/ + offset//' expected
broken norm/rmsnorm_backward.cl rmsnorm 's/PLUS_OLD(V) +load/PLUS_OLD(V) -load/' expected
broken norm/column_sum.cl column_sum 's/ \* scale\[base \/ C\]//' expected
broken act/gated_backward.cl gated 's/load_##V(dup, i) + //' expected
broken act/gated_backward.cl gated 's/load_##V(dgate, i) + //' expected
broken act/rotary.cl rotary 's/ \* direction//' expected
broken embed/embedding_forward.cl embedding 's/scale \* word/word/' expected
broken embed/embedding_forward.cl embedding 's/ + ids\[t\] % PANEL_ROWS//' expected
broken embed/embedding_forward.cl embedding 's/ + (c) % PANEL_COLUMNS//' expected
broken embed/embedding_backward.cl embedding 's/scale \* (x)/(x)/' expected
# Activations that one kernel may or may not have.
broken act/activation.h activation 's/z < 0.0f ? small : large/large/' expected
broken act/activation.h activation 's/0.0713548163f/0.0723548163f/' expected
# Keys with bounds of their own.
broken attn/attention.cl attention 's/ v + key_origin/ v + origin/' expected
broken attn/attention_lanes.cl '--other attention' 's/ v + key_origin/ v/' expected
broken attn/linear_attention.cl linear_attention 's/(size_t)key_bounds\[0\]/(size_t)bounds[0]/' expected
# What causal attention sees, and heads that share keys.
broken attn/attention.cl attention 's/distance < window ?/distance <= window ?/' expected
broken attn/attention.cl attention 's/from = min(from, i);/from = i;/' expected
broken attn/attention.cl attention 's/h < h_first + heads; h++/h < h_first + 1; h++/' expected
broken attn/attention_lanes.cl '--other attention' 's/(j) <= (i) + AHEAD/(j) < (i) + AHEAD/' expected
broken attn/attention_lanes.cl '--other attention' 's/h < key_head \* G + G; h++/h < key_head * G + 1; h++/' expected
broken attn/attention_decode.cl '--other attention_decode' 's/x\[min(g + m, G - 1) \* D + d\]/x[m * D + d]/' expected
broken attn/linear_attention.cl linear_attention 's/distance >= window/distance > window/' expected
# The gate of a step: a norm, a loss, an earlier step that were not finite; and who must leave all as it is.
broken optim/norm_finish.cl norm 's/isfinite(norm) \&\& //' expected
broken optim/norm_finish.cl norm 's/open \&\& isfinite(losses\[i\])/open/' expected
broken optim/norm_finish.cl norm 's/i < loss_count/i + 1 < loss_count/' expected
broken optim/norm_finish.cl norm 's/ \&\& !isnan(out\[1\])//' expected
broken optim/adamw.cl adamw 's/if (isnan(coefficient))/if (0)/' expected
broken optim/moments.cl moments 's/if (isnan(coefficient))/if (0)/' expected
broken optim/sm3.cl sm3 's/if (isnan(coefficient))/if (0)/' expected
# What is added beyond an output changes the canary there, which is not a number.
broken norm/layernorm_backward.cl layernorm 's/^    FOR_ROWS(t, T)/    dresidual[T * C] += 1.0f;\
&/' 'was written at element'
printf '1..%d\n' "$tests"
