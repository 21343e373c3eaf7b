#include "runtime/train/method.h"

#include <string.h>

const struct sp_method *const sp_methods[] = {
#define SP_METHOD(name) &sp_method_##name,
#include "runtime/train/method.def"
#undef SP_METHOD
    NULL
};

const struct sp_method *sp_config_method(const struct sp_config *config)
{
    size_t i = 0;

    while (sp_methods[i] && strcmp(sp_methods[i]->name, config->sparse.method) != 0)
        i++;
    return sp_methods[i];
}
