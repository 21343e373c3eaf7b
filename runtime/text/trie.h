/*
 * A trie over bytes (layer 4, text): every key that a text begins with is found in one walk. Nodes lie in the order of
 * their depth, and children side by side, sorted by their byte. Ownership: nothing of the keys is kept. Threading:
 * read-only once built.
 */
#ifndef SP_TEXT_TRIE_H
#define SP_TEXT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#define SP_TRIE_ROOT 0u
#define SP_TRIE_NONE UINT32_MAX

struct sp_trie_key {
    const char *text;
    uint32_t length, value;
};

struct sp_trie {
    uint32_t *first;       /* node n's children are first[n] .. first[n + 1] - 1 */
    uint32_t *values;      /* of the key that ends at a node, SP_TRIE_NONE where none does */
    unsigned char *labels; /* the byte that leads to a node */
};

/* Builds it of the keys, which it sorts. Two equal ones are SP_EINVAL, and *twice is one of them. */
int sp_trie_build(struct sp_trie *out, struct sp_trie_key *keys, size_t count, const struct sp_trie_key **twice);
void sp_trie_free(struct sp_trie *trie);

/* The node that the byte leads to, or SP_TRIE_NONE. */
static inline uint32_t sp_trie_child(const struct sp_trie *trie, uint32_t node, char byte)
{
    uint32_t low = trie->first[node], high = trie->first[node + 1];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (trie->labels[middle] == (unsigned char)byte)
            return middle;
        if (trie->labels[middle] < (unsigned char)byte)
            low = middle + 1;
        else
            high = middle;
    }
    return SP_TRIE_NONE;
}

#endif
