/* The contract of ggpfn.h, point by point, on small volumes and a tiny untrained network.
 *
 *     behaviour FOLDER [SECTION ...]
 *
 * FOLDER is an empty one to write to. Without sections all are run. What fails is printed, and makes the exit status 1. Nothing but this
 * program's own lines may come out on stdout or stderr.
 */

#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

static const char *folder;
static ggpfn_model *model;   /* the small one, shared by the sections */
static int16_t voxels[N];    /* -100 to 100: they fit every type but the unsigned ones */
static uint8_t expected[N];  /* its mask */
static double threshold;     /* one that divides the voxels in two */
static const double NAN_VALUE = NAN;

static const char *in_folder(const char *name) {
  static char path[4096];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static ggpfn_image plain_image(void) { return dense_image(voxels, GGPFN_INT16, sizeof(voxels)); }

static ggpfn_segment_options divided(void) {
  ggpfn_segment_options options = plain_options();
  options.threshold = threshold;
  return options;
}

static ggpfn_result mask_result(uint8_t *mask) {
  ggpfn_result result = {.struct_size = sizeof(result)};
  memset(mask, 7, N);
  result.mask = dense_output(mask, N);
  return result;
}

/* The mask of an image with the section's usual options. */
static ggpfn_status segment_to(const ggpfn_image *image, uint8_t *mask) {
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  return ggpfn_segment(model, image, &options, &result, NULL);
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* The model, the image, and a threshold in the middle of the probabilities that they give. */
static void prepare(void) {
  static float probability[N], sorted[N];
  model = small_model(5);
  make_voxels(voxels, -100, 100);
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = plain_options();
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.probability = dense_output(probability, sizeof(probability));
  MUST(ggpfn_segment(model, &image, &options, &result, NULL));
  memcpy(sorted, probability, sizeof(sorted));
  qsort(sorted, N, sizeof(*sorted), ascending);
  threshold = ((double)sorted[N / 2] + (double)sorted[N / 2 + 1]) / 2.0;
  for (int n = 0; n < N; n++) {
    expected[n] = (double)probability[n] >= threshold;
  }
}

/* ---- versions, texts, errors ---- */

static void versions(void) {
  char text[64];
  CHECK(ggpfn_abi_version() == GGPFN_ABI_VERSION);
  snprintf(text, sizeof(text), "%d.%d.%d", GGPFN_VERSION_MAJOR, GGPFN_VERSION_MINOR, GGPFN_VERSION_PATCH);
  CHECK(strcmp(ggpfn_version(), text) == 0);
  for (ggpfn_status a = GGPFN_OK; a <= GGPFN_ERROR_INTERNAL; a++) {
    CHECK(strlen(ggpfn_status_text(a)) > 3);
    for (ggpfn_status b = GGPFN_OK; b < a; b++) {
      CHECK(strcmp(ggpfn_status_text(a), ggpfn_status_text(b)) != 0);
    }
  }
  CHECK(strcmp(ggpfn_status_text(-1), ggpfn_status_text(1000000)) == 0);
}

/* Whether the bytes are UTF-8 up to the NUL. */
static int is_utf8(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  while (*at != 0) {
    int more = *at < 0x80 ? 0 : *at >= 0xf0 ? 3 : *at >= 0xe0 ? 2 : *at >= 0xc2 ? 1 : -1;
    if (more < 0) {
      return 0;
    }
    for (at++; more > 0; more--, at++) {
      if ((*at & 0xc0) != 0x80) {
        return 0;
      }
    }
  }
  return 1;
}

static void *errors_elsewhere(void *unused) {
  ggpfn_model *none = NULL;
  CHECK(error_is_empty());
  EXPECT(GGPFN_ERROR_FILE, ggpfn_model_load("/nowhere/other.safetensors", &none));
  CHECK(error_says("other.safetensors"));
  return unused;
}

static void last_error(void) {
  char whole[1024], part[1024];
  size_t needed = 0, again = 0;
  ggpfn_model *none = NULL;
  EXPECT(GGPFN_ERROR_FILE, ggpfn_model_load("/nowhere/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.safetensors", &none));
  CHECK(none == NULL);
  OK(ggpfn_last_error(NULL, 0, &needed));
  CHECK(needed > 20 && needed < sizeof(whole));
  memset(whole, 'x', sizeof(whole));
  OK(ggpfn_last_error(whole, needed, &again));
  CHECK(again == needed && strlen(whole) + 1 == needed && whole[needed] == 'x');
  CHECK(strstr(whole, "/nowhere/\xc3\xa4") != NULL);
  for (size_t capacity = 0; capacity < needed; capacity++) {
    memset(part, 'x', sizeof(part));
    again = 0;
    EXPECT(GGPFN_ERROR_BUFFER, ggpfn_last_error(part, capacity, &again));
    CHECK(again == needed && part[capacity] == 'x');
    if (capacity > 0) {
      CHECK(memchr(part, 0, capacity) != NULL && is_utf8(part) && strncmp(part, whole, strlen(part)) == 0);
    }
  }
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_last_error(NULL, 0, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_last_error(NULL, 5, &again));
  EXPECT(GGPFN_ERROR_BUFFER, ggpfn_last_error(part, 3, NULL));
  /* Another thread's errors are its own. */
  pthread_join(start_thread(errors_elsewhere, NULL), NULL);
  OK(ggpfn_last_error(part, sizeof(part), NULL));
  CHECK(strcmp(part, whole) == 0);
  /* A success clears the text, whatever function it is. */
  ggpfn_model_free(NULL);
  CHECK(error_is_empty());
}

static void runtime(void) {
  char text[1024];
  size_t needed = 0;
  ggpfn_runtime found = {.struct_size = sizeof(found)};
  OK(ggpfn_runtime_query(0, &found));
  CHECK(found.struct_size == sizeof(found) && found.gpus == -1 && found.wrong_libtorch == 0);
  CHECK(strcmp(found.built_for, found.loaded) == 0);
  CHECK(found.cpu_bfloat16 == 0 || found.cpu_bfloat16 == 1);
  CHECK(found.gpu_driver == 0 || found.gpu_driver == 1);
  OK(ggpfn_runtime_library(NULL, 0, &needed));
  OK(ggpfn_runtime_library(text, sizeof(text), &needed));
  CHECK(strstr(text, "torch") != NULL && strlen(text) + 1 == needed);
  OK(ggpfn_runtime_problems(0, text, sizeof(text), NULL));
  CHECK(text[0] == '\0');
  if (found.gpu_driver == 0) {
    /* CUDA may be asked for where there is none. */
    OK(ggpfn_runtime_query(1, &found));
    CHECK(found.gpus == 0);
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_runtime_gpu(0, text, sizeof(text), NULL));
    ggpfn_image image = plain_image();
    ggpfn_segment_options options = divided();
    uint8_t mask[N];
    ggpfn_result result = mask_result(mask);
    options.device = GGPFN_DEVICE_CUDA;
    EXPECT(GGPFN_ERROR_DEVICE, ggpfn_segment(model, &image, &options, &result, NULL));
    CHECK(error_says("cpu"));
  }
}

/* ---- log ---- */

typedef struct heard {
  pthread_mutex_t lock;
  int count, warnings;
  char last[512];
} heard;

static void hear(int32_t level, const char *message, void *user_data) {
  heard *h = user_data;
  pthread_mutex_lock(&h->lock);
  h->count++;
  h->warnings += level == GGPFN_LOG_WARNING;
  snprintf(h->last, sizeof(h->last), "%s", message);
  pthread_mutex_unlock(&h->lock);
}

/* Writes an image file of 24 x 24 x 16 voxels: a dense ball in soft tissue, or the ball's mask. */
static void write_image(const char *name, int mask) {
  FILE *file = fopen(in_folder(name), "wb");
  if (file == NULL) {
    CHECK(file != NULL);
    return;
  }
  fprintf(file,
          "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nOffset = 0 0 0\n"
          "ElementSpacing = 2.5 2.5 2.5\nDimSize = 24 24 16\nElementType = MET_SHORT\nElementDataFile = LOCAL\n");
  for (int n = 0; n < 24 * 24 * 16; n++) {
    int i = n % 24 - 12, j = n / 24 % 24 - 11, k = n / 576 - 8;
    int inside = i * i + j * j + k * k < 30, air = i * i + j * j > 121;
    int value = mask ? inside : air ? -1000 : 20 + 100 * inside + n * 7919 % 41;
    /* The low byte first, whatever the machine's order. */
    fputc(value & 255, file);
    fputc(value >> 8, file);
  }
  CHECK(fclose(file) == 0);
}

static void logging(void) {
  static heard h = {PTHREAD_MUTEX_INITIALIZER, 0, 0, ""};
  ggpfn_training *training = NULL;
  write_image("one.mha", 0);
  write_image("one_label.mha", 1);
  write_image("alone.mha", 0);
  OK(ggpfn_training_new(NULL, &training));
  OK(ggpfn_training_add_folder(training, folder, "pairs", NULL, NULL, GGPFN_TRAIN, NULL));
  CHECK(h.count == 0);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_log_set(hear, 0, &h));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_log_set(hear, 5, &h));
  OK(ggpfn_log_set(hear, GGPFN_LOG_DEBUG, &h));
  OK(ggpfn_training_add_folder(training, folder, NULL, NULL, NULL, GGPFN_VALIDATE, NULL));
  CHECK(h.warnings == 1 && strstr(h.last, "alone") != NULL);
  /* What is odd about an image and its result is said there too: this one has no air and no bone. */
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  ggpfn_measurements m = {.struct_size = sizeof(m)};
  result.measurements = &m;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(m.warning_count > 0 && h.warnings == 1 + m.warning_count);
  int before = h.count;
  OK(ggpfn_log_set(hear, GGPFN_LOG_ERROR, &h));
  OK(ggpfn_training_add_folder(training, folder, NULL, NULL, NULL, GGPFN_VALIDATE, NULL));
  OK(ggpfn_log_set(NULL, 0, NULL));
  OK(ggpfn_training_add_folder(training, folder, NULL, NULL, NULL, GGPFN_VALIDATE, NULL));
  CHECK(h.count == before);
  /* What is no CT is refused in a folder, and warned of in memory. */
  int outside[27], organ[27] = {[13] = 1};
  for (int n = 0; n < 27; n++) outside[n] = 8 * n;
  ggpfn_image grey = dense_image(outside, GGPFN_INT32, sizeof(outside)), its = dense_image(organ, GGPFN_INT32, sizeof(organ));
  for (int axis = 0; axis < 3; axis++) grey.size[axis] = its.size[axis] = 3;
  OK(ggpfn_log_set(hear, GGPFN_LOG_WARNING, &h));
  OK(ggpfn_training_add_case(training, "grey", &grey, &its, GGPFN_VALIDATE));
  CHECK(h.count == before + 1 && strstr(h.last, "grey: ") != NULL && strstr(h.last, "Hounsfield") != NULL);
  OK(ggpfn_log_set(NULL, 0, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_add_folder(training, folder, "other", NULL, NULL, GGPFN_TRAIN, NULL));
  CHECK(error_says("other"));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_add_folder(training, folder, NULL, NULL, NULL, 7, NULL));
  EXPECT(GGPFN_ERROR_FILE, ggpfn_training_add_folder(training, "/nowhere", NULL, NULL, NULL, GGPFN_TRAIN, NULL));
  ggpfn_training_free(training);
}

/* ---- models ---- */

