#include "runtime/train/method.h"

const struct sp_method *const sp_methods[] = {
#define SP_METHOD(name) &sp_method_##name,
#include "runtime/train/method.def"
#undef SP_METHOD
    NULL
};

const struct sp_method *sp_config_method(const struct sp_config *config)
{
    return sp_methods[config->sparse.method];
}
