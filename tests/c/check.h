/* What the C test programs share: a check that counts, a small model, a small image, threads that cannot fail unnoticed. */

#ifndef CHECK_H
#define CHECK_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <ggpfn.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Unused in some of the programs. */
#if defined(__GNUC__)
#define HELPER static __attribute__((unused))
#else
#define HELPER static
#endif

static int failures = 0;
static pthread_mutex_t failures_lock = PTHREAD_MUTEX_INITIALIZER;

HELPER void note_failure(const char *file, int line, const char *what) {
  char text[512] = "";
  ggpfn_last_error(text, sizeof(text), NULL);
  pthread_mutex_lock(&failures_lock);
  failures++;
  printf("FAILED %s:%d: %s (last error: %s)\n", file, line, what, text);
  fflush(stdout);
  pthread_mutex_unlock(&failures_lock);
}

/* Goes on after a failure, so that one run shows all of them. */
#define CHECK(condition) ((condition) ? (void)0 : note_failure(__FILE__, __LINE__, #condition))

/* A call that has to end with this status. */
#define EXPECT(status, call)                                          \
  do {                                                                \
    ggpfn_status expect_got = (call);                                 \
    if (expect_got != (status)) {                                     \
      char expect_text[512];                                          \
      snprintf(expect_text, sizeof(expect_text), "%s gave %d, not %s", #call, (int)expect_got, #status); \
      note_failure(__FILE__, __LINE__, expect_text);                  \
    }                                                                 \
  } while (0)

#define OK(call) EXPECT(GGPFN_OK, call)

/* For what nothing can go on without. */
#define MUST(call)                                                     \
  do {                                                                 \
    ggpfn_status must_got = (call);                                    \
    if (must_got != GGPFN_OK) {                                        \
      note_failure(__FILE__, __LINE__, #call);                         \
      exit(3);                                                         \
    }                                                                  \
  } while (0)

/* Whether the last error's text has these words in it. */
HELPER int error_says(const char *words) {
  char text[2048] = "";
  ggpfn_last_error(text, sizeof(text), NULL);
  return strstr(text, words) != NULL;
}

HELPER int error_is_empty(void) {
  size_t needed = 0;
  return ggpfn_last_error(NULL, 0, &needed) == GGPFN_OK && needed == 1;
}

HELPER double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

HELPER void sleep_milliseconds(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

HELPER pthread_t start_thread(void *(*function)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, function, argument) != 0) {
    printf("the system gave no thread\n");
    exit(3);
  }
  return thread;
}

/* A network that computes in milliseconds. */
static const char small_network[] =
    "{\"t\": 2, \"widths\": [4, 4, 4, 4], \"global_widths\": [4, 4, 4, 4, 4],"
    " \"global_size\": {\"axial\": [32, 32], \"sagittal\": [32, 32], \"coronal\": [32, 32]}}";

/* Its weights follow from the seed. */
HELPER ggpfn_model *small_model(uint64_t seed) {
  ggpfn_model *model = NULL;
  MUST(ggpfn_model_new(small_network, seed, &model));
  return model;
}

enum { NX = 20, NY = 18, NZ = 11, N = NX * NY * NZ };

/* Smooth bodies and noise, all of it within a signed byte when `low` is -100 and `high` 100. */
HELPER void make_voxels(int16_t *voxels, int low, int high) {
  uint32_t state = 7;
  for (int n = 0; n < N; n++) {
    int i = n % NX, j = n / NX % NY, k = n / (NX * NY);
    double wave = sin(0.5 * i) + cos(0.4 * j + 1.0) + sin(0.7 * k + 0.3 * i);
    state = state * 1664525u + 1013904223u;
    double value = 0.5 + wave / 6.0 * 0.8 + ((double)(state >> 16) / 65536.0 - 0.5) * 0.2;
    value = value < 0.0 ? 0.0 : value > 1.0 ? 1.0 : value;
    voxels[n] = (int16_t)(low + (int)floor(value * (high - low) + 0.5));
  }
}

HELPER ggpfn_image dense_image(const void *data, int32_t dtype, size_t bytes) {
  ggpfn_image image;
  MUST(ggpfn_image_init(&image, sizeof(image)));
  image.data = data;
  image.data_bytes = bytes;
  image.dtype = dtype;
  image.size[0] = NX;
  image.size[1] = NY;
  image.size[2] = NZ;
  image.spacing[0] = 0.8;
  image.spacing[1] = 0.9;
  image.spacing[2] = 2.5;
  return image;
}

HELPER ggpfn_output dense_output(void *data, size_t bytes) {
  ggpfn_output output;
  memset(&output, 0, sizeof(output));
  output.data = data;
  output.data_bytes = bytes;
  return output;
}

/* One processor thread and float32: the same bits every time. */
HELPER ggpfn_segment_options plain_options(void) {
  ggpfn_segment_options options;
  MUST(ggpfn_segment_options_init(&options, sizeof(options)));
  options.device = GGPFN_DEVICE_CPU;
  options.precision = GGPFN_PRECISION_FLOAT32;
  options.threads = 1;
  return options;
}

HELPER int finish(const char *name) {
  printf("%s: %s\n", name, failures == 0 ? "all checks passed" : "CHECKS FAILED");
  return failures == 0 ? 0 : 1;
}

#endif /* CHECK_H */