static void models(void) {
  ggpfn_model_info info = {.struct_size = sizeof(info)}, other = {.struct_size = sizeof(other)};
  ggpfn_model *again = NULL, *third = NULL;
  char text[8192], text_again[8192];
  size_t length = 0, needed = 0;
  OK(ggpfn_model_describe(model, &info));
  CHECK(info.struct_size == sizeof(info) && info.views == 7 && info.t == 2);
  CHECK(info.progressive == 1 && info.global_guidance == 1 && info.parameters > 1000);
  CHECK(info.window[0] == -100.0 && info.window[1] == 240.0 && info.threshold == 0.5);
  CHECK(info.spacing[0] == 0.0 && info.spacing[1] == 0.0 && info.spacing[2] == 0.0);
  CHECK(fabs(info.view_weights[0] + info.view_weights[1] + info.view_weights[2] - 1.0) < 1e-12);
  CHECK(strlen(info.sha256) == 64 && strspn(info.sha256, "0123456789abcdef") == 64);

  /* To bytes and back. */
  OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, NULL, 0, &length));
  CHECK(length > 4 * info.parameters);
  char *bytes = malloc(length + 1);
  memset(bytes, 'x', length + 1);
  EXPECT(GGPFN_ERROR_BUFFER, ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, bytes, length - 1, &needed));
  CHECK(needed == length && bytes[0] == 'x' && bytes[length - 1] == 'x');
  OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT32, bytes, length + 1, NULL));
  CHECK(bytes[length] == 'x');
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_save_memory(model, 3, bytes, length, NULL));
  OK(ggpfn_model_load_memory(bytes, length, &again));
  OK(ggpfn_model_describe(again, &other));
  CHECK(other.parameters == info.parameters && strcmp(other.sha256, info.sha256) == 0);
  EXPECT(GGPFN_ERROR_MODEL, ggpfn_model_load_memory(bytes, length / 2, &third));
  EXPECT(GGPFN_ERROR_MODEL, ggpfn_model_load_memory(bytes, 0, &third));
  CHECK(third == NULL);

  /* To a file and back: the same bytes. */
  OK(ggpfn_model_save(again, in_folder("model.safetensors"), GGPFN_WEIGHTS_FLOAT32));
  OK(ggpfn_model_load(in_folder("model.safetensors"), &third));
  OK(ggpfn_model_describe(third, &other));
  CHECK(strcmp(other.sha256, info.sha256) == 0);
  FILE *file = fopen(in_folder("model.safetensors"), "rb");
  char *read = malloc(length + 1);
  CHECK(file != NULL && fread(read, 1, length + 1, file) == length && memcmp(read, bytes, length) == 0);
  if (file != NULL) {
    fclose(file);
  }
  free(read);
  free(bytes);
  EXPECT(GGPFN_ERROR_FILE, ggpfn_model_save(again, in_folder("no/where/m.safetensors"), GGPFN_WEIGHTS_FLOAT32));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_save(again, "", GGPFN_WEIGHTS_FLOAT32));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_save(again, in_folder("x.safetensors"), -1));

  /* Half as wide numbers. */
  OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_BFLOAT16, NULL, 0, &needed));
  CHECK(needed < length);
  OK(ggpfn_model_save_memory(model, GGPFN_WEIGHTS_FLOAT16, NULL, 0, &needed));
  CHECK(needed < length);

  OK(ggpfn_model_configuration(model, text, sizeof(text), &needed));
  CHECK(needed == strlen(text) + 1 && strstr(text, "\"global_size\"") != NULL);
  OK(ggpfn_model_configuration(third, text_again, sizeof(text_again), NULL));
  CHECK(strcmp(text, text_again) == 0);
  ggpfn_model_free(third);
  ggpfn_model_free(again);

  /* A configuration makes the same model with the same seed, another one with another. */
  OK(ggpfn_model_new(text, 5, &again));
  OK(ggpfn_model_describe(again, &other));
  CHECK(strcmp(other.sha256, info.sha256) == 0);
  ggpfn_model_free(again);
  OK(ggpfn_model_new(text, 6, &again));
  OK(ggpfn_model_describe(again, &other));
  CHECK(strcmp(other.sha256, info.sha256) != 0);
  ggpfn_model_free(again);
  const char *refused[] = {"",       "[]",     "{\"t\": 0}",        "{\"t\": 16}", "{\"t\": -1}", "{\"T\": 2}", "{\"t\": \"2\"}",
                           "nonsense", "{\"widths\": [0, 1, 1, 1]}", "{\"window\": [3, 3]}", "{\"views\": []}"};
  for (size_t n = 0; n < sizeof(refused) / sizeof(*refused); n++) {
    ggpfn_model *none = NULL;
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_new(refused[n], 1, &none));
    CHECK(none == NULL);
  }

  OK(ggpfn_model_shipped(&again));
  OK(ggpfn_model_describe(again, &other));
  CHECK(other.views == 7 && other.spacing[0] == 2.5);
  ggpfn_model_free(again);
}

/* ---- images ---- */

#define AS_TYPE(constant, type, offset)                                  \
  do {                                                                   \
    for (int n = 0; n < N; n++) {                                        \
      ((type *)converted)[n] = (type)(moved[n] + (offset));              \
    }                                                                    \
    ggpfn_image image = dense_image(converted, constant, sizeof(type) * N); \
    OK(segment_to(&image, mask));                                        \
    CHECK(memcmp(mask, reference, N) == 0);                              \
  } while (0)

static void dtypes(void) {
  static double converted[N];
  static int16_t moved[N];
  static uint8_t reference[N], mask[N];
  ggpfn_image plain = plain_image();
  OK(segment_to(&plain, reference));
  CHECK(memcmp(reference, expected, N) == 0);
  memcpy(moved, voxels, sizeof(moved));
  AS_TYPE(GGPFN_INT8, int8_t, 0);
  AS_TYPE(GGPFN_INT16, int16_t, 0);
  AS_TYPE(GGPFN_INT32, int32_t, 0);
  AS_TYPE(GGPFN_INT64, int64_t, 0);
  AS_TYPE(GGPFN_FLOAT32, float, 0);
  AS_TYPE(GGPFN_FLOAT64, double, 0);
  /* Unsigned types cannot hold what is below 0: an image of 0 to 200 for those. */
  for (int n = 0; n < N; n++) {
    moved[n] = (int16_t)(moved[n] + 100);
  }
  plain = dense_image(moved, GGPFN_INT16, sizeof(moved));
  OK(segment_to(&plain, reference));
  CHECK(memcmp(reference, expected, N) != 0);
  AS_TYPE(GGPFN_UINT8, uint8_t, 0);
  AS_TYPE(GGPFN_UINT16, uint16_t, 0);
  AS_TYPE(GGPFN_UINT32, uint32_t, 0);
  AS_TYPE(GGPFN_UINT64, uint64_t, 0);
  int32_t unknown[] = {0, 11, -1, INT32_MIN, INT32_MAX};
  for (size_t n = 0; n < sizeof(unknown) / sizeof(*unknown); n++) {
    plain.dtype = unknown[n];
    EXPECT(GGPFN_ERROR_ARGUMENT, segment_to(&plain, mask));
    CHECK(error_says("dtype") && mask[0] == 7);
  }
  /* Voxels that are no numbers, amid the others: those that reach the border were never measured. */
  const int amid = (NZ / 2 * NY + NY / 2) * NX + NX / 2;
  for (int n = 0; n < N; n++) {
    converted[n] = n == amid ? NAN_VALUE : 0.0;
  }
  ggpfn_image image = dense_image(converted, GGPFN_FLOAT64, sizeof(converted));
  EXPECT(GGPFN_ERROR_IMAGE, segment_to(&image, mask));
  converted[amid] = 1e300;
  EXPECT(GGPFN_ERROR_IMAGE, segment_to(&image, mask));
  CHECK(mask[0] == 7 && mask[N - 1] == 7);
}

/* The offset in a buffer of a voxel, for strides that may be negative: from the voxel (0, 0, 0). */
static ptrdiff_t offset_of(int n, const int64_t *strides) {
  return (ptrdiff_t)(n % NX * strides[0] + n / NX % NY * strides[1] + n / (NX * NY) * strides[2]);
}

static void strides(void) {
  enum { ROOM = 4 * (NX + 3) * (NY + 2) * (NZ + 1) };
  static unsigned char buffer[ROOM], out[ROOM];
  static uint8_t mask[N];
  const int64_t layouts[][3] = {
      {2, 2 * NX, 2 * NX * NY},                        /* dense, said aloud */
      {2 * NY * NZ, 2 * NZ, 2},                        /* k fastest */
      {2 * NY, 2, 2 * NX * NY},                        /* j fastest */
      {2, 2 * (NX + 3), 2 * (NX + 3) * (NY + 2)},      /* padded rows and slices */
      {4, 4 * NX, 4 * NX * NY},                        /* every other number */
      {3, 3 * NX, 3 * NX * NY},                        /* no voxel at a multiple of its size */
      {-2, 2 * NX, 2 * NX * NY},   {2, -2 * NX, 2 * NX * NY},      {2, 2 * NX, -2 * NX * NY},
      {-2, -2 * NX, -2 * NX * NY}, {-2 * NY * NZ, 2 * NZ, -2},
  };
  for (size_t l = 0; l < sizeof(layouts) / sizeof(*layouts); l++) {
    const int64_t *s = layouts[l];
    const int64_t ends[3] = {(NX - 1) * s[0], (NY - 1) * s[1], (NZ - 1) * s[2]};
    int64_t low = 0, high = 2;
    for (int axis = 0; axis < 3; axis++) {
      low += ends[axis] < 0 ? ends[axis] : 0;
      high += ends[axis] > 0 ? ends[axis] : 0;
    }
    unsigned char *first = buffer + 1 - low; /* an odd address */
    memset(buffer, 0x55, sizeof(buffer));
    for (int n = 0; n < N; n++) {
      memcpy(first + offset_of(n, s), &voxels[n], 2);
    }
    ggpfn_image image = dense_image(first, GGPFN_INT16, (size_t)(high - low));
    memcpy(image.strides, s, sizeof(image.strides));
    OK(segment_to(&image, mask));
    CHECK(memcmp(mask, expected, N) == 0);
    image.data_bytes -= 1;
    EXPECT(GGPFN_ERROR_ARGUMENT, segment_to(&image, mask));
    CHECK(error_says("strides"));

    /* The result in the same layout, of floats, and nothing beside it written. */
    static float probability[N];
    int64_t doubled[3] = {2 * s[0], 2 * s[1], 2 * s[2]};
    image = plain_image();
    ggpfn_segment_options options = divided();
    ggpfn_result result = mask_result(mask);
    result.probability = dense_output(probability, sizeof(probability));
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    memset(out, 0xaa, sizeof(out));
    size_t bytes = (size_t)(2 * (high - low));
    if (bytes > sizeof(out)) {
      continue; /* as wide as this only for images */
    }
    unsigned char *target = out - 2 * low;
    result = mask_result(mask);
    result.probability.data = target;
    result.probability.data_bytes = bytes;
    memcpy(result.probability.strides, doubled, sizeof(doubled));
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    size_t touched = 0;
    for (int n = 0; n < N; n++) {
      CHECK(memcmp(target + offset_of(n, doubled), &probability[n], 4) == 0);
      memset(target + offset_of(n, doubled), 0xaa, 4);
    }
    for (size_t n = 0; n < sizeof(out); n++) {
      touched += out[n] != 0xaa;
    }
    CHECK(touched == 0);
    memset(out, 0xaa, sizeof(out));
    result.probability.data_bytes = bytes - 1;
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &result, NULL));
    CHECK(error_says("probability") && out[0] == 0xaa);
  }
  ggpfn_image image = plain_image();
  image.strides[0] = INT64_MIN;
  EXPECT(GGPFN_ERROR_ARGUMENT, segment_to(&image, mask));
  image.strides[0] = INT64_MAX;
  image.data_bytes = SIZE_MAX;
  EXPECT(GGPFN_ERROR_ARGUMENT, segment_to(&image, mask));
}

