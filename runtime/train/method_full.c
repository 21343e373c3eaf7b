/* full: every weight. */
#include "runtime/train/method.h"
#include "runtime/train/roles.h"

const struct sp_method sp_method_full = { .name = "full",
                                          .learning_rate = SP_METHOD_FULL_RATE,
                                          .assign = sp_roles_of_all };
