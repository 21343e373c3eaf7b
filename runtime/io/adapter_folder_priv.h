/* What stands where an adapter was expected, or a model (layer 4, private to this folder). */
#ifndef SP_IO_ADAPTER_FOLDER_PRIV_H
#define SP_IO_ADAPTER_FOLDER_PRIV_H

/* For a path that holds no adapter.json: SP_ENOTFOUND, saying what it is instead (a training run's folder, PEFT's
 * adapter, a model, a file) and what to give. */
int sp_adapter_folder_refuse(const char *path);

/* For a folder without config.json: SP_ENOTFOUND where it is an adapter, or holds one, which was given as the model;
 * otherwise 0. */
int sp_adapter_folder_check_model(const char *path);

#endif
