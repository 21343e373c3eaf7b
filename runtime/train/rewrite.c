#include "runtime/train/rewrite.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIGN 0x80000000u

/* A weight that is moved. */
struct kept {
    size_t param;
    float *weight, *direction;
};

struct sp_rewrite {
    struct sp_plan *plan;
    struct sp_buffer *staging; /* row-major, of the largest linear weight */
    float *host;               /* of the largest parameter */
    unsigned char *signs;      /* a bit for each number of all parameters; 0 until they are absolute */
    bool absolute;
    struct kept *kept;
    size_t targets;
};

int sp_rewrite_create(struct sp_rewrite **out, struct sp_plan *plan, struct sp_device *device, size_t targets)
{
    struct sp_rewrite *r = sp_calloc(1, sizeof *r);
    int rc = r ? 0 : SP_ENOMEM;

    *out = r;
    SP_TRY(rc);
    r->plan = plan;
    r->targets = targets;
    r->host = sp_calloc(sp_plan_param_largest(plan), sizeof *r->host);
    r->kept = sp_calloc(targets, sizeof *r->kept);
    if (!r->host || !r->kept)
        return SP_ENOMEM;
    return sp_buffer_create(&r->staging, device, sp_plan_param_staging(plan));
}

void sp_rewrite_free(struct sp_rewrite *r)
{
    if (!r)
        return;
    for (size_t t = 0; r->kept && t < r->targets; t++) {
        free(r->kept[t].weight);
        free(r->kept[t].direction);
    }
    sp_buffer_free(r->staging);
    free(r->kept);
    free(r->signs);
    free(r->host);
    free(r);
}

/* Splits the parameter's signs off, or puts them on again; `first` is the number of its first bit. */
static int rewrite_signs(struct sp_rewrite *r, struct sp_param *p, size_t first, bool restore)
{
    SP_TRY(sp_param_read(r->host, p));
    for (size_t k = 0; k < sp_param_elements(p); k++) {
        size_t bit = first + k;
        uint32_t word;

        memcpy(&word, &r->host[k], sizeof word);
        if (restore)
            word |= (r->signs[bit / 8] >> bit % 8 & 1) ? SIGN : 0;
        else if (word & SIGN)
            r->signs[bit / 8] |= (unsigned char)(1 << bit % 8);
        word = restore ? word : word & ~SIGN;
        memcpy(&r->host[k], &word, sizeof word);
    }
    return sp_param_write(p, r->host, r->staging);
}

static int rewrite_all_signs(struct sp_rewrite *r, bool restore)
{
    size_t first = 0;

    for (size_t i = 0; i < sp_plan_param_count(r->plan); i++) {
        struct sp_param *p = sp_plan_param_at(r->plan, i);

        SP_TRY(rewrite_signs(r, p, first, restore));
        first += sp_param_elements(p);
    }
    return 0;
}

int sp_rewrite_absolute(struct sp_rewrite *r)
{
    size_t total = 0;

    for (size_t i = 0; i < sp_plan_param_count(r->plan); i++)
        total += sp_param_elements(sp_plan_param_at(r->plan, i));
    r->signs = sp_calloc(total / 8 + 1, 1);
    if (!r->signs)
        return SP_ENOMEM;
    r->absolute = true; /* from here on restoring is right, however far this comes: a sign is kept before it goes */
    return rewrite_all_signs(r, false);
}

int sp_rewrite_keep(struct sp_rewrite *r, size_t t, size_t param, const float *direction)
{
    const struct sp_param *p = sp_plan_param_at(r->plan, param);
    struct kept *k = &r->kept[t];

    SP_TRY(sp_param_read(r->host, p));
    k->param = param;
    k->direction = sp_calloc(sp_param_elements(p), sizeof *k->direction);
    k->weight = k->direction ? sp_calloc(sp_param_elements(p), sizeof *k->weight) : NULL; /* NULL: not kept */
    if (!k->weight)
        return SP_ENOMEM;
    memcpy(k->direction, direction, sp_param_elements(p) * sizeof *direction);
    memcpy(k->weight, r->host, sp_param_elements(p) * sizeof *direction);
    return 0;
}

int sp_rewrite_move(struct sp_rewrite *r, double step)
{
    for (size_t t = 0; t < r->targets; t++) {
        const struct kept *k = &r->kept[t];
        struct sp_param *p = sp_plan_param_at(r->plan, k->param);

        if (!k->weight)
            continue;
        /* a step of 0 gives every bit back, those of -0 and NaN too */
        for (size_t i = 0; i < sp_param_elements(p); i++)
            r->host[i] = step == 0 ? k->weight[i] : (float)((double)k->weight[i] + step * (double)k->direction[i]);
        SP_TRY(sp_param_write(p, r->host, r->staging));
    }
    return 0;
}

double sp_rewrite_step(const struct sp_rewrite *r, double relative)
{
    double weights = 0, directions = 0;

    for (size_t t = 0; t < r->targets; t++) {
        const struct kept *k = &r->kept[t];

        for (size_t i = 0; i < sp_param_elements(sp_plan_param_at(r->plan, k->param)); i++) {
            weights += (double)k->weight[i] * (double)k->weight[i];
            directions += (double)k->direction[i] * (double)k->direction[i];
        }
    }
    return weights > 0 && directions > 0 ? relative * sqrt(weights / directions) : relative;
}

int sp_rewrite_restore(struct sp_rewrite *r)
{
    if (r->absolute)
        SP_TRY(rewrite_all_signs(r, true));
    SP_TRY(sp_rewrite_move(r, 0));
    return sp_device_finish(sp_buffer_device(r->staging));
}