static void frames(void) {
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_measurements lps = {.struct_size = sizeof(lps)}, ras = {.struct_size = sizeof(ras)};
  ggpfn_result result = mask_result(mask);
  /* An oblique grid, its indices along -y, x and z, leaning a little. */
  const double c = cos(0.1), s = sin(0.1);
  const double direction[9] = {0, c, -s, -1, 0, 0, 0, s, c};
  const double origin[3] = {10.0, -20.0, 30.0};
  memcpy(image.direction, direction, sizeof(direction));
  memcpy(image.origin, origin, sizeof(origin));
  result.measurements = &lps;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  static uint8_t in_lps[N];
  memcpy(in_lps, mask, N);
  image.frame = GGPFN_RAS;
  for (int row = 0; row < 2; row++) {
    image.origin[row] *= -1.0;
    for (int column = 0; column < 3; column++) {
      image.direction[3 * row + column] *= -1.0;
    }
  }
  result.measurements = &ras;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(memcmp(mask, in_lps, N) == 0);
  CHECK(lps.voxels == ras.voxels && lps.voxels > 0);
  CHECK(fabs(lps.centroid[0] + ras.centroid[0]) < 1e-9 && fabs(lps.centroid[1] + ras.centroid[1]) < 1e-9);
  CHECK(fabs(lps.centroid[2] - ras.centroid[2]) < 1e-9);
  /* Said to be LPS, the same numbers are another patient's: lying the other way around. */
  image.frame = GGPFN_LPS;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(memcmp(mask, in_lps, N) != 0);
  image.frame = 2;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(error_says("frame"));
  image.frame = GGPFN_LPS;
  image.direction[0] = image.direction[1] = 0.5;
  EXPECT(GGPFN_ERROR_IMAGE, ggpfn_segment(model, &image, &options, &result, NULL));
  image = plain_image();
  image.spacing[1] = 0.0;
  EXPECT(GGPFN_ERROR_IMAGE, ggpfn_segment(model, &image, &options, &result, NULL));
}

/* Structs and voxels at addresses that their types do not allow. */
static void misaligned(void) {
  static unsigned char place[8 * N + 64];
  static uint8_t mask[N];
  char structs[4][sizeof(ggpfn_result) + sizeof(ggpfn_image) + 1];
  ggpfn_image image = dense_image(place + 3, GGPFN_FLOAT64, 8 * N);
  for (int n = 0; n < N; n++) {
    double value = voxels[n];
    memcpy(place + 3 + 8 * n, &value, 8);
  }
  ggpfn_segment_options options = divided();
  ggpfn_measurements measurements = {.struct_size = sizeof(measurements)};
  ggpfn_result result = mask_result(mask);
  memcpy(structs[0] + 1, &image, sizeof(image));
  memcpy(structs[1] + 1, &options, sizeof(options));
  memcpy(structs[3] + 1, &measurements, sizeof(measurements));
  result.measurements = (ggpfn_measurements *)(void *)(structs[3] + 1);
  memcpy(structs[2] + 1, &result, sizeof(result));
  OK(ggpfn_segment(model, (const ggpfn_image *)(const void *)(structs[0] + 1),
                   (const ggpfn_segment_options *)(const void *)(structs[1] + 1),
                   (const ggpfn_result *)(const void *)(structs[2] + 1), NULL));
  CHECK(memcmp(mask, expected, N) == 0);
  memcpy(&measurements, structs[3] + 1, sizeof(measurements));
  CHECK(measurements.voxels > 0 && measurements.struct_size == sizeof(measurements));
}

/* ---- what comes out ---- */

/* Parts of a mask that touch by faces, edges or corners; `largest`, if not NULL, gets the first of the largest size. */
static int parts_of(const uint8_t *mask, uint8_t *largest) {
  static int label[N], stack[N];
  int parts = 0, best = 0, best_size = 0;
  memset(label, 0, sizeof(label));
  for (int seed = 0; seed < N; seed++) {
    if (mask[seed] == 0 || label[seed] != 0) {
      continue;
    }
    int size = 0, top = 0;
    label[seed] = ++parts;
    stack[top++] = seed;
    while (top > 0) {
      int n = stack[--top], i = n % NX, j = n / NX % NY, k = n / (NX * NY);
      size++;
      for (int m = 0; m < 27; m++) {
        int a = i + m % 3 - 1, b = j + m / 3 % 3 - 1, c = k + m / 9 - 1;
        int other = a + NX * (b + NY * c);
        if (a >= 0 && a < NX && b >= 0 && b < NY && c >= 0 && c < NZ && mask[other] != 0 && label[other] == 0) {
          label[other] = parts;
          stack[top++] = other;
        }
      }
    }
    if (size > best_size) {
      best = parts;
      best_size = size;
    }
  }
  for (int n = 0; largest != NULL && n < N; n++) {
    largest[n] = label[n] == best && best > 0;
  }
  return parts;
}

static void measurements(void) {
  static uint8_t mask[N], largest[N], kept[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_measurements m = {.struct_size = sizeof(m)};
  ggpfn_result result = mask_result(mask);
  image.origin[0] = 3.0;
  image.origin[1] = -4.0;
  image.origin[2] = 100.0;
  options.threshold = threshold + 0.004; /* fewer voxels, in several parts */
  result.measurements = &m;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  double sum = 0.0, squares = 0.0, centre[3] = {0, 0, 0};
  uint64_t count = 0, low[3] = {N, N, N}, high[3] = {0, 0, 0};
  for (int n = 0; n < N; n++) {
    CHECK(mask[n] <= 1);
    if (mask[n] != 0) {
      uint64_t at[3] = {(uint64_t)(n % NX), (uint64_t)(n / NX % NY), (uint64_t)(n / (NX * NY))};
      count++;
      sum += voxels[n];
      squares += (double)voxels[n] * voxels[n];
      for (int axis = 0; axis < 3; axis++) {
        centre[axis] += (double)at[axis];
        low[axis] = at[axis] < low[axis] ? at[axis] : low[axis];
        high[axis] = at[axis] > high[axis] ? at[axis] : high[axis];
      }
    }
  }
  CHECK(count > 10 && count < N - 10);
  CHECK(m.voxels == count && fabs(m.volume_ml - (double)count * 0.8 * 0.9 * 2.5 / 1000.0) < 1e-9);
  /* So small an image is no scan of an abdomen, and the result says so. */
  CHECK(m.expected_dice >= 0.0 && m.expected_dice <= 1.0 && m.doubtful == 1 && m.warning_count > 0);
  for (size_t index = 0; index <= (size_t)m.warning_count; index++) {
    char sentence[1024];
    int32_t kind = 0;
    size_t needed = 0;
    if (index == (size_t)m.warning_count) {
      EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_result_warning(index, &kind, sentence, sizeof(sentence), &needed));
      CHECK(kind == 0 && needed == 0);
      break;
    }
    OK(ggpfn_result_warning(index, &kind, sentence, sizeof(sentence), &needed));
    CHECK(kind >= GGPFN_WARNING_NOTHING_FOUND && kind <= GGPFN_WARNING_STRAY_VALUES);
    CHECK(needed == strlen(sentence) + 1 && needed > 20);
    EXPECT(GGPFN_ERROR_BUFFER, ggpfn_result_warning(index, NULL, sentence, 5, NULL));
    CHECK(strlen(sentence) == 4);
  }
  double mean = sum / (double)count;
  CHECK(fabs(m.mean_hu - mean) < 1e-6);
  CHECK(fabs(m.std_hu - sqrt(squares / (double)count - mean * mean)) < 1e-6);
  for (int axis = 0; axis < 3; axis++) {
    CHECK(m.box_start[axis] == low[axis] && m.box_size[axis] == high[axis] - low[axis] + 1);
    CHECK(fabs(m.box_mm[axis] - (double)m.box_size[axis] * image.spacing[axis]) < 1e-9);
    double place = image.origin[axis] + image.spacing[axis] * centre[axis] / (double)count;
    CHECK(fabs(m.centroid[axis] - place) < 1e-9);
    CHECK(fabs(m.view_weights[axis] - 1.0 / 3.0) < 1e-12);
  }
  CHECK(m.threshold == options.threshold && m.seconds > 0.0 && m.seconds < 60.0);
  CHECK(m.device == GGPFN_DEVICE_CPU && m.precision == GGPFN_PRECISION_FLOAT32);
  int parts = parts_of(mask, largest);
  CHECK(parts > 1 && m.components == (uint64_t)parts);

  options.largest_component = 1;
  result.mask = dense_output(kept, N);
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(memcmp(kept, largest, N) == 0 && m.components == 1);

  /* No voxel reaches 1. */
  options.threshold = 1.0;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(m.voxels == 0 && m.components == 0 && m.volume_ml == 0.0 && isnan(m.mean_hu) && isnan(m.std_hu));
  CHECK(isnan(m.centroid[0]) && isnan(m.box_mm[2]) && m.box_size[1] == 0);
  /* Nothing asked for is no mistake, and neither are measurements alone. */
  result.mask.data = NULL;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  result.measurements = NULL;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
}

/* Several models: the mean of their probabilities, and what an array of handles can be that is none. */
static void ensembles(void) {
  static float first[N], second[N], both[N];
  static uint8_t mask[N];
  ggpfn_model *other = small_model(6), *gone = small_model(7), *two = NULL;
  ggpfn_model_free(gone);
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  result.probability = dense_output(first, sizeof(first));
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  result.probability = dense_output(second, sizeof(second));
  OK(ggpfn_segment(other, &image, &options, &result, NULL));
  result.probability = dense_output(both, sizeof(both));
  const ggpfn_model *models[3] = {model, other, NULL};
  OK(ggpfn_segment_ensemble(models, 2, &image, &options, &result, NULL));
  int wrong = 0, wrong_mask = 0;
  for (int n = 0; n < N; n++) {
    wrong += fabsf(both[n] - (first[n] + second[n]) / 2.0f) > 1e-6f;
    wrong_mask += mask[n] != ((double)both[n] >= threshold);
  }
  CHECK(wrong == 0 && wrong_mask == 0 && memcmp(first, second, sizeof(first)) != 0);
  OK(ggpfn_segment_ensemble(models, 1, &image, &options, &result, NULL));
  CHECK(memcmp(both, first, sizeof(first)) == 0);

  ggpfn_memory one = {.struct_size = sizeof(one)}, many = {.struct_size = sizeof(many)};
  OK(ggpfn_estimate_memory(model, &image, &options, &result, &one));
  OK(ggpfn_estimate_memory_ensemble(models, 1, &image, &options, &result, &many));
  CHECK(many.host_bytes == one.host_bytes);
  OK(ggpfn_estimate_memory_ensemble(models, 2, &image, &options, &result, &many));
  CHECK(many.host_bytes == one.host_bytes + 4u * N);

  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(models, 0, &image, &options, &result, NULL));
  CHECK(error_says("from 1 to 1024"));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(models, SIZE_MAX, &image, &options, &result, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(NULL, 2, &image, &options, &result, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(models, 3, &image, &options, &result, NULL));
  models[2] = gone;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(models, 3, &image, &options, &result, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_estimate_memory_ensemble(models, 3, &image, &options, &result, &many));
  MUST(ggpfn_model_new("{\"t\": 2, \"widths\": [4, 4, 4, 4], \"global_widths\": null, \"labels\": [\"pancreas\", \"tumour\"]}", 1,
                       &two));
  models[2] = two;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment_ensemble(models, 3, &image, &options, &result, NULL));
  CHECK(error_says("number 3 segments pancreas (1) and tumour (2)"));
  ggpfn_model_free(two);
  ggpfn_model_free(other);
}

