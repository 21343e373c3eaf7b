#include "runtime/op/sparse.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/base/rng.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <stdlib.h>

static const struct sp_kernel sparse_apply = { "sparse_apply", "sparse/sparse_apply.cl" };
static const struct sp_kernel sparse_gather = { "sparse_gather", "sparse/sparse_gather.cl" };

/* Of a case. */
enum { APPLY_ONLY = 1, GATHER_ONLY = 2 };

int sp_sparse_apply(struct sp_device *device, const struct sp_sparse_apply *args)
{
    struct sp_launch launch = { .kernel = &sparse_apply };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    launch.check = SP_CHECK(sparse, APPLY_ONLY, 20011, SP_GEOMETRY_ELEMENTS);
    sp_launch_buffer(&launch, args->weight);
    sp_launch_buffer(&launch, args->positions);
    sp_launch_buffer(&launch, args->base);
    sp_launch_buffer(&launch, args->delta);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

int sp_sparse_gather(struct sp_device *device, const struct sp_sparse_gather *args)
{
    struct sp_launch launch = { .kernel = &sparse_gather };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    launch.check = SP_CHECK(sparse, GATHER_ONLY, 20011, SP_GEOMETRY_ELEMENTS);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->weight);
    sp_launch_buffer(&launch, args->positions);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

/* size: places, count. Position k is k * step modulo places, unique as the step is prime to the places. */
static const struct sp_op_case cases[] = {
    { .name = "1 of 1", .size = { 1, 1 }, .tolerance = 2e-7 },
    { .name = "3 of 10", .size = { 10, 3 }, .tolerance = 2e-7 },
    { .name = "17 of 17", .size = { 17, 17 }, .tolerance = 2e-7 },
    { .name = "4099 of 100000", .size = { 100000, 4099 }, .tolerance = 2e-7 },
};

#define STEP 7919u

struct run {
    unsigned flags;
    struct sp_sparse_apply apply;
    struct sp_sparse_gather gather;
};

static int launch_sparse(void *user)
{
    struct run *r = user;
    struct sp_device *device = sp_buffer_device(r->gather.out);

    if (!(r->flags & GATHER_ONLY))
        SP_TRY(sp_sparse_apply(device, &r->apply));
    return r->flags & APPLY_ONLY ? 0 : sp_sparse_gather(device, &r->gather);
}

static int check_with(struct sp_check *t, const struct sp_op_case *c, uint32_t *positions)
{
    size_t places = (size_t)c->size[0], count = (size_t)c->size[1];
    struct run r = { .flags = c->flags, .apply = { .count = count }, .gather = { .count = count } };
    double *base = sp_check_input(t, &r.apply.base, count, -1, 1),
           *delta = sp_check_input(t, &r.apply.delta, count, -1, 1);
    double *weight = sp_check_double(t, places), *gathered = sp_check_double(t, count);

    if (!base || !delta || !weight || !gathered)
        return SP_ENOMEM;
    for (size_t i = 0; i < places; i++)
        weight[i] = (float)(2 * sp_rng_uniform(1, SP_RNG_INIT, 1, i) - 1);
    SP_TRY(sp_check_inout(t, &r.apply.weight, weight, places));
    for (size_t k = 0; k < count; k++) {
        positions[k] = (uint32_t)(k * STEP % places);
        if (!(c->flags & GATHER_ONLY))
            weight[positions[k]] = base[k] + delta[k];
        gathered[k] = weight[positions[k]];
    }
    SP_TRY(sp_check_input_words(t, &r.apply.positions, positions, count));
    SP_TRY(sp_check_output(t, &r.gather.out, count));
    r.gather.weight = r.apply.weight;
    r.gather.positions = r.apply.positions;
    SP_TRY(sp_check_run(t, launch_sparse, &r));
    SP_TRY(sp_check_compare(t, "weight", r.apply.weight, weight, places, c->tolerance));
    return c->flags & APPLY_ONLY ? 0 : sp_check_compare(t, "gathered", r.gather.out, gathered, count, c->tolerance);
}

static int check_sparse(struct sp_check *t, const struct sp_op_case *c)
{
    uint32_t *positions = sp_calloc((size_t)c->size[1], sizeof *positions);
    int rc = positions ? check_with(t, c, positions) : SP_ENOMEM;

    free(positions);
    return rc;
}

const struct sp_op sp_op_sparse = {
    .name = "sparse", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_sparse,
};
