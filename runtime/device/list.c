/* Which platforms and devices there are. */
#include "runtime/device/list.h"

#include "runtime/base/buf.h"
#include "runtime/base/mem.h"
#include "runtime/device/icd.h"
#include "runtime/device/listing.h"
#include "runtime/device/pocl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DEVICES_MAX 256

/* Whom a crash before there is a device is laid to. */
static const struct sp_device loader = { .info = { .name = "an installed OpenCL platform" } };

void sp_platforms_enter(struct sp_platforms *out)
{
    sp_listing_begin();
    sp_driver_enter(&loader, "clGetPlatformIDs");
    sp_driver_activity("listing", "devices");
    if (clGetPlatformIDs(SP_PLATFORMS_MAX, out->ids, &out->count) != CL_SUCCESS)
        out->count = 0;
    out->count = out->count > SP_PLATFORMS_MAX ? SP_PLATFORMS_MAX : out->count;
}

void sp_platforms_leave(void)
{
    sp_driver_activity(NULL, NULL);
    sp_driver_leave(CL_SUCCESS);
    sp_listing_end();
}

static int platform_text(char *out, size_t size, cl_platform_id platform, cl_platform_info what)
{
    size_t length = 0;

    out[0] = '\0';
    if (clGetPlatformInfo(platform, what, 0, NULL, &length) == CL_SUCCESS && length > 0) {
        char *text = sp_calloc(length + 1, 1);

        if (!text)
            return SP_ENOMEM;
        clGetPlatformInfo(platform, what, length, text, NULL);
        strncpy(out, text, size - 1);
        out[size - 1] = '\0';
        free(text);
    }
    return 0;
}

static bool lanes_platform(const char *platform)
{
#define SP_LANES(name, why)                                                                                            \
    if (strcmp(platform, name) == 0)                                                                                   \
        return true;
#include "runtime/device/quirk.def"
    return false;
}

/* A device's text without leading, trailing and doubled spaces (drivers pad their names). */
static int device_text(char *out, size_t size, cl_device_id device, cl_device_info what)
{
    size_t length = 0, n = 0;
    char *text;

    out[0] = '\0';
    if (clGetDeviceInfo(device, what, 0, NULL, &length) != CL_SUCCESS || length == 0)
        return 0;
    text = sp_calloc(length + 1, 1);
    if (!text)
        return SP_ENOMEM;
    clGetDeviceInfo(device, what, length, text, NULL);
    for (const char *p = text; *p && n + 1 < size; p++)
        if (!isspace((unsigned char)*p) || (n > 0 && out[n - 1] != ' '))
            out[n++] = isspace((unsigned char)*p) ? ' ' : *p;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    free(text);
    return 0;
}

static int describe(struct sp_device_handle *handle)
{
    struct sp_device_info *info = &handle->info;
    cl_device_type type = 0;
    cl_uint units = 0, clock = 0, bits = 0, vendor = 0, floats = 0;
    cl_ulong global = 0, local = 0, largest = 0;
    cl_bool unified = CL_FALSE;
    size_t group = 0;

    SP_TRY(
        platform_text(info->platform, sizeof info->platform, handle->platform, CL_PLATFORM_NAME));
    SP_TRY(platform_text(info->platform_version, sizeof info->platform_version, handle->platform,
                         CL_PLATFORM_VERSION));
    SP_TRY(device_text(info->name, sizeof info->name, handle->id, CL_DEVICE_NAME));
    SP_TRY(device_text(info->vendor, sizeof info->vendor, handle->id, CL_DEVICE_VENDOR));
    SP_TRY(device_text(info->driver, sizeof info->driver, handle->id, CL_DRIVER_VERSION));
    SP_TRY(device_text(info->version, sizeof info->version, handle->id, CL_DEVICE_VERSION));
#define GET(what, value) clGetDeviceInfo(handle->id, what, sizeof(value), &(value), NULL)
    GET(CL_DEVICE_TYPE, type);
    GET(CL_DEVICE_VENDOR_ID, vendor);
    GET(CL_DEVICE_MAX_COMPUTE_UNITS, units);
    GET(CL_DEVICE_MAX_CLOCK_FREQUENCY, clock);
    GET(CL_DEVICE_MEM_BASE_ADDR_ALIGN, bits);
    GET(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, floats);
    GET(CL_DEVICE_GLOBAL_MEM_SIZE, global);
    GET(CL_DEVICE_MAX_MEM_ALLOC_SIZE, largest);
    GET(CL_DEVICE_LOCAL_MEM_SIZE, local);
    GET(CL_DEVICE_MAX_WORK_GROUP_SIZE, group);
    GET(CL_DEVICE_HOST_UNIFIED_MEMORY, unified);
#undef GET
    info->type = type & CL_DEVICE_TYPE_GPU   ? SP_DEVICE_GPU
                 : type & CL_DEVICE_TYPE_CPU ? SP_DEVICE_CPU
                                             : SP_DEVICE_OTHER;
    info->vendor_id = vendor;
    info->compute_units = units;
    info->clock_mhz = clock;
    info->address_alignment = bits / 8 > 64 ? bits / 8 : 64;
    info->vector_floats = floats;
    info->max_work_group = group;
    info->global_memory = global;
    info->max_allocation = largest;
    info->local_memory = local;
    info->unified_memory = unified == CL_TRUE;
    info->lanes = info->type != SP_DEVICE_CPU || lanes_platform(info->platform);
    return 0;
}

