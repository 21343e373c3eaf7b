/* Which command the words of a command line name. */
#include "frontends/cli/command.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

#include <stdio.h>
#include <string.h>

bool sp_command_is_in(const struct sp_command *command, const char *group)
{
    size_t length = strlen(group);

    return strncmp(command->name, group, length) == 0 && command->name[length] == ' ';
}

bool sp_command_is_group(const struct sp_command *const *list, const char *word)
{
    while (*list && !sp_command_is_in(*list, word))
        list++;
    return *list != NULL;
}

/* The command of that name: that subcommand of `group`, where it is not NULL. */
static const struct sp_command *find(const struct sp_command *const *list, const char *group, const char *name)
{
    for (; *list; list++) {
        const char *own = (*list)->name;

        if (group ? sp_command_is_in(*list, group) && strcmp(own + strlen(group) + 1, name) == 0
                  : strcmp(own, name) == 0)
            return *list;
    }
    return NULL;
}

size_t sp_command_words(char words[SP_COMMAND_WORDS][SP_COMMAND_WORD], const struct sp_command *const *list,
                        const char *group)
{
    size_t count = 0;

    for (; *list && count < SP_COMMAND_WORDS; list++) {
        const char *word = (*list)->name;
        size_t length, same = 0;

        if (group && !sp_command_is_in(*list, group))
            continue;
        word += group ? strlen(group) + 1 : 0;
        length = group ? strlen(word) : strcspn(word, " ");
        if (length >= SP_COMMAND_WORD)
            continue;
        memcpy(words[count], word, length);
        words[count][length] = '\0';
        while (strcmp(words[same], words[count]) != 0)
            same++;
        count += same == count;
    }
    return count;
}

static void not_found(const struct sp_command *const *list, const char *group, const char *name)
{
    char words[SP_COMMAND_WORDS][SP_COMMAND_WORD], all[256] = "";
    const char *names[SP_COMMAND_WORDS], *nearest;
    size_t count = sp_command_words(words, list, group);

    for (size_t i = 0; i < count; i++) {
        names[i] = words[i];
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", words[i]);
    }
    if (!name) {
        sp_error(SP_ECONFIG, "what should %s do? It has: %s (see speft-cl %s --help)", group, all, group);
        return;
    }
    nearest = sp_text_nearest(name, names, count);
    sp_error(SP_ECONFIG, "there is no command %s%s%s%s%s%s (see speft-cl %s%s--help)", group ? group : "",
             group ? " " : "", name, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "",
             group ? group : "", group ? " " : "");
}

const struct sp_command *sp_command_find(size_t *used, const struct sp_command *const *list, char *const *words,
                                         size_t count)
{
    const struct sp_command *found = count ? find(list, NULL, words[0]) : NULL;
    const char *group = count && sp_command_is_group(list, words[0]) ? words[0] : NULL;

    *used = 1;
    if (group && count > 1 && find(list, group, words[1])) {
        *used = 2;
        return find(list, group, words[1]);
    }
    if (!found)
        not_found(list, group, group ? (count > 1 ? words[1] : NULL) : count ? words[0] : "");
    return found;
}
