/* A host that loads the library when it is wanted, as vendors' software does, and can do without it.
 *
 *     cc -std=c99 c_dlopen.c -I PREFIX/include -ldl -o c_dlopen
 *     ./c_dlopen PREFIX/lib/libggpfn.so.0
 */

#include <dlfcn.h>
#include <ggpfn.h>
#include <stdio.h>
#include <string.h>

/* The functions that this host uses. */
static struct {
    uint32_t (*abi_version)(void);
    const char *(*version)(void);
    ggpfn_status (*last_error)(char *, size_t, size_t *);
    ggpfn_status (*runtime_query)(int32_t, ggpfn_runtime *);
    ggpfn_status (*model_shipped)(ggpfn_model **);
    void (*model_free)(ggpfn_model *);
    ggpfn_status (*image_init)(ggpfn_image *, size_t);
    ggpfn_status (*segment)(const ggpfn_model *, const ggpfn_image *, const ggpfn_segment_options *, const ggpfn_result *,
                            const ggpfn_monitor *);
} library;

/* POSIX allows a function's address in a void pointer, C does not know of it: copied, not cast. */
static int look_up(void *handle, const char *name, void *place) {
    void *symbol = dlsym(handle, name);
    memcpy(place, &symbol, sizeof symbol);
    if (symbol == NULL) fprintf(stderr, "the library has no %s\n", name);
    return symbol != NULL;
}

int main(int count, char **arguments) {
    void *handle = dlopen(count > 1 ? arguments[1] : "libggpfn.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fprintf(stderr, "no segmentation in this installation: %s\n", dlerror());
        return 3;
    }
    if (!look_up(handle, "ggpfn_abi_version", &library.abi_version)) return 1;
    if (library.abi_version() != GGPFN_ABI_VERSION) {
        fprintf(stderr, "the library has interface %u, this program %u\n", (unsigned)library.abi_version(), GGPFN_ABI_VERSION);
        return 1;
    }
    if (!look_up(handle, "ggpfn_version", &library.version) || !look_up(handle, "ggpfn_last_error", &library.last_error) ||
        !look_up(handle, "ggpfn_runtime_query", &library.runtime_query) ||
        !look_up(handle, "ggpfn_model_shipped", &library.model_shipped) ||
        !look_up(handle, "ggpfn_model_free", &library.model_free) || !look_up(handle, "ggpfn_image_init", &library.image_init) ||
        !look_up(handle, "ggpfn_segment", &library.segment))
        return 1;

    ggpfn_runtime runtime = {.struct_size = sizeof runtime};
    library.runtime_query(0, &runtime);
    printf("ggpfn %s on libtorch %s\n", library.version(), runtime.loaded);

    static int16_t voxels[64 * 64 * 40];
    static uint8_t mask[64 * 64 * 40];
    ggpfn_image image;
    library.image_init(&image, sizeof image);
    image.data = voxels;
    image.data_bytes = sizeof voxels;
    image.dtype = GGPFN_INT16;
    image.size[0] = image.size[1] = 64;
    image.size[2] = 40;
    image.spacing[0] = image.spacing[1] = image.spacing[2] = 2.5;
    ggpfn_measurements found = {.struct_size = sizeof found};
    ggpfn_result result = {.struct_size = sizeof result};
    result.mask.data = mask;
    result.mask.data_bytes = sizeof mask;
    result.measurements = &found;
    ggpfn_model *model = NULL;
    ggpfn_status status = library.model_shipped(&model);
    if (status == GGPFN_OK) status = library.segment(model, &image, NULL, &result, NULL);
    char text[400];
    library.last_error(text, sizeof text, NULL);
    printf("status %d %s: %.1f mL in an image of water\n", (int)status, text, found.volume_ml);
    library.model_free(model);
    dlclose(handle); /* The library stays in the process: libtorch's threads would outlive it. */
    return status == GGPFN_OK ? 0 : 1;
}
