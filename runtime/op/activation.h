/*
 * Activations as operations of their own (layer 3); linear layers have them in their epilogue. The formulas are in
 * cl/act/activation.h. Buffers are fp32 and belong to the caller.
 */
#ifndef SP_OP_ACTIVATION_H
#define SP_OP_ACTIVATION_H

#include "runtime/device/device.h"

/* The kernels' ACTIVATION. */
enum sp_activation {
    SP_ACTIVATION_NONE,
    SP_ACTIVATION_GELU, /* x Phi(x), the erf form */
    SP_ACTIVATION_RELU,
    SP_ACTIVATION_TANH,
    SP_ACTIVATION_SILU,      /* x sigmoid(x) */
    SP_ACTIVATION_GELU_TANH, /* GELU by a tanh: gelu_new, gelu_pytorch_tanh */
};

/* f(x) and f'(x) in double precision: what kernels are held to. */
double sp_activation_value(enum sp_activation activation, double x);
double sp_activation_derivative(enum sp_activation activation, double x);

/* y = f(x), `count` floats each; y may be x. */
struct sp_activation_forward {
    struct sp_buffer *y, *x;
    size_t count;
    enum sp_activation activation;
};
int sp_activation_forward(struct sp_device *device, const struct sp_activation_forward *args);

/* dx = dy * f'(x), x being the pre-activation; dx may be dy or x. */
struct sp_activation_backward {
    struct sp_buffer *dx, *dy, *x;
    size_t count;
    enum sp_activation activation;
};
int sp_activation_backward(struct sp_device *device, const struct sp_activation_backward *args);

#endif
