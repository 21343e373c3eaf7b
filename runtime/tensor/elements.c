#include "runtime/tensor/elements.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>

int sp_elements_read(float *out, struct sp_buffer *buffer, enum sp_dtype dtype, size_t count)
{
    void *host = dtype == SP_F32 ? out : sp_calloc(count, sp_dtype_size(dtype));
    int rc = host ? sp_buffer_read(host, buffer, 0, count * sp_dtype_size(dtype)) : SP_ENOMEM;

    if (host == out)
        return rc;
    if (rc == 0)
        sp_dtype_to_f32(out, dtype, host, count);
    free(host);
    return rc;
}

int sp_elements_write(struct sp_buffer *buffer, enum sp_dtype dtype, const float *values, size_t count)
{
    void *host;
    int rc;

    if (dtype == SP_F32)
        return sp_buffer_write(buffer, 0, values, sp_f32_bytes(count));
    host = sp_calloc(count, sp_dtype_size(dtype));
    if (!host)
        return SP_ENOMEM;
    sp_dtype_from_f32(host, dtype, values, count);
    rc = sp_buffer_write(buffer, 0, host, count * sp_dtype_size(dtype));
    free(host);
    return rc;
}
