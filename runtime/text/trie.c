#include "runtime/text/trie.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The keys below a node: they share its first `depth` bytes. */
struct range {
    uint32_t low, high, depth;
};

static int by_bytes(const void *a, const void *b)
{
    const struct sp_trie_key *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);

    return order ? order : x->length < y->length ? -1 : x->length > y->length;
}

/* One node for each byte that a key does not share with the one before it, and the root. */
static int count_nodes(size_t *nodes, const struct sp_trie_key *keys, size_t count, const struct sp_trie_key **twice)
{
    *nodes = 1;
    for (size_t i = 0; i < count; i++) {
        size_t shared = 0;

        while (i && shared < keys[i].length && shared < keys[i - 1].length &&
               keys[i].text[shared] == keys[i - 1].text[shared])
            shared++;
        if (i && shared == keys[i].length && shared == keys[i - 1].length) {
            *twice = &keys[i];
            return sp_error(SP_EINVAL, "a key twice");
        }
        *nodes += keys[i].length - shared;
    }
    return *nodes < SP_TRIE_NONE ? 0 : sp_error(SP_ELIMIT, "a trie of %zu nodes is too large", *nodes);
}

static void fill(struct sp_trie *out, struct range *ranges, size_t nodes, const struct sp_trie_key *keys, size_t count)
{
    uint32_t next = 1;

    ranges[0] = (struct range){ 0, (uint32_t)count, 0 };
    for (uint32_t node = 0; node < nodes; node++) {
        const struct range range = ranges[node];
        uint32_t at = range.low;

        out->values[node] = at < range.high && keys[at].length == range.depth ? keys[at++].value : SP_TRIE_NONE;
        out->first[node] = next;
        while (at < range.high) {
            uint32_t low = at;
            char label = keys[low].text[range.depth];

            while (at < range.high && keys[at].text[range.depth] == label)
                at++;
            out->labels[next] = (unsigned char)label;
            ranges[next++] = (struct range){ low, at, range.depth + 1 };
        }
    }
    out->first[nodes] = next;
}

int sp_trie_build(struct sp_trie *out, struct sp_trie_key *keys, size_t count, const struct sp_trie_key **twice)
{
    struct range *ranges = NULL;
    size_t nodes;
    int rc = 0;

    memset(out, 0, sizeof *out);
    if (count)
        qsort(keys, count, sizeof *keys, by_bytes);
    SP_TRY(count_nodes(&nodes, keys, count, twice));
    ranges = sp_calloc(nodes, sizeof *ranges);
    out->first = sp_calloc(nodes + 1, sizeof *out->first);
    out->values = sp_calloc(nodes, sizeof *out->values);
    out->labels = sp_calloc(nodes, sizeof *out->labels);
    if (ranges && out->first && out->values && out->labels)
        fill(out, ranges, nodes, keys, count);
    else
        rc = SP_ENOMEM;
    free(ranges);
    if (rc < 0)
        sp_trie_free(out);
    return rc;
}

void sp_trie_free(struct sp_trie *trie)
{
    free(trie->first);
    free(trie->values);
    free(trie->labels);
    memset(trie, 0, sizeof *trie);
}
