/* A program that was built for another version of the library.
 *
 * The driver compiles it three times: with the header as it is; with one whose structs have a field more at their end, as a later
 * version's may; and with one whose structs lack their last field, which no version has had. The first is served. Of the others each
 * struct is refused, by a sentence that says what to do, and nothing is written.
 *
 * EXPECTED is the status that calls with structs have to end with, and SENTENCE what the library then says.
 */

#include "check.h"

#ifndef EXPECTED
#define EXPECTED GGPFN_OK
#define SENTENCE ""
#endif

/* Whether the last call with a struct ended as it has to. */
#define GROWN(call)                                 \
  do {                                              \
    EXPECT(EXPECTED, call);                         \
    if (EXPECTED != GGPFN_OK) {                     \
      CHECK(error_says(SENTENCE) && error_says("struct_size")); \
    }                                               \
  } while (0)

/* Bytes that a refused call must leave alone. */
#define UNTOUCHED(value)                                                        \
  do {                                                                          \
    const unsigned char *bytes = (const unsigned char *)&(value);               \
    for (size_t n = sizeof(size_t); EXPECTED != GGPFN_OK && n < sizeof(value); n++) { \
      CHECK(bytes[n] == 0x5a);                                                  \
    }                                                                           \
  } while (0)

#define STRUCT(type, name)                \
  type name;                              \
  memset(&name, 0x5a, sizeof(name));      \
  name.struct_size = sizeof(name)

int main(void) {
  static int16_t voxels[N];
  static uint8_t mask[N];
  STRUCT(ggpfn_runtime, runtime);
  STRUCT(ggpfn_model_info, info);
  STRUCT(ggpfn_label, label);
  STRUCT(ggpfn_progress, progress);
  STRUCT(ggpfn_measurements, measurements);
  STRUCT(ggpfn_memory, memory);
  STRUCT(ggpfn_comparison, comparison);
  STRUCT(ggpfn_training_result, end);
  STRUCT(ggpfn_losses, losses);
  STRUCT(ggpfn_image, image);
  STRUCT(ggpfn_segment_options, options);
  ggpfn_model *model = small_model(1), *trained = NULL;
  ggpfn_monitor *monitor = NULL;
  ggpfn_training *training = NULL;
  MUST(ggpfn_monitor_new(&monitor));
  MUST(ggpfn_training_new(NULL, &training));

  GROWN(ggpfn_runtime_query(0, &runtime));
  UNTOUCHED(runtime);
#ifdef SHRUNK
  /* Without its last field it is the struct of the first version, which is served. */
  EXPECT(GGPFN_OK, ggpfn_model_describe(model, &info));
#else
  GROWN(ggpfn_model_describe(model, &info));
  UNTOUCHED(info);
#endif
  GROWN(ggpfn_model_label(model, 0, &label));
  UNTOUCHED(label);
  GROWN(ggpfn_monitor_progress(monitor, &progress));
  UNTOUCHED(progress);
  GROWN(ggpfn_image_init(&image, sizeof(image)));
  UNTOUCHED(image);
  GROWN(ggpfn_segment_options_init(&options, sizeof(options)));
  UNTOUCHED(options);

  /* What needs an image gets one that is otherwise good. */
  make_voxels(voxels, -100, 100);
  memset(&image, 0, sizeof(image));
  image.struct_size = sizeof(image);
  image.data = voxels;
  image.data_bytes = sizeof(voxels);
  image.dtype = GGPFN_INT16;
  image.size[0] = NX;
  image.size[1] = NY;
  image.size[2] = NZ;
  for (int axis = 0; axis < 3; axis++) {
    image.spacing[axis] = 1.0;
#ifndef SHRUNK
    image.direction[4 * axis] = 1.0;
#endif
  }
  memset(&options, 0, sizeof(options));
  options.struct_size = sizeof(options);
  ggpfn_result result;
  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  memset(mask, 7, sizeof(mask));
  result.mask = dense_output(mask, N);
#ifndef SHRUNK
  result.measurements = &measurements;
#endif
  GROWN(ggpfn_segment(model, &image, &options, &result, NULL));
  UNTOUCHED(measurements);
  CHECK(EXPECTED == GGPFN_OK ? mask[0] <= 1 : mask[0] == 7);
  GROWN(ggpfn_segment(model, &image, NULL, &result, NULL));
  GROWN(ggpfn_estimate_memory(model, &image, &options, &result, &memory));
  UNTOUCHED(memory);
  GROWN(ggpfn_evaluate(&image, &image, &comparison));
  UNTOUCHED(comparison);
  GROWN(ggpfn_training_add_case(training, "case", &image, &image, GGPFN_TRAIN));
  if (EXPECTED != GGPFN_OK) {
    GROWN(ggpfn_training_run(training, NULL, &trained, &end));
    UNTOUCHED(end);
    CHECK(trained == NULL);
    GROWN(ggpfn_trainer_gradients(NULL, &losses));
    UNTOUCHED(losses);
  }
  ggpfn_training_free(training);
  ggpfn_monitor_free(monitor);
  ggpfn_model_free(model);
  return finish("growth");
}
