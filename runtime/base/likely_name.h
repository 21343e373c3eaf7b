/*
 * Files that lie in a folder in place of the one that is looked for (layer 0): under the name that an editor, a
 * browser, a copy or another maker gave it.
 */
#ifndef SP_BASE_LIKELY_NAME_H
#define SP_BASE_LIKELY_NAME_H

#include <stdbool.h>

/*
 * SP_ENOTFOUND, naming a file in `dir`, or in a folder of it, that is likely to be what should be called `name` there,
 * and saying what to do with it; else 0. Likely are the same name in other letters' case or without its ending, with
 * something behind it (config.json.txt, vocab.txt.gz) or before it (bert_config.json), and a copy's (config (1).json).
 * `is`, unless NULL, looks into a file whose name has something before it, or that lies in a folder: many others are
 * called so.
 */
int sp_likely_name_refuse(const char *dir, const char *name, bool (*is)(const char *path));

#endif