static void probabilities(void) {
  static float fused[N], views[3][N], uncertainty[N], alone[N], again[N];
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  result.probability = dense_output(fused, sizeof(fused));
  result.uncertainty = dense_output(uncertainty, sizeof(uncertainty));
  for (int view = 0; view < 3; view++) {
    result.view_probability[view] = dense_output(views[view], sizeof(views[view]));
  }
  options.view_weights[GGPFN_AXIAL] = 4.0;
  options.view_weights[GGPFN_SAGITTAL] = 1.0;
  options.view_weights[GGPFN_CORONAL] = 3.0;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  int wrong_sum = 0, wrong_deviation = 0, wrong_mask = 0;
  for (int n = 0; n < N; n++) {
    double a = views[0][n], s = views[1][n], c = views[2][n], mean = (a + s + c) / 3.0;
    double deviation = sqrt(((a - mean) * (a - mean) + (s - mean) * (s - mean) + (c - mean) * (c - mean)) / 3.0);
    wrong_sum += fabs(fused[n] - (4.0 * a + s + 3.0 * c) / 8.0) > 1e-6;
    wrong_deviation += fabs(uncertainty[n] - deviation) > 1e-6;
    wrong_mask += mask[n] != ((double)fused[n] >= threshold);
  }
  CHECK(wrong_sum == 0 && wrong_deviation == 0 && wrong_mask == 0);
  CHECK(memcmp(views[0], views[1], sizeof(alone)) != 0);

  /* A view alone is its own probability, whatever its weight. */
  const int32_t bits[3] = {1 << GGPFN_AXIAL, 1 << GGPFN_SAGITTAL, 1 << GGPFN_CORONAL};
  for (int view = 0; view < 3; view++) {
    ggpfn_measurements m = {.struct_size = sizeof(m)};
    ggpfn_result one = mask_result(mask);
    one.probability = dense_output(alone, sizeof(alone));
    one.measurements = &m;
    options.views = bits[view];
    OK(ggpfn_segment(model, &image, &options, &one, NULL));
    CHECK(memcmp(alone, views[view], sizeof(alone)) == 0);
    CHECK(m.view_weights[view] == 1.0 && m.view_weights[(view + 1) % 3] == 0.0);
    one.uncertainty = dense_output(uncertainty, sizeof(uncertainty));
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &one, NULL));
    one.uncertainty.data = NULL;
    one.view_probability[(view + 1) % 3] = dense_output(again, sizeof(again));
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &one, NULL));
    CHECK(error_says("not computed"));
  }
  options.views = 0;

  /* Slices in a block change nothing; patches, as wide as what a pixel sees, next to nothing. */
  ggpfn_result plain = mask_result(mask);
  plain.probability = dense_output(again, sizeof(again));
  for (options.block = 1; options.block < 40; options.block += 12) {
    OK(ggpfn_segment(model, &image, &options, &plain, NULL));
    float worst = 0.0f;
    for (int n = 0; n < N; n++) {
      worst = fmaxf(worst, fabsf(again[n] - fused[n]));
    }
    CHECK(worst < 1e-5f);
  }
  options.block = 0;
  options.patch[0] = options.patch[1] = 256;
  OK(ggpfn_segment(model, &image, &options, &plain, NULL));
  CHECK(memcmp(again, fused, sizeof(again)) == 0);
  options.patch[0] = options.patch[1] = 16;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &plain, NULL));
  CHECK(error_says("overlap"));
  options.overlap = 8;
  OK(ggpfn_segment(model, &image, &options, &plain, NULL));
  int outside = 0;
  for (int n = 0; n < N; n++) {
    outside += !(again[n] >= 0.0f && again[n] <= 1.0f);
  }
  CHECK(outside == 0 && memcmp(again, fused, sizeof(again)) != 0);

  /* Options that nothing can be done with. */
  const struct {
    int32_t views, device, precision, threads, block, patch, overlap;
    double weight, threshold;
  } bad[] = {
      {8, 0, 0, 0, 0, 0, 0, 0, 0},     {-1, 0, 0, 0, 0, 0, 0, 0, 0},  {0, 3, 0, 0, 0, 0, 0, 0, 0},
      {0, -1, 0, 0, 0, 0, 0, 0, 0},    {0, 0, 3, 0, 0, 0, 0, 0, 0},   {0, 0, -1, 0, 0, 0, 0, 0, 0},
      {0, 0, 0, -1, 0, 0, 0, 0, 0},    {0, 0, 0, 0, -1, 0, 0, 0, 0},  {0, 0, 0, 0, 0, 12, 4, 0, 0},
      {0, 0, 0, 0, 0, -8, 4, 0, 0},    {0, 0, 0, 0, 0, 16, -1, 0, 0}, {0, 0, 0, 0, 0, 0, 0, -1, 0},
      {0, 0, 0, 0, 0, 0, 0, NAN, 0},   {0, 0, 0, 0, 0, 0, 0, 0, 1.5}, {0, 0, 0, 0, 0, 0, 0, 0, -0.5},
      {0, 0, 0, 0, 0, 0, 0, INFINITY, 0}, {0, 0, 0, 0, 0, 0, 0, 0, NAN},
      /* An overlap of no patches. */
      {0, 0, 0, 0, 0, 0, 8, 0, 0},
  };
  for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
    ggpfn_segment_options o = {.struct_size = sizeof(o)};
    o.views = bad[n].views;
    o.device = bad[n].device;
    o.precision = bad[n].precision;
    o.threads = bad[n].threads;
    o.block = bad[n].block;
    o.patch[0] = o.patch[1] = bad[n].patch;
    o.overlap = bad[n].overlap;
    o.view_weights[0] = bad[n].weight;
    o.threshold = bad[n].threshold;
    plain = mask_result(mask);
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &o, &plain, NULL));
    CHECK(mask[0] == 7);
  }
}

static void regions(void) {
  static uint8_t mask[N], part_mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_measurements m = {.struct_size = sizeof(m)}, of_part = {.struct_size = sizeof(of_part)};
  ggpfn_result result = mask_result(mask);
  const size_t start[3] = {3, 2, 1}, size[3] = {12, 13, 9};
  memcpy(options.region_start, start, sizeof(start));
  memcpy(options.region_size, size, sizeof(size));
  result.measurements = &m;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  /* The same as the part alone, which strides cut out without a copy. */
  image.data = voxels + start[0] + NX * (start[1] + NY * start[2]);
  image.data_bytes = sizeof(voxels) - 2 * (start[0] + NX * (start[1] + NY * start[2]));
  memcpy(image.size, size, sizeof(size));
  image.strides[0] = 2;
  image.strides[1] = 2 * NX;
  image.strides[2] = 2 * NX * NY;
  for (int axis = 0; axis < 3; axis++) {
    image.origin[axis] = (double)start[axis] * image.spacing[axis];
  }
  memset(options.region_size, 0, sizeof(options.region_size));
  memset(options.region_start, 0, sizeof(options.region_start));
  ggpfn_result part = mask_result(part_mask);
  part.mask.data_bytes = size[0] * size[1] * size[2];
  part.measurements = &of_part;
  OK(ggpfn_segment(model, &image, &options, &part, NULL));
  size_t inside = 0, wrong = 0;
  for (size_t n = 0; n < N; n++) {
    size_t at[3] = {n % NX - start[0], n / NX % NY - start[1], n / (NX * NY) - start[2]};
    /* Numbers below the start wrap around to huge ones. */
    int within = at[0] < size[0] && at[1] < size[1] && at[2] < size[2];
    uint8_t wanted = within ? part_mask[at[0] + size[0] * (at[1] + size[1] * at[2])] : 0;
    wrong += mask[n] != wanted;
    inside += mask[n];
  }
  CHECK(wrong == 0 && inside > 10 && m.voxels == inside && of_part.voxels == inside);
  for (int axis = 0; axis < 3; axis++) {
    CHECK(m.box_start[axis] == of_part.box_start[axis] + start[axis] && m.box_size[axis] == of_part.box_size[axis]);
    CHECK(fabs(m.centroid[axis] - of_part.centroid[axis]) < 1e-9);
  }
  image = plain_image();
  const size_t outside[][6] = {{9, 0, 0, 12, 1, 1},
                               {0, 0, 0, NX + 1, 1, 1},
                               {0, 0, 0, 1, 0, 1},
                               {SIZE_MAX, 0, 0, 2, 1, 1},
                               {0, 0, 0, SIZE_MAX, 1, 1},
                               {1, 1, 1, SIZE_MAX, SIZE_MAX, SIZE_MAX}};
  for (size_t n = 0; n < sizeof(outside) / sizeof(*outside); n++) {
    memcpy(options.region_start, outside[n], sizeof(options.region_start));
    memcpy(options.region_size, outside[n] + 3, sizeof(options.region_size));
    result = mask_result(mask);
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &result, NULL));
    CHECK(mask[0] == 7);
  }
}

