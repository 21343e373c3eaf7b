#include "runtime/op/activation.h"

#include "runtime/base/error.h"
#include "runtime/op/check.h"
#include "runtime/op/geometry.h"

#include <math.h>

static const struct sp_kernel activation_forward = { "activation_forward", "act/activation_forward.cl" };
static const struct sp_kernel activation_backward = { "activation_backward", "act/activation_backward.cl" };

/* Of a case: SPECIAL puts NaN, infinities, zeros and far values first. */
enum { IN_PLACE = 1, SPECIAL = 2, FORWARD_ONLY = 4, BACKWARD_ONLY = 8 };

int sp_activation_forward(struct sp_device *device, const struct sp_activation_forward *args)
{
    struct sp_launch launch = { .kernel = &activation_forward };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "ACTIVATION", args->activation);
    launch.check = SP_CHECK(activation, FORWARD_ONLY, SP_GEOMETRY_ELEMENTS, (int)args->activation, 8);
    sp_launch_buffer(&launch, args->y);
    sp_launch_buffer(&launch, args->x);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

int sp_activation_backward(struct sp_device *device, const struct sp_activation_backward *args)
{
    struct sp_launch launch = { .kernel = &activation_backward };

    if (args->count == 0)
        return 0;
    sp_geometry_elements(&launch, device, args->count);
    sp_launch_define(&launch, "ACTIVATION", args->activation);
    launch.check = SP_CHECK(activation, BACKWARD_ONLY, SP_GEOMETRY_ELEMENTS, (int)args->activation, 8);
    sp_launch_buffer(&launch, args->dx);
    sp_launch_buffer(&launch, args->dy);
    sp_launch_buffer(&launch, args->x);
    sp_launch_uint(&launch, (uint32_t)args->count);
    return sp_launch_run(device, &launch);
}

/* size: count, activation, largest |x|. */

static const struct sp_op_case cases[] = {
    { .name = "gelu 1", .size = { 1, SP_ACTIVATION_GELU, 1 }, .tolerance = 5e-7 },
    { .name = "gelu 17 special", .size = { 17, SP_ACTIVATION_GELU, 1 }, .flags = SPECIAL, .tolerance = 5e-7 },
    { .name = "gelu 389 in place", .size = { 389, SP_ACTIVATION_GELU, 8 }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "gelu 40003", .size = { 40003, SP_ACTIVATION_GELU, 40 }, .tolerance = 5e-7 },
    { .name = "tanh 3", .size = { 3, SP_ACTIVATION_TANH, 1 }, .tolerance = 5e-7 },
    { .name = "tanh 31 special", .size = { 31, SP_ACTIVATION_TANH, 1 }, .flags = SPECIAL, .tolerance = 5e-7 },
    { .name = "tanh 40003 in place", .size = { 40003, SP_ACTIVATION_TANH, 11 }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "relu 4097", .size = { 4097, SP_ACTIVATION_RELU, 2 }, .flags = SPECIAL, .tolerance = 1e-7 },
    { .name = "silu 31 special", .size = { 31, SP_ACTIVATION_SILU, 1 }, .flags = SPECIAL, .tolerance = 5e-7 },
    { .name = "silu 40003 in place", .size = { 40003, SP_ACTIVATION_SILU, 40 }, .flags = IN_PLACE, .tolerance = 5e-7 },
    { .name = "gelu_tanh 31 special", .size = { 31, SP_ACTIVATION_GELU_TANH, 1 }, .flags = SPECIAL, .tolerance = 5e-7 },
    { .name = "gelu_tanh 40003", .size = { 40003, SP_ACTIVATION_GELU_TANH, 15 }, .tolerance = 5e-7 },
    { .name = "none 384", .size = { 384, SP_ACTIVATION_NONE, 2 }, .flags = SPECIAL, .tolerance = 1e-7 },
};

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* 2 u of cl/act/activation.h, and its derivative. */
static double inner(double x)
{
    return sqrt(8 / acos(-1)) * (x + 0.044715 * x * x * x);
}

