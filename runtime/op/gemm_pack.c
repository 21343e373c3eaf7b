/* The packed family's layout of a weight: panels of two vectors of columns. */
#include "runtime/op/gemm_priv.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"

enum { COLUMNS = 16 * SP_GEMM_VECTORS };

/* Of a case. */
enum { TRANSPOSED = 1 };

static const struct sp_kernel gemm_pack = { "gemm_pack", "blas/gemm_pack.cl" };

static int columns(enum sp_gemm_kind kind, int out, int in)
{
    return kind == SP_GEMM_FORWARD ? out : in;
}

static int depth(enum sp_gemm_kind kind, int out, int in)
{
    return kind == SP_GEMM_FORWARD ? in : out;
}

int sp_gemm_panels(int n)
{
    return (n + COLUMNS - 1) / COLUMNS;
}

size_t sp_gemm_pack_bytes(enum sp_gemm_kind kind, int out, int in)
{
    return (size_t)sp_gemm_panels(columns(kind, out, in)) * COLUMNS * (size_t)depth(kind, out, in) * sizeof(float);
}

struct sp_gemm_layout sp_gemm_pack_layout(enum sp_gemm_kind kind, int out, int in)
{
    size_t panel = (size_t)depth(kind, out, in) * COLUMNS;

    return kind == SP_GEMM_FORWARD ? (struct sp_gemm_layout){ COLUMNS, 1, panel, COLUMNS }
                                   : (struct sp_gemm_layout){ 1, COLUMNS, COLUMNS, panel };
}

int sp_gemm_pack(struct sp_device *device, enum sp_gemm_kind kind, struct sp_buffer *packed, struct sp_buffer *plain,
                 int out, int in)
{
    struct sp_launch launch = {
        .kernel = &gemm_pack,
        .global = { (size_t)depth(kind, out, in), (size_t)sp_gemm_panels(columns(kind, out, in)) },
        .local = { 1, 1 },
        .check = SP_CHECK(gemm_pack, kind == SP_GEMM_BACKWARD ? TRANSPOSED : 0, 3 * COLUMNS + 5, 2 * COLUMNS + 3),
    };

    sp_launch_define(&launch, "NR", COLUMNS);
    sp_launch_define(&launch, "TRANSPOSED", kind == SP_GEMM_BACKWARD);
    sp_launch_buffer(&launch, plain);
    sp_launch_buffer(&launch, packed);
    sp_launch_int(&launch, out);
    sp_launch_int(&launch, in);
    return sp_launch_run(device, &launch);
}

/* size: out, in. Nothing is computed, so nothing may differ. */
static const struct sp_op_case cases[] = {
    { .name = "1x1", .size = { 1, 1 } },
    { .name = "1x1 for backward", .size = { 1, 1 }, .flags = TRANSPOSED },
    { .name = "33x17", .size = { 33, 17 } },
    { .name = "17x33 for backward", .size = { 17, 33 }, .flags = TRANSPOSED },
    { .name = "384x100", .size = { 384, 100 } },
    { .name = "384x100 for backward", .size = { 384, 100 }, .flags = TRANSPOSED },
};

struct run {
    enum sp_gemm_kind kind;
    struct sp_buffer *packed, *plain;
    int out, in;
};

static int launch_gemm_pack(void *user)
{
    struct run *r = user;

    return sp_gemm_pack(sp_buffer_device(r->packed), r->kind, r->packed, r->plain, r->out, r->in);
}

static int check_gemm_pack(struct sp_check *t, const struct sp_op_case *c)
{
    struct run r = { .kind = c->flags & TRANSPOSED ? SP_GEMM_BACKWARD : SP_GEMM_FORWARD,
                     .out = c->size[0],
                     .in = c->size[1] };
    size_t count = sp_gemm_pack_bytes(r.kind, r.out, r.in) / sizeof(float);
    const double *plain = sp_check_input(t, &r.plain, (size_t)r.out * (size_t)r.in, -1, 1);
    const struct sp_gemm_layout layout = sp_gemm_pack_layout(r.kind, r.out, r.in);
    double *expected = sp_check_double(t, count);

    if (!plain || !expected)
        return SP_ENOMEM;
    for (int o = 0; o < r.out; o++)
        for (int i = 0; i < r.in; i++)
            expected[sp_gemm_position(&layout, o, i)] = plain[(size_t)o * (size_t)r.in + (size_t)i];
    SP_TRY(sp_check_output(t, &r.packed, count));
    SP_TRY(sp_check_run(t, launch_gemm_pack, &r));
    return sp_check_compare(t, "packed", r.packed, expected, count, c->tolerance);
}

const struct sp_op sp_op_gemm_pack = {
    .name = "gemm_pack", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_gemm_pack,
    .laneless = true,
};