/* Nothing outside of a region is read: not where it is no number, and not where it is no memory. */
static void guarded(void) {
  enum { SIDE = 64, SLICES = 12, VOXELS = SIDE * SIDE * SLICES };
  const size_t start[3] = {20, 32, 3}, size[3] = {24, 16, 6};
  const size_t page = 4096, slice = SIDE * SIDE * sizeof(float);
  static float found[VOXELS], probability[VOXELS];
  void *memory = NULL;
  if (sysconf(_SC_PAGESIZE) != (long)page || posix_memalign(&memory, page, SLICES * slice) != 0) {
    printf("SKIPPED: pages of another size\n");
    return;
  }
  float *values = memory;
  ggpfn_image image = plain_image();
  image.data = values;
  image.data_bytes = SLICES * slice;
  image.dtype = GGPFN_FLOAT32;
  image.size[0] = image.size[1] = SIDE;
  image.size[2] = SLICES;
  ggpfn_segment_options options = plain_options();
  /* All of the region: its measurements are those of the mask. */
  options.threshold = 1e-9;
  memcpy(options.region_start, start, sizeof(start));
  memcpy(options.region_size, size, sizeof(size));
  ggpfn_measurements m = {.struct_size = sizeof(m)}, first = m;
  for (int flipped = 0; flipped < 2; flipped++) {
    image.data = values;
    image.strides[0] = sizeof(float);
    image.strides[1] = SIDE * (int64_t)sizeof(float);
    image.strides[2] = (int64_t)slice;
    if (flipped) {
      image.data = (char *)memory + (SLICES - 1) * slice;
      image.strides[2] = -(int64_t)slice;
    }
    for (int unreadable = 0; unreadable < 2; unreadable++) {
      for (size_t n = 0; n < VOXELS; n++) {
        size_t k = flipped ? SLICES - 1 - n / (SIDE * SIDE) : n / (SIDE * SIDE);
        size_t at[3] = {n % SIDE - start[0], n / SIDE % SIDE - start[1], k - start[2]};
        int inside = at[0] < size[0] && at[1] < size[1] && at[2] < size[2];
        values[n] = inside || !unreadable ? (float)(n * 7919 % 301) - 150.0f - 20.0f * (float)k : NAN_VALUE;
      }
      if (unreadable) {
        for (size_t k = 0; k < SLICES; k++) {
          size_t of_image = flipped ? SLICES - 1 - k : k;
          for (size_t part = 0; part < slice / page; part++) {
            /* A page is 16 rows. */
            int inside = of_image - start[2] < size[2] && part == start[1] / 16;
            CHECK(mprotect((char *)memory + k * slice + part * page, page, inside ? PROT_READ : PROT_NONE) == 0);
          }
        }
      }
      ggpfn_result result = {.struct_size = sizeof(result)};
      result.probability = dense_output(found, sizeof(found));
      result.measurements = &m;
      OK(ggpfn_segment(model, &image, &options, &result, NULL));
      CHECK(mprotect(memory, SLICES * slice, PROT_READ | PROT_WRITE) == 0);
      if (unreadable) {
        CHECK(memcmp(found, probability, sizeof(found)) == 0);
        CHECK(m.mean_hu == first.mean_hu && m.expected_dice == first.expected_dice);
        CHECK(m.warning_count == first.warning_count && m.voxels == size[0] * size[1] * size[2]);
      } else {
        memcpy(probability, found, sizeof(found));
        first = m;
      }
    }
  }
  /* A voxel that is no number at the region's edge: it may lie amid the body. At the image's border it was never measured. */
  size_t edge = ((SLICES - 1 - (start[2] + 2)) * SIDE + start[1] + 8) * SIDE + start[0];
  values[edge] = NAN_VALUE;
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.probability = dense_output(found, sizeof(found));
  EXPECT(GGPFN_ERROR_IMAGE, ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(error_says("not finite"));
  options.region_start[0] = 0;
  options.region_size[0] += start[0];
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  free(memory);
}

/* Everything that can be wanted, and nothing of it written when one thing is wrong. */
static void untouched(void) {
  static float floats[5][N];
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_measurements m;
  ggpfn_result good = mask_result(mask), result;
  memset(floats, 0x11, sizeof(floats));
  memset(&m, 0x11, sizeof(m));
  m.struct_size = sizeof(m);
  ggpfn_measurements before = m;
  good.probability = dense_output(floats[0], sizeof(floats[0]));
  good.uncertainty = dense_output(floats[1], sizeof(floats[1]));
  for (int view = 0; view < 3; view++) {
    good.view_probability[view] = dense_output(floats[2 + view], sizeof(floats[0]));
  }
  good.measurements = &m;
  for (int fault = 0; fault < 12; fault++) {
    result = good;
    ggpfn_image bad = image;
    ggpfn_segment_options o = options;
    ggpfn_status wanted = GGPFN_ERROR_ARGUMENT;
    m = before;
    switch (fault) {
      case 0: result.mask.data_bytes = N - 1; break;
      case 1: result.uncertainty.data_bytes = 4 * N - 1; break;
      case 2: result.view_probability[2].data_bytes = 3; break;
      case 3: result.probability.strides[2] = INT64_MAX; break;
      case 4: m.struct_size = 10000; break;
      case 5: m.struct_size = 0; break;
      case 6: bad.data_bytes = 1; break;
      case 7: o.threshold = 2.0; break;
      case 8: o.region_start[0] = 1; break;
      /* Rows on each other, and voxels that share bytes. */
      case 9: result.probability.strides[0] = 4; result.probability.strides[2] = 4 * NX; break;
      case 10: result.probability.strides[0] = 2; result.probability.strides[1] = 4 * NX; result.probability.strides[2] = 4 * NX * NY; break;
      default: bad.spacing[0] = NAN_VALUE; wanted = GGPFN_ERROR_IMAGE; break;
    }
    EXPECT(wanted, ggpfn_segment(model, &bad, &o, &result, NULL));
    m.struct_size = before.struct_size;
    CHECK(memcmp(&m, &before, sizeof(m)) == 0);
    size_t touched = 0;
    for (size_t n = 0; n < N; n++) {
      touched += mask[n] != 7;
    }
    for (size_t n = 0; n < sizeof(floats); n++) {
      touched += ((unsigned char *)floats)[n] != 0x11;
    }
    CHECK(touched == 0);
  }
}

static void memory_estimate(void) {
  static float probability[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_memory small = {.struct_size = sizeof(small)}, large = small, most = small;
  ggpfn_result result = {.struct_size = sizeof(result)};
  image.data = NULL;
  image.data_bytes = 0;
  OK(ggpfn_estimate_memory(model, &image, &options, NULL, &small));
  CHECK(small.host_bytes > 4 * N && small.device_bytes == 0 && small.struct_size == sizeof(small));
  image.size[0] = image.size[1] = 512;
  image.size[2] = 100;
  OK(ggpfn_estimate_memory(model, &image, NULL, NULL, &large));
  CHECK(large.host_bytes > small.host_bytes + 4 * (uint64_t)512 * 512 * 100);
  options.views = 1;
  OK(ggpfn_estimate_memory(model, &image, &options, NULL, &small));
  result.probability = dense_output(probability, 0);
  result.view_probability[GGPFN_AXIAL] = result.probability;
  OK(ggpfn_estimate_memory(model, &image, &options, &result, &most));
  CHECK(most.host_bytes > small.host_bytes);
  result.view_probability[GGPFN_CORONAL] = result.probability;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_estimate_memory(model, &image, &options, &result, &most));
  image.size[0] = image.size[1] = image.size[2] = 65536;
  OK(ggpfn_estimate_memory(model, &image, NULL, NULL, &large));
  CHECK(large.host_bytes > (uint64_t)1 << 50);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_estimate_memory(model, &image, NULL, NULL, NULL));
  image.size[1] = 65537;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_estimate_memory(model, &image, NULL, NULL, &large));
  image = plain_image();
  options.region_size[0] = options.region_size[1] = options.region_size[2] = SIZE_MAX;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_estimate_memory(model, &image, &options, NULL, &large));
}

/* ---- without a model ---- */

/* Another threshold on a probability that was kept. */
static void thresholding(void) {
  static uint8_t mask[N], tried[N];
  static float probability[N];
  ggpfn_image image = plain_image();
  image.frame = GGPFN_RAS;
  ggpfn_segment_options options = divided();
  ggpfn_measurements found, said;
  memset(&found, 0x5a, sizeof(found));
  found.struct_size = sizeof(found);
  said = found;
  ggpfn_result result = mask_result(mask);
  result.probability = dense_output(probability, sizeof(probability));
  result.measurements = &found;
  for (int largest = 0; largest < 2; largest++) {
    options.largest_component = largest;
    OK(ggpfn_segment(model, &image, &options, &result, NULL));
    OK(ggpfn_threshold(&image, probability, threshold, largest, tried, &said));
    CHECK(memcmp(tried, mask, N) == 0 && said.voxels == found.voxels && said.components == found.components);
    CHECK(said.volume_ml == found.volume_ml && said.mean_hu == found.mean_hu && said.std_hu == found.std_hu);
    CHECK(memcmp(said.centroid, found.centroid, sizeof(said.centroid)) == 0);
    CHECK(memcmp(said.box_start, found.box_start, sizeof(said.box_start)) == 0);
    CHECK(memcmp(said.box_size, found.box_size, sizeof(said.box_size)) == 0 && said.threshold == threshold);
    CHECK(said.seconds == 0 && said.device == 0 && said.precision == 0 && said.view_weights[0] == 0);
  }
  CHECK(found.components == 1);
  /* 0 stands for one half. Either result alone will do. */
  OK(ggpfn_threshold(&image, probability, 0, 0, tried, NULL));
  for (int n = 0; n < N; n++) CHECK(tried[n] == (probability[n] >= 0.5f));
  OK(ggpfn_threshold(&image, probability, 1.0, 0, NULL, &said));
  CHECK(said.voxels == 0 && isnan(said.mean_hu) && isnan(said.centroid[0]) && said.box_size[0] == 0);
  memset(tried, 7, N);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_threshold(&image, probability, 1.5, 0, tried, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_threshold(&image, probability, NAN_VALUE, 0, tried, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_threshold(&image, NULL, 0.5, 0, tried, NULL));
  /* What is no probability. */
  const double no_probability[] = {NAN_VALUE, -0.01, 1.01, INFINITY};
  for (size_t n = 0; n < sizeof(no_probability) / sizeof(no_probability[0]); n++) {
    float kept = probability[N / 2];
    probability[N / 2] = (float)no_probability[n];
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_threshold(&image, probability, 0.5, 0, tried, NULL));
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(probability, NULL, NULL, NULL, N, 0.5, NULL, tried));
    probability[N / 2] = kept;
  }
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_threshold(&image, probability, 0.5, 0, NULL, NULL));
  for (int n = 0; n < N; n++) CHECK(tried[n] == 7);
}

static void fusing(void) {
  const float axial[4] = {0.0f, 1.0f, 0.5f, 0.25f}, sagittal[4] = {1.0f, 1.0f, 0.5f, 0.75f};
  const float coronal[4] = {0.0f, 0.0f, 0.5f, 0.5f};
  const double weights[3] = {2.0, 1.0, 1.0};
  float fused[4];
  uint8_t mask[4];
  OK(ggpfn_fuse(axial, sagittal, coronal, weights, 4, 0.0, fused, mask));
  CHECK(fused[0] == 0.25f && fused[1] == 0.75f && fused[2] == 0.5f && fused[3] == 0.4375f);
  CHECK(mask[0] == 0 && mask[1] == 1 && mask[2] == 1 && mask[3] == 0);
  /* Two views, with their own weights: 2 and 1 of 3. */
  OK(ggpfn_fuse(axial, NULL, coronal, weights, 4, 0.3, fused, mask));
  CHECK(fabsf(fused[1] - 2.0f / 3.0f) < 1e-6f && fabsf(fused[3] - 1.0f / 3.0f) < 1e-6f);
  CHECK(mask[0] == 0 && mask[1] == 1 && mask[2] == 1 && mask[3] == 1);
  OK(ggpfn_fuse(NULL, sagittal, coronal, NULL, 4, 0.0, fused, NULL));
  CHECK(fused[0] == 0.5f && fused[3] == 0.625f);
  mask[0] = 7;
  OK(ggpfn_fuse(NULL, sagittal, NULL, NULL, 3, 1.0, NULL, mask));
  CHECK(mask[0] == 1 && mask[1] == 1 && mask[2] == 0 && mask[3] == 1);
  const double bad[][3] = {{0, 0, 0}, {-1, 1, 1}, {NAN, 1, 1}, {INFINITY, 1, 1}};
  memset(fused, 0, sizeof(fused));
  mask[0] = 7;
  for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, sagittal, coronal, bad[n], 4, 0.0, fused, mask));
  }
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(NULL, NULL, NULL, NULL, 4, 0.0, fused, mask));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, NULL, NULL, NULL, 4, 0.0, NULL, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, NULL, NULL, NULL, 0, 0.0, fused, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, NULL, NULL, NULL, SIZE_MAX, 0.0, fused, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, NULL, NULL, NULL, 4, 1.5, fused, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_fuse(axial, NULL, NULL, NULL, 4, NAN_VALUE, fused, NULL));
  CHECK(fused[1] == 0.0f && mask[0] == 7);
}