static double inner_derivative(double x)
{
    return sqrt(8 / acos(-1)) * (1 + 3 * 0.044715 * x * x);
}

double sp_activation_value(enum sp_activation activation, double x)
{
    switch (activation) {
    case SP_ACTIVATION_GELU: return x * normal_cdf(x);
    case SP_ACTIVATION_RELU: return x < 0 ? 0 : x;
    case SP_ACTIVATION_TANH: return tanh(x);
    case SP_ACTIVATION_SILU: return x * logistic(x);
    case SP_ACTIVATION_GELU_TANH: return x * logistic(inner(x));
    default: return x;
    }
}

double sp_activation_derivative(enum sp_activation activation, double x)
{
    switch (activation) {
    case SP_ACTIVATION_GELU: return normal_cdf(x) + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
    case SP_ACTIVATION_RELU: return x > 0 ? 1 : x <= 0 ? 0 : x;
    case SP_ACTIVATION_TANH: return 1 - tanh(x) * tanh(x);
    case SP_ACTIVATION_SILU: return logistic(x) + x * logistic(x) * logistic(-x);
    case SP_ACTIVATION_GELU_TANH:
        return logistic(inner(x)) + x * inner_derivative(x) * logistic(inner(x)) * logistic(-inner(x));
    default: return 1;
    }
}

static int run_forward(void *user)
{
    struct sp_activation_forward *args = user;

    return sp_activation_forward(sp_buffer_device(args->y), args);
}

static int run_backward(void *user)
{
    struct sp_activation_backward *args = user;

    return sp_activation_backward(sp_buffer_device(args->dx), args);
}

static int check_activation(struct sp_check *t, const struct sp_op_case *c)
{
    static const double special[] = { NAN, INFINITY, -INFINITY, 0, -0.0, 100, -100, 1e30, -1e30, 1e-30, 0.624, 0.626 };
    size_t count = (size_t)c->size[0];
    enum sp_activation activation = (enum sp_activation)c->size[1];
    struct sp_activation_forward forward = { .count = count, .activation = activation };
    struct sp_activation_backward backward = { .count = count, .activation = activation };
    double *x = sp_check_input(t, &forward.x, count, -c->size[2], c->size[2]);
    double *dy = sp_check_input(t, &backward.dy, count, -1, 1);
    double *y = sp_check_double(t, count), *dx = sp_check_double(t, count);

    if (!x || !dy || !y || !dx)
        return SP_ENOMEM;
    if (c->flags & SPECIAL) {
        for (size_t i = 0; i < sizeof special / sizeof *special; i++)
            x[i] = (float)special[i];
        SP_TRY(sp_check_input_values(t, &forward.x, x, count));
    }
    for (size_t i = 0; i < count; i++) {
        y[i] = sp_activation_value(activation, x[i]);
        dx[i] = dy[i] * sp_activation_derivative(activation, x[i]);
    }
    backward.x = forward.x;
    if (c->flags & IN_PLACE) {
        SP_TRY(sp_check_inout(t, &forward.y, x, count));
        SP_TRY(sp_check_inout(t, &backward.dx, dy, count));
        forward.x = forward.y;
        backward.dy = backward.dx;
    } else {
        SP_TRY(sp_check_output(t, &forward.y, count));
        SP_TRY(sp_check_output(t, &backward.dx, count));
    }
    if (!(c->flags & BACKWARD_ONLY)) {
        SP_TRY(sp_check_run(t, run_forward, &forward));
        SP_TRY(sp_check_compare(t, "y", forward.y, y, count, c->tolerance));
    }
    if (c->flags & FORWARD_ONLY)
        return 0;
    SP_TRY(sp_check_run(t, run_backward, &backward));
    return sp_check_compare(t, "dx", backward.dx, dx, count, c->tolerance);
}

const struct sp_op sp_op_activation = {
    .name = "activation", .cases = cases, .case_count = sizeof cases / sizeof *cases, .check = check_activation,
};
