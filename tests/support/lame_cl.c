/*
 * An OpenCL driver that lacks a function: a shared library for the ICD loader, which passes everything on to the driver
 * in $FAKE_CL_LIBRARY, and with $LAME_CL_CALLS set first calls a function that is nowhere.
 */
#include <dlfcn.h>
#include <stdlib.h>

extern void lame_cl_nowhere(void);
void *clGetExtensionFunctionAddress(const char *name);
int clGetPlatformInfo(void *platform, unsigned what, size_t size, void *value, size_t *needed);

static void *function_of(const char *name)
{
    const char *path = getenv("FAKE_CL_LIBRARY");
    void *library = path ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
    void *(*find)(const char *) = NULL, *address = library ? dlsym(library, name) : NULL;

    if (library)
        *(void **)&find = dlsym(library, "clGetExtensionFunctionAddress");
    return address || !find ? address : find(name);
}

void *clGetExtensionFunctionAddress(const char *name)
{
    if (getenv("LAME_CL_CALLS"))
        lame_cl_nowhere();
    return function_of(name);
}

int clGetPlatformInfo(void *platform, unsigned what, size_t size, void *value, size_t *needed)
{
    int (*get)(void *, unsigned, size_t, void *, size_t *);

    *(void **)&get = function_of("clGetPlatformInfo");
    return get ? get(platform, what, size, value, needed) : -1;
}
