#include "runtime/nn/model.h"

#include "runtime/base/error.h"
#include "runtime/base/mem.h"

#include <stdlib.h>
#include <string.h>

const struct sp_model_family *sp_model_find(const struct sp_model_family *const *families, size_t count,
                                            const char *model_type)
{
    for (size_t i = 0; i < count; i++)
        for (const char *const *type = families[i]->model_types; *type; type++)
            if (strcmp(*type, model_type) == 0)
                return families[i];
    return NULL;
}

int sp_model_read(struct sp_model *out, const struct sp_model_family *family, const json_t *config, const char *file)
{
    int rc;

    *out = (struct sp_model){ .family = family, .config = sp_calloc(1, family->config_size) };
    rc = out->config ? family->read_config(out, config, file) : SP_ENOMEM;
    if (rc < 0)
        sp_model_release(out);
    return rc;
}

void sp_model_release(struct sp_model *model)
{
    free(model->config);
    *model = (struct sp_model){ 0 };
}
