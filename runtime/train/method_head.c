/* head: the head alone. */
#include "runtime/train/method.h"
#include "runtime/train/roles.h"

const struct sp_method sp_method_head = {
    .name = "head", .summary = "nothing", .learning_rate = SP_METHOD_RATE, .assign = sp_roles_of_head,
};
