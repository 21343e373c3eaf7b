#include "runtime/op/gated.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

static const struct sp_kernel gated_forward = { "gated_forward", "act/gated_forward.cl" };
static const struct sp_kernel gated_backward = { "gated_backward", "act/gated_backward.cl" };

/* Of a case. IN_PLACE: y is gate, dgate is dy. */
enum {
    IN_PLACE = 1,
    NO_GATE = 2,
    NO_UP = 4,
    ADD_GATE = 8,
    ADD_UP = 16,
    FORWARD_ONLY = 32,
    BACKWARD_ONLY = 64,
};

int sp_gated(struct sp_device *device, const struct sp_gated *args)
{
    struct sp_launch launch = { .kernel = &gated_forward };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "ACTIVATION", args->activation);
    launch.check = SP_CHECK(gated, FORWARD_ONLY, SP_GEOMETRY_ELEMENTS, (int)args->activation);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->gate);
    sp_launch_buffer(&launch, args->up);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

int sp_gated_backward(struct sp_device *device, const struct sp_gated_backward *args)
{
    struct sp_launch launch = { .kernel = &gated_backward };
    unsigned gate = !args->dgate ? NO_GATE : args->accumulate_gate ? ADD_GATE : 0;
    unsigned up = !args->dup ? NO_UP : args->accumulate_up ? ADD_UP : 0;

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "ACTIVATION", args->activation);
    sp_launch_define(&launch, "DGATE", args->dgate ? 1 + args->accumulate_gate : 0);
    sp_launch_define(&launch, "DUP", args->dup ? 1 + args->accumulate_up : 0);
    launch.check = SP_CHECK(gated, BACKWARD_ONLY | gate | up, SP_GEOMETRY_ELEMENTS, (int)args->activation);
    sp_launch_buffer(&launch, args->dgate);
    sp_launch_buffer(&launch, args->dup);
    sp_launch_buffer(&launch, args->dy);
    sp_launch_buffer(&launch, args->gate);
    sp_launch_buffer(&launch, args->up);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

/* size: count, activation */

static const struct sp_op_case cases[] = {
    { .name = "silu 1", .size = { 1, SP_ACTIVATION_SILU }, .tolerance = 5e-7 },
    { .name = "silu 389 in place", .size = { 389, SP_ACTIVATION_SILU }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "silu 40003", .size = { 40003, SP_ACTIVATION_SILU }, .tolerance = 5e-7 },
    { .name = "silu 53, the gate's added",
      .size = { 53, SP_ACTIVATION_SILU },
      .flags = ADD_GATE | NO_UP,
      .tolerance = 5e-7 },
    { .name = "gelu_tanh 31", .size = { 31, SP_ACTIVATION_GELU_TANH }, .tolerance = 5e-7 },
    { .name = "gelu_tanh 3903, both added",
      .size = { 3903, SP_ACTIVATION_GELU_TANH },
      .flags = ADD_GATE | ADD_UP,
      .tolerance = 5e-7 },
    { .name = "gelu_tanh 47, of up alone",
      .size = { 47, SP_ACTIVATION_GELU_TANH },
      .flags = NO_GATE,
      .tolerance = 5e-7 },
    { .name = "none 384", .size = { 384, SP_ACTIVATION_NONE }, .tolerance = 2e-7 },
};

static int run_forward(void *user)
{
    struct sp_gated *args = user;

    return sp_gated(sp_buffer_device(args->y), args);
}

static int run_backward(void *user)
{
    struct sp_gated_backward *args = user;

    return sp_gated_backward(sp_buffer_device(args->dy), args);
}

/* One of the gradients: where it goes, from what it starts, and with that what comes of it. */
static int gradient(struct sp_check *t, struct sp_buffer **out, double *expected, size_t count, bool add)
{
    double *old = sp_check_double(t, count);

    if (!old)
        return SP_ENOMEM;
    if (!add)
        return sp_check_output(t, out, count);
    for (size_t i = 0; i < count; i++) {
        old[i] = (float)((double)i / (double)count);
        expected[i] += old[i];
    }
    return sp_check_inout(t, out, old, count);
}

static int check_backward(struct sp_check *t, const struct sp_op_case *c, struct sp_gated_backward args,
                          const double *gate, const double *up)
{
    size_t count = args.count;
    double *dy = sp_check_input(t, &args.dy, count, -1, 1);
    double *dgate = sp_check_double(t, count), *dup = sp_check_double(t, count);

    if (!dy || !dgate || !dup)
        return SP_ENOMEM;
    args.accumulate_gate = c->flags & ADD_GATE;
    args.accumulate_up = c->flags & ADD_UP;
    for (size_t i = 0; i < count; i++) {
        dgate[i] = dy[i] * up[i] * sp_activation_derivative(args.activation, gate[i]);
        dup[i] = dy[i] * sp_activation_value(args.activation, gate[i]);
    }
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args.dgate, dy, count));
        args.dy = args.dgate;
    } else if (!(c->flags & NO_GATE)) {
        SP_TRY(gradient(t, &args.dgate, dgate, count, args.accumulate_gate));
    }
    if (!(c->flags & NO_UP))
        SP_TRY(gradient(t, &args.dup, dup, count, args.accumulate_up));
    SP_TRY(sp_check_run(t, run_backward, &args));
    if (args.dgate)
        SP_TRY(sp_check_compare(t, "dgate", args.dgate, dgate, count, c->tolerance));
    return args.dup ? sp_check_compare(t, "dup", args.dup, dup, count, c->tolerance) : 0;
}

static int check_gated(struct sp_check *t, const struct sp_op_case *c)
{
    size_t count = (size_t)c->size[0];
    struct sp_gated args = { .count = count, .activation = (enum sp_activation)c->size[1] };
    const double *gate = sp_check_input(t, &args.gate, count, -6, 6), *up = sp_check_input(t, &args.up, count, -2, 2);
    struct sp_gated_backward backward = {
        .gate = args.gate, .up = args.up, .count = count, .activation = args.activation
    };
    double *y = sp_check_double(t, count);

    if (!gate || !up || !y)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        y[i] = sp_activation_value(args.activation, gate[i]) * up[i];
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &args.y, gate, count));
        args.gate = args.y;
    } else {
        SP_TRY(sp_check_output(t, &args.y, count));
    }
    if (!(c->flags & BACKWARD_ONLY)) {
        SP_TRY(sp_check_run(t, run_forward, &args));
        SP_TRY(sp_check_compare(t, "y", args.y, y, count, c->tolerance));
    }
    return c->flags & FORWARD_ONLY ? 0 : check_backward(t, c, backward, gate, up);
}

const struct sp_op sp_op_gated = {
    .name = "gated", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_gated,
};
