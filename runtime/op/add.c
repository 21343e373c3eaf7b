#include "runtime/op/add.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

static const struct sp_kernel add = { "add", "act/add.cl" };

int sp_add_buffers(struct sp_device *device, const struct sp_add *args)
{
    struct sp_launch launch = { .kernel = &add };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    launch.check = SP_CHECK(add, 0, SP_GEOMETRY_ELEMENTS);
    sp_launch_buffer(&launch, args->out);
    sp_launch_buffer(&launch, args->a);
    sp_launch_buffer(&launch, args->b);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

/* size: count */
enum { IN_PLACE = 1 };

static const struct sp_op_case cases[] = {
    { .name = "1", .size = { 1 }, .tolerance = 2e-7 },
    { .name = "17", .size = { 17 }, .tolerance = 2e-7 },
    { .name = "384 in place", .size = { 384 }, .flags = IN_PLACE, .tolerance = 2e-7 },
    { .name = "4095", .size = { 4095 }, .tolerance = 2e-7 },
    { .name = "300037 in place", .size = { 300037 }, .flags = IN_PLACE, .tolerance = 2e-7 },
};

static int launch_add(void *user)
{
    struct sp_add *args = user;

    return sp_add_buffers(sp_buffer_device(args->out), args);
}

static int check_add(struct sp_check *t, const struct sp_op_case *c)
{
    size_t count = (size_t)c->size[0];
    struct sp_add args = { .count = count };
    double *a = sp_check_input(t, &args.a, count, -2, 2), *b = sp_check_input(t, &args.b, count, -2, 2);
    double *expected = sp_check_double(t, count);

    if (!a || !b || !expected)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        expected[i] = a[i] + b[i];
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args.out, a, count));
        args.a = args.out;
    } else {
        SP_TRY(sp_check_output(t, &args.out, count));
    }
    SP_TRY(sp_check_run(t, launch_add, &args));
    return sp_check_compare(t, "out", args.out, expected, count, c->tolerance);
}

const struct sp_op sp_op_add = {
    .name = "add", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_add,
};