static void evaluating(void) {
  static uint8_t truth[N];
  static float found[N];
  memset(truth, 0, sizeof(truth));
  memset(found, 0, sizeof(found));
  /* Two cubes of 4 x 4 x 4 voxels, one moved by a voxel along i. */
  for (int k = 3; k < 7; k++) {
    for (int j = 5; j < 9; j++) {
      for (int i = 5; i < 9; i++) {
        truth[i + NX * (j + NY * k)] = 255;
        found[i + 1 + NX * (j + NY * k)] = -0.5f;
      }
    }
  }
  ggpfn_image a = dense_image(found, GGPFN_FLOAT32, sizeof(found)), b = dense_image(truth, GGPFN_UINT8, sizeof(truth));
  ggpfn_comparison c = {.struct_size = sizeof(c)};
  OK(ggpfn_evaluate(&a, &b, &c));
  const double ml = 64.0 * 0.8 * 0.9 * 2.5 / 1000.0;
  CHECK(c.struct_size == sizeof(c) && fabs(c.dice - 0.75) < 1e-12 && fabs(c.jaccard - 0.6) < 1e-12);
  CHECK(fabs(c.precision - 0.75) < 1e-12 && fabs(c.recall - 0.75) < 1e-12);
  CHECK(fabs(c.prediction_ml - ml) < 1e-12 && fabs(c.truth_ml - ml) < 1e-12 && fabs(c.volume_error_percent) < 1e-9);
  /* No surface voxel is farther from the other cube's surface than the step of 0.8 mm. */
  CHECK(fabs(c.hausdorff95_mm - 0.8) < 1e-9 && c.mean_surface_mm > 0.0 && c.mean_surface_mm < 0.8);
  OK(ggpfn_evaluate(&b, &b, &c));
  CHECK(c.dice == 1.0 && c.hausdorff95_mm == 0.0 && c.mean_surface_mm == 0.0);
  memset(found, 0, sizeof(found));
  OK(ggpfn_evaluate(&a, &b, &c));
  CHECK(c.dice == 0.0 && isnan(c.hausdorff95_mm) && isnan(c.mean_surface_mm) && c.volume_error_percent == -100.0);
  CHECK(c.recall == 0.0);
  c.dice = 5.0;
  a.spacing[0] = 0.9;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_evaluate(&a, &b, &c));
  CHECK(error_says("grid") && c.dice == 5.0);
}

/* ---- following and stopping ---- */

typedef struct follower {
  pthread_t caller;
  int calls, falls, elsewhere, malformed;
  int stop_at;          /* the call that returns 0; 0: none */
  int stages, dices;    /* what a training reported */
  double fraction;
  void (*during)(void); /* what is to happen within the first call */
} follower;

static int32_t follow(const ggpfn_progress *progress, void *user_data) {
  follower *f = user_data;
  f->calls++;
  f->elsewhere += !pthread_equal(pthread_self(), f->caller);
  f->falls += progress->fraction < f->fraction;
  f->malformed += progress->struct_size < sizeof(*progress) || !(progress->fraction >= 0.0) ||
                  !(progress->fraction <= 1.0) || memchr(progress->phase, 0, sizeof(progress->phase)) == NULL;
  f->fraction = progress->fraction;
  if (progress->stage >= 0) {
    f->stages |= 1 << progress->stage;
    f->malformed += progress->epoch < 1 || progress->epoch > progress->epochs || progress->batch < 1 ||
                    progress->batch > progress->batches || isnan(progress->loss);
    f->dices += !isnan(progress->dice);
  }
  if (f->calls == 1 && f->during != NULL) {
    f->during();
  }
  return f->calls != f->stop_at;
}

static follower new_follower(void) {
  follower f;
  memset(&f, 0, sizeof(f));
  f.caller = pthread_self();
  return f;
}

static ggpfn_monitor *shared_monitor;

static void *cancel_shared(void *unused) {
  OK(ggpfn_monitor_cancel(shared_monitor));
  return unused;
}

static void cancel_from_elsewhere(void) { pthread_join(start_thread(cancel_shared, NULL), NULL); }

static void fail_inside(void) {
  ggpfn_model *none = NULL;
  EXPECT(GGPFN_ERROR_FILE, ggpfn_model_load("/nowhere/inside.safetensors", &none));
}

static volatile int polling;

static void *poll_shared(void *count) {
  double last = 0.0;
  while (polling) {
    ggpfn_progress progress = {.struct_size = sizeof(progress)};
    int32_t cancelled = 7;
    OK(ggpfn_monitor_progress(shared_monitor, &progress));
    OK(ggpfn_monitor_is_cancelled(shared_monitor, &cancelled));
    CHECK(progress.fraction >= last && progress.fraction <= 1.0 && cancelled == 0);
    last = progress.fraction;
    ++*(int *)count;
    sleep_milliseconds(1);
  }
  return NULL;
}

static void monitoring(void) {
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  ggpfn_progress progress = {.struct_size = sizeof(progress)};
  int32_t cancelled = 7;
  follower f = new_follower();
  MUST(ggpfn_monitor_new(&shared_monitor));
  OK(ggpfn_monitor_progress(shared_monitor, &progress));
  CHECK(progress.fraction == 0.0 && progress.phase[0] == '\0' && progress.view == -1 && isnan(progress.loss));
  OK(ggpfn_monitor_is_cancelled(shared_monitor, &cancelled));
  CHECK(cancelled == 0);

  OK(ggpfn_monitor_set_callback(shared_monitor, follow, &f));
  OK(ggpfn_segment(model, &image, &options, &result, shared_monitor));
  CHECK(f.calls > 6 && f.falls == 0 && f.elsewhere == 0 && f.malformed == 0 && f.fraction == 1.0);
  CHECK(memcmp(mask, expected, N) == 0);
  OK(ggpfn_monitor_progress(shared_monitor, &progress));
  CHECK(progress.fraction == 1.0 && progress.struct_size == sizeof(progress) && progress.epoch == -1);

  /* What the callback's own calls fail with is not the segmentation's error. */
  f = new_follower();
  f.during = fail_inside;
  OK(ggpfn_segment(model, &image, &options, &result, shared_monitor));
  CHECK(error_is_empty());

  /* 0 stops it; the request stays until it is taken back. */
  f = new_follower();
  f.stop_at = 2;
  result = mask_result(mask);
  EXPECT(GGPFN_ERROR_CANCELLED, ggpfn_segment(model, &image, &options, &result, shared_monitor));
  CHECK(mask[0] == 7 && mask[N - 1] == 7);
  OK(ggpfn_monitor_is_cancelled(shared_monitor, &cancelled));
  CHECK(cancelled == 1);
  f = new_follower();
  EXPECT(GGPFN_ERROR_CANCELLED, ggpfn_segment(model, &image, &options, &result, shared_monitor));
  OK(ggpfn_monitor_reset(shared_monitor));
  OK(ggpfn_monitor_is_cancelled(shared_monitor, &cancelled));
  OK(ggpfn_monitor_progress(shared_monitor, &progress));
  CHECK(cancelled == 0 && progress.fraction == 0.0);
  f = new_follower();
  OK(ggpfn_segment(model, &image, &options, &result, shared_monitor));
  CHECK(memcmp(mask, expected, N) == 0);

  /* Another thread stops it. */
  f = new_follower();
  f.during = cancel_from_elsewhere;
  result = mask_result(mask);
  EXPECT(GGPFN_ERROR_CANCELLED, ggpfn_segment(model, &image, &options, &result, shared_monitor));
  CHECK(mask[0] == 7 && error_says("cancel"));

  /* No callback: another thread asks how far it is. */
  OK(ggpfn_monitor_reset(shared_monitor));
  OK(ggpfn_monitor_set_callback(shared_monitor, NULL, NULL));
  int asked = 0;
  polling = 1;
  pthread_t thread = start_thread(poll_shared, &asked);
  OK(ggpfn_segment(model, &image, &options, &result, shared_monitor));
  polling = 0;
  pthread_join(thread, NULL);
  CHECK(asked > 0 && memcmp(mask, expected, N) == 0);
  ggpfn_monitor_free(shared_monitor);
}

static ggpfn_model *passing_model;

static void *free_both(void *unused) {
  ggpfn_model_free(passing_model);
  ggpfn_monitor_free(shared_monitor);
  return unused;
}

static void free_from_elsewhere(void) { pthread_join(start_thread(free_both, NULL), NULL); }

static void handles(void) {
  static uint8_t mask[N];
  ggpfn_image image = plain_image();
  ggpfn_segment_options options = divided();
  ggpfn_result result = mask_result(mask);
  ggpfn_model_info info = {.struct_size = sizeof(info)};
  follower f = new_follower();

  /* Freed while they are in use. */
  passing_model = small_model(5);
  MUST(ggpfn_monitor_new(&shared_monitor));
  f.during = free_from_elsewhere;
  OK(ggpfn_monitor_set_callback(shared_monitor, follow, &f));
  OK(ggpfn_segment(passing_model, &image, &options, &result, shared_monitor));
  CHECK(f.calls > 6 && f.fraction == 1.0 && memcmp(mask, expected, N) == 0);

  /* What was freed is known to be. */
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_describe(passing_model, &info));
  CHECK(error_says("freed"));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_monitor_cancel(shared_monitor));
  ggpfn_model_free(passing_model);
  ggpfn_monitor_free(shared_monitor);
  ggpfn_model_free(NULL);
  ggpfn_monitor_free(NULL);
  ggpfn_training_free(NULL);
  ggpfn_trainer_free(NULL);

  /* A new handle is not an old one's. */
  ggpfn_model *next = small_model(5);
  CHECK(next != passing_model);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_describe(passing_model, &info));

  /* Of another type, or of none. */
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_monitor_cancel((ggpfn_monitor *)(void *)next));
  CHECK(error_says("another type"));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(next, &image, &options, &result, (ggpfn_monitor *)(void *)next));
  ggpfn_monitor_free((ggpfn_monitor *)(void *)next);
  ggpfn_training_free((ggpfn_training *)(void *)next);
  OK(ggpfn_model_describe(next, &info));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_describe((ggpfn_model *)(void *)mask, &info));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_describe((ggpfn_model *)(uintptr_t)1, &info));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_describe((ggpfn_model *)(uintptr_t)SIZE_MAX, &info));
  ggpfn_model_free((ggpfn_model *)(void *)mask);
  ggpfn_model_free(next);
}

/* ---- training ---- */

static const char training_options[] =
    "preset = \"small\"\nseed = 3\nviews = [\"axial\", \"coronal\"]\nt = 2\nwidths = [4, 4, 4, 4]\n"
    "global_widths = [4, 4, 4, 4, 4]\nspacing = [2.5, 2.5, 2.5]\nmixed_precision = false\n"
    "samples_per_volume = 4\nslices_per_sample = 2\nvalidate_every = 1\nthreads = 1\nloader_threads = 1\n"
    "[patch]\naxial = [16, 16]\ncoronal = [16, 16]\n[global_size]\naxial = [32, 32]\ncoronal = [32, 32]\n"
    "[global]\nepochs = 1\nbatch = 2\n[local]\nepochs = 2\nbatch = 2\n[whole]\nepochs = 1\nbatch = 2\n";

enum { SIDE = 24, HEIGHT = 16, CASE = SIDE * SIDE * HEIGHT };
static int16_t case_voxels[2][CASE];
static uint8_t case_mask[2][CASE];

static ggpfn_image case_image(const void *data, int32_t dtype, size_t bytes) {
  ggpfn_image image = dense_image(data, dtype, bytes);
  image.size[0] = image.size[1] = SIDE;
  image.size[2] = HEIGHT;
  image.spacing[0] = image.spacing[1] = image.spacing[2] = 2.5;
  return image;
}

