/* Every parameter's role in training (layer 5), which a method assigns once the plan is built: what each trains of the
 * model. */
#ifndef SP_TRAIN_ROLES_H
#define SP_TRAIN_ROLES_H

#include "runtime/train/run.h"

/* The head, and what the checkpoint lacks, densely; the rest is frozen. */
int sp_roles_of_head(struct sp_run *run);

/* Everything densely. */
int sp_roles_of_all(struct sp_run *run);

/* As sp_roles_of_head, and the linear layers of sparse.target_modules with that role ("all-linear": all of them but one
 * whose weight is a table of embeddings, too). A target that names no layer, or such a one that the role's part cannot
 * train, is SP_ECONFIG. */
int sp_roles_of_targets(struct sp_run *run, enum sp_param_role role);

#endif
