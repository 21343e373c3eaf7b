#include "runtime/text/splitter.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char *const behaviors[] = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous" };

int sp_behavior_load(enum sp_behavior *out, const json_t *section, const char *path)
{
    const char *name = NULL;

    SP_TRY(sp_json_get_string(&name, section, "behavior", path));
    if (!name)
        return 0;
    for (size_t i = 0; i < sizeof behaviors / sizeof *behaviors; i++) {
        if (strcmp(name, behaviors[i]) == 0) {
            *out = (enum sp_behavior)i;
            return 0;
        }
    }
    return sp_error(SP_EFORMAT,
                    "%s: \"behavior\" of a pre-tokenizer is \"%.40s\"; expected Removed, Isolated, MergedWithPrevious, "
                    "MergedWithNext or Contiguous",
                    path, name);
}

int sp_splitter_make(void **state, const char *pattern, bool plain, enum sp_behavior behavior, bool invert,
                     const char *path)
{
    struct sp_splitter *splitter = sp_calloc(1, sizeof *splitter);
    int rc = splitter ? sp_regex_compile(&splitter->regex, pattern, plain, path) : SP_ENOMEM;

    *state = NULL;
    if (rc < 0) {
        free(splitter);
        return rc;
    }
    splitter->behavior = behavior;
    splitter->invert = invert;
    *state = splitter;
    return 0;
}

void sp_splitter_free(void *state)
{
    struct sp_splitter *splitter = state;

    sp_regex_free(splitter->regex);
    free(splitter);
}

/* The parts come one by one, matches and what lies between; the last one waits, as it may grow. */
struct cut {
    const struct sp_splitter *splitter;
    struct sp_flow *flow;
    struct sp_piece piece;
    size_t done;        /* where the last match ended */
    size_t start, stop; /* the part that waits */
    bool waits, match;  /* whether one waits; whether the last part was a match */
};

static int push_waiting(struct cut *cut)
{
    struct sp_piece part = { cut->piece.text + cut->start, cut->stop - cut->start,
                             cut->piece.first && cut->start == 0 };

    if (!cut->waits)
        return 0;
    cut->waits = false;
    return sp_flow_push(cut->flow, part);
}

/* Whether a part joins the one before it. Going back from the end, a match joins what follows it unless that is one. */
static bool joins(const struct cut *cut, bool match)
{
    switch (cut->splitter->behavior) {
    case SP_SPLIT_MERGED_WITH_PREVIOUS:
        return match && !cut->match;
    case SP_SPLIT_MERGED_WITH_NEXT:
        return cut->match && !match;
    case SP_SPLIT_CONTIGUOUS:
        return match == cut->match;
    default:
        return false;
    }
}

static int add_part(struct cut *cut, size_t start, size_t stop, bool match)
{
    match = match != cut->splitter->invert;
    if (cut->splitter->behavior == SP_SPLIT_REMOVED && match)
        return 0;
    if (cut->waits && joins(cut, match)) {
        cut->stop = stop;
    } else {
        SP_TRY(push_waiting(cut));
        cut->start = start;
        cut->stop = stop;
        cut->waits = true;
    }
    cut->match = match;
    return 0;
}

static int found(void *context, size_t start, size_t stop)
{
    struct cut *cut = context;

    if (cut->done < start)
        SP_TRY(add_part(cut, cut->done, start, false));
    cut->done = stop;
    return add_part(cut, start, stop, true);
}

int sp_splitter_split(const void *state, struct sp_flow *flow, struct sp_piece piece)
{
    struct cut cut = { .splitter = state, .flow = flow, .piece = piece };

    SP_TRY(sp_regex_find(cut.splitter->regex, sp_flow_memory(flow, 0), piece.text, piece.length, found, &cut));
    if (cut.done < piece.length)
        SP_TRY(add_part(&cut, cut.done, piece.length, false));
    return push_waiting(&cut);
}