static void add_cases(ggpfn_training *training) {
  for (int which = 0; which < 2; which++) {
    for (int n = 0; n < CASE; n++) {
      int i = n % SIDE - 12 + which, j = n / SIDE % SIDE - 11, k = n / (SIDE * SIDE) - 8;
      case_mask[which][n] = i * i + j * j + k * k < 30;
      case_voxels[which][n] = (int16_t)(20 + 100 * case_mask[which][n] + (n + which) * 7919 % 41);
    }
    ggpfn_image image = case_image(case_voxels[which], GGPFN_INT16, sizeof(case_voxels[which]));
    ggpfn_image mask = case_image(case_mask[which], GGPFN_UINT8, sizeof(case_mask[which]));
    OK(ggpfn_training_add_case(training, which == 0 ? "one" : "two", &image, &mask, which));
    mask.size[2]--;
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_add_case(training, "three", &image, &mask, which));
    CHECK(error_says("three"));
    mask.size[2]++;
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_add_case(training, "three", &image, &mask, 2));
  }
}

static ggpfn_training *training_with(const char *options) {
  ggpfn_training *training = NULL;
  MUST(ggpfn_training_new(options, &training));
  OK(ggpfn_training_set_device(training, GGPFN_DEVICE_CPU, 0));
  add_cases(training);
  return training;
}

/* The hash of a model's file: equal for equal weights and equal provenance. */
static const char *hash_of(const ggpfn_model *of) {
  static ggpfn_model_info info[2];
  static int turn;
  turn = !turn;
  info[turn].struct_size = sizeof(info[turn]);
  OK(ggpfn_model_describe(of, &info[turn]));
  return info[turn].sha256;
}

static ggpfn_training *busy_training;

static void *use_busy(void *unused) {
  size_t needed = 0;
  ggpfn_trainer *none = NULL;
  EXPECT(GGPFN_ERROR_BUSY, ggpfn_training_options(busy_training, NULL, 0, &needed));
  CHECK(error_says("another thread"));
  EXPECT(GGPFN_ERROR_BUSY, ggpfn_training_set_minutes(busy_training, 1.0));
  EXPECT(GGPFN_ERROR_BUSY, ggpfn_trainer_new(busy_training, GGPFN_AXIAL, GGPFN_STAGE_LOCAL, 0, 1, &none));
  CHECK(none == NULL);
  return unused;
}

static void use_busy_from_elsewhere(void) {
  pthread_join(start_thread(use_busy, NULL), NULL);
  ggpfn_training_free(busy_training);
}

static int32_t gather_of_one(const void *send, void *receive, size_t bytes, void *user_data) {
  (void)user_data;
  memcpy(receive, send, bytes);
  return 0;
}

static int32_t gather_of_none(const void *send, void *receive, size_t bytes, void *user_data) {
  (void)send, (void)receive, (void)bytes, (void)user_data;
  return 7;
}

static void training(void) {
  char text[8192], path[4200];
  ggpfn_model *first = NULL, *second = NULL;
  ggpfn_monitor *monitor = NULL;
  ggpfn_training_result result = {.struct_size = sizeof(result)};
  follower f = new_follower();
  ggpfn_training *t = NULL;

  const char *refused[] = {"nonsense",  "epoch = 3\n",        "preset = \"large\"\n", "t = 0\n", "views = []\n",
                           "[patch]\naxial = [7, 8]\n", "t = \"two\"\n", "[local]\nbatch = 0\n"};
  for (size_t n = 0; n < sizeof(refused) / sizeof(*refused); n++) {
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_new(refused[n], &t));
    CHECK(t == NULL);
  }
  /* Options go out as they came in. */
  MUST(ggpfn_training_new(training_options, &t));
  OK(ggpfn_training_options(t, text, sizeof(text), NULL));
  CHECK(strstr(text, "seed = 3") != NULL);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_run(t, NULL, &first, NULL));
  CHECK(error_says("cases"));
  ggpfn_training_free(t);
  MUST(ggpfn_monitor_new(&monitor));
  OK(ggpfn_monitor_set_callback(monitor, follow, &f));

  /* A training from its own text, followed to its end; meanwhile its handle is busy, and then freed. */
  busy_training = t = training_with(text);
  f.during = use_busy_from_elsewhere;
  OK(ggpfn_training_run(t, monitor, &first, &result));
  CHECK(result.end == GGPFN_END_DONE && result.cases == 1);
  CHECK(result.dice[0] >= 0.0 && result.dice[2] >= 0.0 && isnan(result.dice[1]));
  CHECK(f.calls > 10 && f.falls == 0 && f.elsewhere == 0 && f.malformed == 0 && f.fraction == 1.0);
  CHECK(f.stages == 7 && f.dices == 8);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_run(t, monitor, &second, &result));
  ggpfn_model_info info = {.struct_size = sizeof(info)};
  OK(ggpfn_model_describe(first, &info));
  CHECK(info.views == (1 << GGPFN_AXIAL | 1 << GGPFN_CORONAL) && info.t == 2 && info.spacing[2] == 2.5);

  /* Stopped and taken up again from its folder, it comes to the same weights. */
  snprintf(path, sizeof(path), "%s/run", folder);
  t = training_with(training_options);
  OK(ggpfn_training_set_folder(t, path, 0));
  f = new_follower();
  f.stop_at = 3;
  OK(ggpfn_training_run(t, monitor, &second, &result));
  CHECK(result.end == GGPFN_END_CANCELLED && strcmp(hash_of(first), hash_of(second)) != 0);
  ggpfn_model_free(second);
  second = NULL;
  ggpfn_training_free(t);
  OK(ggpfn_monitor_reset(monitor));
  f = new_follower();
  t = training_with(training_options);
  OK(ggpfn_training_set_folder(t, path, 1));
  OK(ggpfn_training_run(t, monitor, &second, &result));
  CHECK(result.end == GGPFN_END_DONE && f.falls == 0 && strcmp(hash_of(first), hash_of(second)) == 0);
  ggpfn_model_free(second);
  second = NULL;
  snprintf(path, sizeof(path), "%s/run/model.safetensors", folder);
  OK(ggpfn_model_load(path, &second));
  CHECK(strcmp(hash_of(first), hash_of(second)) == 0);
  ggpfn_model_free(second);
  second = NULL;
  ggpfn_training_free(t);

  /* No time at all, and a request to stop from before. */
  t = training_with(training_options);
  OK(ggpfn_training_set_minutes(t, 1e-9));
  OK(ggpfn_training_run(t, NULL, &second, &result));
  CHECK(result.end == GGPFN_END_OUT_OF_TIME && isnan(result.dice[0]));
  ggpfn_model_free(second);
  second = NULL;
  OK(ggpfn_training_set_minutes(t, 0.0));
  OK(ggpfn_monitor_cancel(monitor));
  OK(ggpfn_training_run(t, monitor, &second, NULL));
  ggpfn_model_free(second);
  second = NULL;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_minutes(t, -1.0));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_minutes(t, NAN_VALUE));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_model(t, first, 0)); /* after the cases */
  ggpfn_training_free(t);

  /* Several processes: this one alone, and one whose others are gone. */
  t = training_with(training_options);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_peers(t, 2, 2, 0, gather_of_one, gather_of_one, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_peers(t, 0, 1, 8, gather_of_one, gather_of_one, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_peers(t, 0, 1, 1 << GGPFN_SAGITTAL, gather_of_one, gather_of_one, NULL));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_peers(t, 0, 1, 0, NULL, gather_of_one, NULL));
  OK(ggpfn_training_set_peers(t, 0, 1, 0, gather_of_one, gather_of_one, NULL));
  OK(ggpfn_training_run(t, NULL, &second, &result));
  CHECK(result.end == GGPFN_END_DONE && strcmp(hash_of(first), hash_of(second)) == 0);
  ggpfn_model_free(second);
  second = NULL;
  OK(ggpfn_training_set_peers(t, 0, 2, 0, gather_of_none, gather_of_none, NULL));
  EXPECT(GGPFN_ERROR_TRAINING, ggpfn_training_run(t, NULL, &second, NULL));
  CHECK(error_says("all_gather gave 7") && second == NULL);
  ggpfn_training_free(t);

  /* From a model's weights: its network is taken over, and the whole alone is trained. */
  OK(ggpfn_monitor_reset(monitor));
  MUST(ggpfn_training_new("slices_per_sample = 2\nmixed_precision = false\nthreads = 1\n"
                          "[patch]\naxial = [16, 16]\ncoronal = [16, 16]\n[whole]\nepochs = 1\nbatch = 2\n", &t));
  OK(ggpfn_training_set_model(t, first, 0));
  OK(ggpfn_training_set_device(t, GGPFN_DEVICE_CPU, 0));
  add_cases(t);
  f = new_follower();
  OK(ggpfn_training_run(t, monitor, &second, &result));
  CHECK(result.end == GGPFN_END_DONE && f.stages == 1 << GGPFN_STAGE_WHOLE);
  CHECK(strcmp(hash_of(first), hash_of(second)) != 0);
  ggpfn_model_free(second);
  ggpfn_training_free(t);
  MUST(ggpfn_training_new(NULL, &t));
  OK(ggpfn_training_set_model(t, first, 1));
  OK(ggpfn_training_options(t, text, sizeof(text), NULL));
  CHECK(strstr(text, "widths = [4, 4, 4, 4]") != NULL && strstr(text, "sagittal\"]") == NULL);
  /* What the options name holds, or is refused: never passed over. */
  ggpfn_training *named = NULL;
  MUST(ggpfn_training_new("views = [\"sagittal\"]\nthreshold = 0.25\n[local]\nepochs = 9\n", &named));
  OK(ggpfn_training_set_model(named, first, 0));
  OK(ggpfn_training_options(named, text, sizeof(text), NULL));
  CHECK(strstr(text, "views = [\"sagittal\"]") != NULL && strstr(text, "threshold = 0.25") != NULL);
  CHECK(strstr(text, "epochs = 9") != NULL && strstr(text, "[global]\nepochs = 0") != NULL);
  ggpfn_training_free(named);
  MUST(ggpfn_training_new("t = 3\n", &named));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_model(named, first, 0));
  CHECK(error_says("t is 3"));
  ggpfn_training_free(named);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_device(t, 3, 0));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_training_set_device(t, GGPFN_DEVICE_CUDA, -1));
  ggpfn_training_free(t);
  ggpfn_model_free(first);
  ggpfn_monitor_free(monitor);
}

static ggpfn_trainer *busy_trainer;
static volatile int stepping;

static void *step_busy(void *unused) {
  while (stepping) {
    ggpfn_status status = ggpfn_trainer_gradients(busy_trainer, NULL);
    CHECK(status == GGPFN_OK || status == GGPFN_ERROR_BUSY);
  }
  return unused;
}