/* The same driver reached twice (two loader entries, a link) shows as two platforms that agree in
 * every text. */
static bool platform_seen(const cl_platform_id *platforms, cl_uint count)
{
    static const cl_platform_info texts[] = { CL_PLATFORM_NAME, CL_PLATFORM_VENDOR,
                                              CL_PLATFORM_VERSION, CL_PLATFORM_EXTENSIONS };
    char mine[1024], other[1024];

    for (cl_uint i = 0; i + 1 < count; i++) {
        bool same = true;

        for (size_t k = 0; k < sizeof texts / sizeof texts[0] && same; k++) {
            same = platform_text(mine, sizeof mine, platforms[count - 1], texts[k]) == 0 &&
                   platform_text(other, sizeof other, platforms[i], texts[k]) == 0 &&
                   strcmp(mine, other) == 0;
        }
        if (same || platforms[i] == platforms[count - 1])
            return true;
    }
    return false;
}

int sp_platform_name(char *out, size_t size, cl_platform_id platform)
{
    return platform_text(out, size, platform, CL_PLATFORM_NAME);
}

static bool is_usable(cl_device_id device)
{
    cl_bool available = CL_FALSE, compiler = CL_FALSE;

    clGetDeviceInfo(device, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
    clGetDeviceInfo(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
    return available && compiler;
}

/* How many devices, of DEVICES_MAX at most; 0 of a driver without one, which is common: its hardware is not here. */
static cl_uint devices_of(cl_device_id *ids, cl_platform_id platform)
{
    cl_uint found = 0;

    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, &found) != CL_SUCCESS)
        return 0;
    return found > DEVICES_MAX ? DEVICES_MAX : found;
}

bool sp_platform_has_device(cl_platform_id platform)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint found = devices_of(ids, platform);

    for (cl_uint i = 0; i < found; i++)
        if (is_usable(ids[i]))
            return true;
    return false;
}

static int add_platform(struct sp_device_handle **list, size_t *count, cl_platform_id platform)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint found = devices_of(ids, platform);
    struct sp_device_handle *grown;

    if (found == 0)
        return 0;
    grown = sp_realloc(*list, *count + found, sizeof **list);
    if (!grown)
        return SP_ENOMEM;
    *list = grown;
    for (cl_uint i = 0; i < found && *count < DEVICES_MAX; i++) {
        struct sp_device_handle handle = { .platform = platform, .id = ids[i] };

        if (!is_usable(ids[i]))
            continue;
        SP_TRY(describe(&handle));
        handle.info.index = (int)*count;
        grown[(*count)++] = handle;
    }
    return 0;
}

static bool is_pocl(cl_platform_id platform)
{
    char name[sizeof ((struct sp_device_info *)0)->platform];

    return platform_text(name, sizeof name, platform, CL_PLATFORM_NAME) == 0 && sp_pocl_is(name);
}

