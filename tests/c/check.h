/* What the C tests share: checks that say where they failed, a tiny model, a tiny image. */
#ifndef CHECK_H
#define CHECK_H

#include <ggpfn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program with the place, the expression and the library's last words. */
#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            char text_[600]; \
            ggpfn_last_error(text_, sizeof text_, NULL); \
            fprintf(stderr, "%s:%d: %s does not hold; last error: %s\n", __FILE__, __LINE__, #condition, text_); \
            exit(1); \
        } \
    } while (0)

#define OK(call) CHECK((call) == GGPFN_OK)

/* A network of three views that computes in no time. */
#define TINY \
    "{\"t\": 2, \"widths\": [4, 4, 4, 4], \"global_widths\": [4, 4, 4, 4, 4]," \
    " \"global_size\": {\"axial\": [32, 32], \"sagittal\": [32, 32], \"coronal\": [32, 32]}}"

enum { NX = 24, NY = 20, NZ = 12, VOXELS = NX * NY * NZ };

/* Voxels that fit into every type: a pattern with a bright box in it. */
static int voxel(int i, int j, int k) {
    int inside = i > 6 && i < 14 && j > 5 && j < 12 && k > 2 && k < 9;
    return inside ? 120 : (i * 7 + j * 13 + k * 29) % 60;
}

static void fill(int16_t *voxels) {
    for (int k = 0; k < NZ; k++)
        for (int j = 0; j < NY; j++)
            for (int i = 0; i < NX; i++) voxels[(k * NY + j) * NX + i] = (int16_t)voxel(i, j, k);
}

/* The image of NX x NY x NZ voxels at `data`. */
static ggpfn_image image_of(const void *data, size_t bytes, int32_t dtype) {
    ggpfn_image image;
    OK(ggpfn_image_init(&image, sizeof image));
    image.data = data;
    image.data_bytes = bytes;
    image.dtype = dtype;
    image.size[0] = NX;
    image.size[1] = NY;
    image.size[2] = NZ;
    image.spacing[0] = 2.0;
    image.spacing[1] = 2.5;
    image.spacing[2] = 3.0;
    return image;
}

/* A result that wants the mask alone. */
static ggpfn_result mask_only(uint8_t *mask) {
    ggpfn_result result;
    memset(&result, 0, sizeof result);
    result.struct_size = sizeof result;
    result.mask.data = mask;
    result.mask.data_bytes = VOXELS;
    return result;
}

#endif
