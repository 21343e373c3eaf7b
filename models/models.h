/* The model families (layer 5): one file and one line of model.def each. */
#ifndef SP_MODELS_H
#define SP_MODELS_H

#include "runtime/nn/model.h"

#include <stddef.h>

#define SP_MODEL(name) extern const struct sp_model_family sp_model_##name;
#include "models/model.def"
#undef SP_MODEL

/* Every family in the order of model.def; sp_model_family_count of them. */
extern const struct sp_model_family *const sp_model_families[];
extern const size_t sp_model_family_count;

#endif