static void trainer(void) {
  ggpfn_training *t = training_with(training_options);
  ggpfn_trainer *a = NULL, *b = NULL, *rank[2] = {NULL, NULL};
  ggpfn_losses la = {.struct_size = sizeof(la)}, lb = la, lr[2] = {la, la};
  ggpfn_model_info info = {.struct_size = sizeof(info)};
  size_t length = 0, gradients = 0, statistics = 0;
  MUST(ggpfn_trainer_new(t, GGPFN_CORONAL, GGPFN_STAGE_WHOLE, 0, 1, &a));
  MUST(ggpfn_trainer_new(t, GGPFN_CORONAL, GGPFN_STAGE_WHOLE, 0, 1, &b));
  OK(ggpfn_trainer_length(a, GGPFN_PARAMETERS, &length));
  OK(ggpfn_trainer_length(a, GGPFN_GRADIENTS, &gradients));
  OK(ggpfn_trainer_length(a, GGPFN_STATISTICS, &statistics));
  OK(ggpfn_model_describe(model, &info)); /* the same network */
  CHECK(length == info.parameters && gradients == length && statistics > 0);
  float *pa = calloc(length, sizeof(*pa)), *pb = calloc(length, sizeof(*pb)), *before = calloc(length, sizeof(*before));
  OK(ggpfn_trainer_read(a, GGPFN_PARAMETERS, before, length));

  /* Steps with the gradients taken out and put back are steps. */
  for (uint64_t step = 0; step < 3; step++) {
    OK(ggpfn_trainer_gradients(a, &la));
    OK(ggpfn_trainer_read(a, GGPFN_GRADIENTS, pa, length));
    OK(ggpfn_trainer_write(a, GGPFN_GRADIENTS, pa, length));
    OK(ggpfn_trainer_update(a, 1e-3));
    OK(ggpfn_trainer_gradients(b, &lb));
    OK(ggpfn_trainer_update(b, 1e-3));
    CHECK(la.batch == step && lb.batch == step && la.total == lb.total && la.total > 0.0);
    CHECK(!isnan(la.map) && !isnan(la.side) && !isnan(la.global));
  }
  OK(ggpfn_trainer_read(a, GGPFN_PARAMETERS, pa, length));
  OK(ggpfn_trainer_read(b, GGPFN_PARAMETERS, pb, length));
  CHECK(memcmp(pa, pb, length * sizeof(*pa)) == 0 && memcmp(pa, before, length * sizeof(*pa)) != 0);
  /* Gradients of another make are used: zeros leave a fresh trainer where it is. */
  MUST(ggpfn_trainer_new(t, GGPFN_CORONAL, GGPFN_STAGE_WHOLE, 0, 2, &rank[0]));
  MUST(ggpfn_trainer_new(t, GGPFN_CORONAL, GGPFN_STAGE_WHOLE, 1, 2, &rank[1]));
  OK(ggpfn_trainer_gradients(rank[0], &lr[0]));
  OK(ggpfn_trainer_gradients(rank[1], &lr[1]));
  CHECK(lr[0].batch == 0 && lr[1].batch == 1 && lr[0].total != lr[1].total);
  memset(pb, 0, length * sizeof(*pb));
  OK(ggpfn_trainer_write(rank[0], GGPFN_GRADIENTS, pb, length));
  OK(ggpfn_trainer_update(rank[0], 1e-3));
  OK(ggpfn_trainer_read(rank[0], GGPFN_PARAMETERS, pb, length));
  CHECK(memcmp(pb, before, length * sizeof(*pb)) == 0);
  OK(ggpfn_trainer_gradients(rank[0], &lr[0]));
  OK(ggpfn_trainer_gradients(rank[1], &lr[1]));
  CHECK(lr[0].batch == 2 && lr[1].batch == 3);

  /* Parameters and statistics go in as they come out. */
  OK(ggpfn_trainer_write(rank[0], GGPFN_PARAMETERS, pa, length));
  OK(ggpfn_trainer_read(rank[0], GGPFN_PARAMETERS, pb, length));
  CHECK(memcmp(pa, pb, length * sizeof(*pa)) == 0);
  OK(ggpfn_trainer_read(a, GGPFN_STATISTICS, pa, statistics));
  OK(ggpfn_trainer_write(rank[0], GGPFN_STATISTICS, pa, statistics));
  OK(ggpfn_trainer_read(rank[0], GGPFN_STATISTICS, pb, statistics));
  CHECK(memcmp(pa, pb, statistics * sizeof(*pa)) == 0);
  ggpfn_model *ma = NULL, *mr = NULL;
  OK(ggpfn_trainer_model(a, &ma));
  OK(ggpfn_trainer_model(rank[0], &mr));
  CHECK(strcmp(hash_of(ma), hash_of(mr)) == 0);
  OK(ggpfn_model_describe(ma, &info));
  CHECK(info.views == 1 << GGPFN_CORONAL);
  ggpfn_model_free(ma);
  ggpfn_model_free(mr);

  /* What cannot be. */
  pb[0] = 5.0f;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_read(a, GGPFN_PARAMETERS, pb, length - 1));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_read(a, 3, pb, length));
  CHECK(pb[0] == 5.0f);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_write(a, GGPFN_PARAMETERS, pb, SIZE_MAX));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_write(a, -1, pb, length));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_length(a, 4, &length));
  const double rates[] = {0.0, -1.0, NAN, INFINITY};
  for (size_t n = 0; n < sizeof(rates) / sizeof(*rates); n++) {
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_update(a, rates[n]));
  }
  const int32_t bad[][4] = {{1, 2, 0, 1}, {3, 2, 0, 1}, {-1, 2, 0, 1}, {0, 3, 0, 1},
                            {0, -1, 0, 1}, {0, 2, 1, 1}, {0, 2, -1, 1}, {0, 2, 0, 0}};
  for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
    ggpfn_trainer *none = NULL;
    EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_new(t, bad[n][0], bad[n][1], bad[n][2], bad[n][3], &none));
    CHECK(none == NULL);
  }

  /* One thread at a time. */
  busy_trainer = b;
  stepping = 1;
  pthread_t thread = start_thread(step_busy, NULL);
  double until = seconds_now() + 60.0;
  int busy = 0;
  while (!busy && seconds_now() < until) {
    /* Sleeps between tries: valgrind runs one thread at a time, and one that never waits may keep the other from its step. */
    sleep_milliseconds(1);
    ggpfn_status status = ggpfn_trainer_length(b, GGPFN_PARAMETERS, &length);
    busy = status == GGPFN_ERROR_BUSY;
    CHECK(busy || status == GGPFN_OK);
  }
  stepping = 0;
  pthread_join(thread, NULL);
  CHECK(busy);
  free(before);
  free(pb);
  free(pa);
  ggpfn_trainer_free(rank[1]);
  ggpfn_trainer_free(rank[0]);
  ggpfn_trainer_free(b);
  ggpfn_training_free(t);
  /* A trainer needs its training no more once it is made. */
  OK(ggpfn_trainer_gradients(a, NULL));
  ggpfn_trainer_free(a);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_trainer_gradients(a, NULL));
}

/* A model of two labels: each has a mask, a probability and measurements of its own, and all are one map. */
static void labels(void) {
  static float probability[2][N], first[N];
  static uint8_t masks[2][N], map[N], mask[N];
  char configuration[512];
  snprintf(configuration, sizeof(configuration), "{\"labels\": [\"pancreas\", \"tumour\"], %s", small_network + 1);
  ggpfn_model *two = NULL;
  OK(ggpfn_model_new(configuration, 5, &two));
  ggpfn_model_info info = {.struct_size = sizeof(info)};
  OK(ggpfn_model_describe(two, &info));
  CHECK(info.label_count == 2);
  ggpfn_label label = {.struct_size = sizeof(label)};
  OK(ggpfn_model_label(two, 1, &label));
  CHECK(label.value == 2 && strcmp(label.name, "tumour") == 0 && strcmp(label.code_scheme, "SCT") == 0);
  CHECK(label.colour == 0x90ee90 && label.threshold == info.threshold);
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_label(two, 2, &label));
  CHECK(error_says("2 labels"));
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_model_label(two, 0, NULL));

  ggpfn_image image = plain_image();
  ggpfn_segment_options options = plain_options();
  ggpfn_measurements measured[2] = {{.struct_size = sizeof(*measured)}, {.struct_size = sizeof(*measured)}};
  ggpfn_label_result of_labels[2];
  memset(of_labels, 0, sizeof(of_labels));
  for (int n = 0; n < 2; n++) {
    of_labels[n].struct_size = sizeof(*of_labels);
    of_labels[n].mask = dense_output(masks[n], N);
    of_labels[n].probability = dense_output(probability[n], sizeof(probability[n]));
    of_labels[n].measurements = &measured[n];
  }
  ggpfn_result result = mask_result(mask);
  result.probability = dense_output(first, sizeof(first));
  result.label_map = dense_output(map, N);
  result.labels = of_labels;
  result.label_count = 2;
  /* A threshold that some voxels of each label reach: the median of the second label's probability. */
  OK(ggpfn_segment(two, &image, &options, &result, NULL));
  static float sorted[N];
  memcpy(sorted, probability[1], sizeof(sorted));
  qsort(sorted, N, sizeof(*sorted), ascending);
  options.threshold = sorted[N / 2];
  OK(ggpfn_segment(two, &image, &options, &result, NULL));
  CHECK(memcmp(first, probability[0], sizeof(first)) == 0 && memcmp(mask, masks[0], N) == 0);
  CHECK(memcmp(probability[0], probability[1], sizeof(first)) != 0);
  uint64_t counts[2] = {0, 0};
  int wrong = 0;
  for (int n = 0; n < N; n++) {
    for (int l = 0; l < 2; l++) {
      wrong += masks[l][n] != ((double)probability[l][n] >= options.threshold);
      counts[l] += masks[l][n];
    }
    wrong += map[n] != (masks[1][n] ? 2 : masks[0][n]);
  }
  CHECK(wrong == 0 && counts[1] > 0);
  CHECK(measured[0].voxels == counts[0] && measured[1].voxels == counts[1]);

  /* Another number of structs than labels is refused, and a model of one label gives its mask as the map. */
  result.label_count = 1;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(two, &image, &options, &result, NULL));
  CHECK(error_says("2 labels"));
  result.label_count = 2;
  EXPECT(GGPFN_ERROR_ARGUMENT, ggpfn_segment(model, &image, &options, &result, NULL));
  options = divided();
  result.labels = NULL;
  OK(ggpfn_segment(model, &image, &options, &result, NULL));
  CHECK(memcmp(map, mask, N) == 0);
  ggpfn_model_free(two);
}

static const struct {
  const char *name;
  void (*run)(void);
} sections[] = {
    {"versions", versions},
    {"last_error", last_error},
    {"runtime", runtime},
    {"logging", logging},
    {"models", models},
    {"dtypes", dtypes},
    {"strides", strides},
    {"frames", frames},
    {"misaligned", misaligned},
    {"measurements", measurements},
    {"probabilities", probabilities},
    {"ensembles", ensembles},
    {"labels", labels},
    {"regions", regions},
    {"guarded", guarded},
    {"untouched", untouched},
    {"memory_estimate", memory_estimate},
    {"thresholding", thresholding},
    {"fusing", fusing},
    {"evaluating", evaluating},
    {"monitoring", monitoring},
    {"handles", handles},
    {"training", training},
    {"trainer", trainer},
};

int main(int count, char **arguments) {
  if (count < 2) {
    printf("a folder to write to was expected\n");
    return 2;
  }
  folder = arguments[1];
  prepare();
  int ran = 0;
  for (size_t n = 0; n < sizeof(sections) / sizeof(*sections); n++) {
    int wanted = count == 2;
    for (int a = 2; a < count; a++) {
      wanted |= strcmp(arguments[a], sections[n].name) == 0;
    }
    if (wanted) {
      double start = seconds_now();
      sections[n].run();
      printf("%-16s %6.2f s\n", sections[n].name, seconds_now() - start);
      fflush(stdout);
      ran++;
    }
  }
  ggpfn_model_free(model);
  CHECK(ran >= count - 2 && ran > 0);
  return finish("behaviour");
}
