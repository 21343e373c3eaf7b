#include "models/models.h"

const struct sp_model_family *const sp_model_families[] = {
#define SP_MODEL(name) &sp_model_##name,
#include "models/model.def"
#undef SP_MODEL
};
const size_t sp_model_family_count = sizeof sp_model_families / sizeof *sp_model_families;