#define INSTALL_HINT                                                                               \
    "install one: pocl-opencl-icd runs on any CPU (apt install pocl-opencl-icd); for GPUs, "       \
    "intel-opencl-icd, "                                                                           \
    "rocm-opencl-runtime or NVIDIA's driver package (nvidia-opencl-icd)"

/* The MiB that this process may have addresses for, where they are fewer than a driver with its compiler may need; 0
 * elsewhere. */
static unsigned long scarce_addresses(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < ((rlim_t)4 << 30)
               ? (unsigned long)(limit.rlim_cur >> 20) : 0;
}

/* `trouble` is what PoCL, when it is one of the platforms, lacks, or "". */
static int no_device(unsigned platforms, const char *trouble)
{
    struct sp_device_faults faults;

    if (trouble[0])
        return sp_error(SP_ENOTFOUND, "%u OpenCL driver%s found, but no device that it can use; %s", platforms,
                        platforms == 1 ? " was" : "s were", trouble);
    SP_TRY(sp_device_faults(&faults));
    if (scarce_addresses() && (platforms > 0 || faults.broken[0] || faults.idle[0]))
        sp_error(SP_ENOTFOUND,
                 "no OpenCL device was found, and this process may use %lu MiB of addresses (ulimit -v), which a "
                 "driver may not fit in: raise that limit",
                 scarce_addresses());
    else if (!faults.broken[0] && !faults.idle[0])
        sp_error(SP_ENOTFOUND, "no OpenCL driver was found: " INSTALL_HINT);
    else
        sp_error(SP_ENOTFOUND, "no OpenCL device was found%s%s%s%s%s%s%s%s " INSTALL_HINT,
                 faults.broken[0] ? ", and a driver could not be loaded: " : "", faults.broken,
                 faults.broken[0] ? ". Install the package that the driver belongs to again, or remove that file" : "",
                 faults.idle[0] ? ". A driver that shows no device: " : "", faults.idle, faults.access ? "; " : "",
                 faults.access ? faults.access : "", faults.idle[0] ? ". Else" : " and");
    sp_device_faults_release(&faults);
    return SP_ENOTFOUND;
}

/* Those of the loader's platforms. */
static int add_platforms(struct sp_device_handle **list, size_t *count, const struct sp_platforms *platforms)
{
    for (cl_uint i = 0; i < platforms->count; i++)
        if (!platform_seen(platforms->ids, i + 1))
            SP_TRY(add_platform(list, count, platforms->ids[i]));
    return 0;
}

int sp_device_handles(struct sp_device_handle **list, size_t *count)
{
    struct sp_platforms platforms;
    bool pocl = false;
    char trouble[1024] = "";
    int rc;

    *list = NULL;
    *count = 0;
    SP_TRY(sp_device_check_pipes());
    sp_driver_environment();
    SP_TRY(sp_trial_begin());
    sp_platforms_enter(&platforms);
    rc = add_platforms(list, count, &platforms);
    for (cl_uint i = 0; i < platforms.count; i++)
        pocl = pocl || is_pocl(platforms.ids[i]);
    sp_platforms_leave();
    sp_trial_end();
    if (rc == 0 && *count == 0 && pocl)
        sp_pocl_trouble(trouble, sizeof trouble);
    if (rc == 0 && *count == 0)
        rc = no_device(platforms.count, trouble);
    else if (pocl)
        sp_pocl_tell();
    if (rc < 0) {
        free(*list);
        *list = NULL;
        *count = 0;
    }
    return rc;
}

int sp_device_list(struct sp_device_info **list, size_t *count)
{
    struct sp_device_handle *handles;
    struct sp_device_info *infos;
    size_t n;

    SP_TRY(sp_device_handles(&handles, &n));
    infos = sp_calloc(n, sizeof *infos);
    for (size_t i = 0; infos && i < n; i++)
        infos[i] = handles[i].info;
    free(handles);
    if (!infos)
        return SP_ENOMEM;
    *list = infos;
    *count = n;
    return 0;
}
