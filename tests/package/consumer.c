/* A small program of someone who uses libggpfn: which library is this, does its model load, does it segment an image of air? */

#include <ggpfn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char *what, ggpfn_status status) {
    char text[512] = "";
    ggpfn_last_error(text, sizeof text, NULL);
    fprintf(stderr, "%s: %s (%s)\n", what, ggpfn_status_text(status), text);
    return 1;
}

int main(void) {
    enum { X = 64, Y = 64, Z = 40, VOXELS = X * Y * Z };
    char version[32];
    sprintf(version, "%d.%d.%d", GGPFN_VERSION_MAJOR, GGPFN_VERSION_MINOR, GGPFN_VERSION_PATCH);
    if (strcmp(version, ggpfn_version()) != 0 || ggpfn_abi_version() != GGPFN_ABI_VERSION) {
        fprintf(stderr, "the header is of version %s, the library of %s\n", version, ggpfn_version());
        return 1;
    }

    ggpfn_model *model = NULL;
    ggpfn_status status = ggpfn_model_shipped(&model);
    if (status != GGPFN_OK)
        return failed("the shipped model", status);

    int16_t *voxels = calloc(VOXELS, sizeof *voxels);
    uint8_t *mask = malloc(VOXELS);
    if (voxels == NULL || mask == NULL)
        return 1;
    memset(mask, 9, VOXELS);
    ggpfn_image image;
    ggpfn_image_init(&image, sizeof image);
    image.data = voxels;
    image.data_bytes = VOXELS * sizeof *voxels;
    image.dtype = GGPFN_INT16;
    image.size[0] = X;
    image.size[1] = Y;
    image.size[2] = Z;
    image.spacing[0] = image.spacing[1] = image.spacing[2] = 2.5;
    ggpfn_result result;
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;
    result.mask.data = mask;
    result.mask.data_bytes = VOXELS;
    status = ggpfn_segment(model, &image, NULL, &result, NULL);
    ggpfn_model_free(model);
    if (status != GGPFN_OK)
        return failed("segmenting", status);
    for (int i = 0; i < VOXELS; i++)
        if (mask[i] > 1) {
            fprintf(stderr, "voxel %d of the mask was not written\n", i);
            return 1;
        }
    free(voxels);
    free(mask);

    char libtorch[4096] = "";
    ggpfn_runtime_library(libtorch, sizeof libtorch, NULL);
    printf("ggpfn %s on %s\n", version, libtorch);
    return 0;
}
