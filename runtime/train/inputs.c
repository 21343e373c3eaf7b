#include "runtime/train/inputs.h"

#include "runtime/base/error.h"
#include "runtime/base/fs.h"

#include <stdlib.h>

/* Something that is to be written. */
struct output {
    const char *option, *path, *what;
};

/* `file` is an input, called `name`; NULL is none. */
static int spare(const struct output *o, const char *file, const char *name)
{
    if (!file || !sp_fs_same(file, o->path))
        return 0;
    return sp_error(SP_ECONFIG, "%s: %s is an input (%s), which %s would replace: name another place for it", o->option,
                    o->path, name, o->what);
}

/* The files of those names in the folder. */
static int spare_all(const struct output *o, const char *folder, const char *const *names, const char *name)
{
    for (size_t i = 0; names[i]; i++) {
        char *file = sp_fs_join(folder, names[i]);
        int rc = file ? spare(o, file, name) : SP_ENOMEM;

        free(file);
        SP_TRY(rc);
    }
    return 0;
}

/* The files of the model's folder, and its weights where they are known. */
static int spare_model(const struct output *o, const char *dir, const struct sp_checkpoint *model)
{
    SP_TRY(spare_all(o, dir, sp_checkpoint_files, "of the model"));
    SP_TRY(spare_all(o, dir, sp_tokenizer_files, "of the model's tokenizer"));
    for (size_t i = 0; model && i < sp_checkpoint_count(model); i++)
        SP_TRY(spare(o, sp_checkpoint_at(model, i)->file, "the model's weights"));
    return 0;
}

int sp_inputs_spare_file(const char *file, const char *name, const char *option, const char *path, const char *what)
{
    return spare(&(struct output){ option, path, what }, file, name);
}

int sp_inputs_spare_model(const struct sp_config *config, const char *option, const char *const *paths,
                          const char *what)
{
    struct sp_checkpoint *model = NULL;
    char *dir = NULL;
    int rc = 0;

    if (sp_checkpoint_resolve(&dir, config->model_name_or_path) < 0)
        return 0;
    (void)sp_checkpoint_open(&model, dir); /* else it stays NULL */
    for (; rc == 0 && *paths; paths++) {
        const struct output o = { option, *paths, what };

        rc = sp_fs_is_dir(dir) ? 0 : spare(&o, dir, "the model");
        if (rc == 0)
            rc = spare_model(&o, dir, model);
    }
    sp_checkpoint_close(model);
    free(dir);
    return rc;
}

int sp_inputs_spare_named(const struct sp_config *config, const char *option, const char *path, const char *what)
{
    const struct output o = { option, path, what };

    SP_TRY(spare(&o, config->source, "the configuration"));
    SP_TRY(spare(&o, config->train_file, "train_file"));
    return spare(&o, config->validation_file, "validation_file");
}

int sp_inputs_spare(const struct sp_run *run, const char *option, const char *path, const char *what)
{
    const struct output o = { option, path, what };

    SP_TRY(sp_inputs_spare_named(run->config, option, path, what));
    if (run->checkpoint)
        SP_TRY(spare_model(&o, sp_checkpoint_dir(run->checkpoint), run->checkpoint));
    return run->adapter ? spare_all(&o, run->adapter->dir, sp_adapter_files, "of the adapter") : 0;
}
