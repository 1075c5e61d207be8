/* Calls the library from a floating-point environment of its own, which has to be the same after each call, or from a thread with the
 * smallest stack that is promised to suffice, and prints a number made from all bits that came out: the same under all conditions.
 *
 *     conditions default|upward|toward-zero|flush|traps|small-stack
 */
#if defined(__linux__)
#define _GNU_SOURCE /* feenableexcept */
#endif
#include "check.h"

#include <fenv.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* What of the environment a program can set; the exceptions that were raised too. */
typedef struct {
  int rounding, raised, trapped;
  unsigned sse;
} environment;

static environment current(void) {
  environment now = {fegetround(), fetestexcept(FE_ALL_EXCEPT), 0, 0};
#if defined(__GLIBC__)
  now.trapped = fegetexcept();
#endif
#if defined(__SSE__)
  now.sse = _mm_getcsr();
#endif
  return now;
}

static int same(environment a, environment b) {
  return a.rounding == b.rounding && a.raised == b.raised && a.trapped == b.trapped && a.sse == b.sse;
}

static fenv_t own;
static environment wanted;

static void set(const char *mode) {
  if (strcmp(mode, "upward") == 0) {
    MUST(fesetround(FE_UPWARD));
  } else if (strcmp(mode, "toward-zero") == 0) {
    MUST(fesetround(FE_TOWARDZERO));
  } else if (strcmp(mode, "flush") == 0) {
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040u);
#endif
  } else if (strcmp(mode, "traps") == 0) {
#if defined(__GLIBC__)
    feenableexcept(FE_ALL_EXCEPT);
#endif
  }
  wanted = current();
  fegetenv(&own);
}

/* A call from this environment. The checks around it run in the default one, where nothing of theirs traps. */
#define CALL(call)                                   \
  do {                                               \
    fesetenv(&own);                                  \
    ggpfn_status call_status = (call);               \
    environment call_after = current();              \
    fesetenv(FE_DFL_ENV);                            \
    EXPECT(GGPFN_OK, call_status);                   \
    if (!same(call_after, wanted)) {                 \
      note_failure(__FILE__, __LINE__, "environment"); \
    }                                                \
  } while (0)

static uint64_t sum = 14695981039346656037u;

static void add(const void *data, size_t bytes) {
  for (size_t n = 0; n < bytes; n++) {
    sum = (sum ^ ((const unsigned char *)data)[n]) * 1099511628211u;
  }
}

static int reports, foreign;

static int32_t heard(const ggpfn_progress *progress, void *unused) {
  (void)unused;
  (void)progress;
  reports++;
  foreign += !same(current(), wanted);
  return 1;
}

static const char network[] =
    "{\"t\": 2, \"widths\": [4, 4, 4, 4], \"global_widths\": [4, 4, 4, 4, 4], \"spacing\": [2.0, 1.0, 1.0],"
    " \"global_size\": {\"axial\": [32, 32], \"sagittal\": [32, 32], \"coronal\": [32, 32]}}";

static const char options_text[] =
    "preset = \"small\"\nseed = 3\nviews = [\"axial\"]\nt = 2\nwidths = [4, 4, 4, 4]\nglobal_widths = [4, 4, 4, 4, 4]\n"
    "spacing = [2.5, 2.5, 2.5]\nmixed_precision = false\nsamples_per_volume = 4\nslices_per_sample = 2\nthreads = 2\n"
    "loader_threads = 1\n[patch]\naxial = [16, 16]\n[global_size]\naxial = [32, 32]\n";

static void *work(void *mode) {
  static int16_t voxels[N];
  static uint8_t mask[N], truth[N], tried[N];
  static float probability[N], uncertainty[N], fused[N];
  make_voxels(voxels, -100, 100);
  ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof(voxels));
  ggpfn_segment_options options = plain_options();
  /* Two threads: libtorch's own have to be clean too. */
  options.threads = 2;
  options.threshold = 0.5;
  ggpfn_measurements m = {.struct_size = sizeof(m)};
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.mask = dense_output(mask, sizeof(mask));
  result.probability = dense_output(probability, sizeof(probability));
  result.uncertainty = dense_output(uncertainty, sizeof(uncertainty));
  result.measurements = &m;
  for (int n = 0; n < N; n++) {
    truth[n] = voxels[n] > 20;
    tried[n] = voxels[n] > 30;
  }
  ggpfn_model *model = NULL;
  ggpfn_monitor *monitor = NULL;
  ggpfn_training *training = NULL;
  ggpfn_trainer *trainer = NULL;

  set(mode);
  fesetenv(FE_DFL_ENV);
  CALL(ggpfn_model_shipped(&model));
  ggpfn_model_free(model);
  CALL(ggpfn_model_new(network, 5, &model));
  CALL(ggpfn_monitor_new(&monitor));
  CALL(ggpfn_monitor_set_callback(monitor, heard, NULL));
  CALL(ggpfn_segment(model, &image, &options, &result, monitor));
  CHECK(reports > 0 && foreign == 0);
  m.seconds = 0.0;
  add(mask, sizeof(mask));
  add(probability, sizeof(probability));
  add(uncertainty, sizeof(uncertainty));
  add(&m, sizeof(m));

  CALL(ggpfn_threshold(&image, probability, 0.4, 1, mask, &m));
  add(mask, sizeof(mask));
  add(&m, sizeof(m));
  const double weights[3] = {1.0, 2.0, 4.0};
  CALL(ggpfn_fuse(probability, uncertainty, NULL, weights, N, 0.3, fused, mask));
  add(fused, sizeof(fused));
  ggpfn_image of_truth = dense_image(truth, GGPFN_UINT8, sizeof(truth)), of_tried = dense_image(tried, GGPFN_UINT8, sizeof(tried));
  ggpfn_comparison comparison = {.struct_size = sizeof(comparison)};
  CALL(ggpfn_evaluate(&of_tried, &of_truth, &comparison));
  add(&comparison, sizeof(comparison));

  CALL(ggpfn_training_new(options_text, &training));
  CALL(ggpfn_training_set_device(training, GGPFN_DEVICE_CPU, 0));
  CALL(ggpfn_training_add_case(training, "a", &image, &of_truth, GGPFN_TRAIN));
  CALL(ggpfn_trainer_new(training, GGPFN_AXIAL, GGPFN_STAGE_WHOLE, 0, 1, &trainer));
  ggpfn_losses losses = {.struct_size = sizeof(losses)};
  for (int step = 0; step < 2; step++) {
    CALL(ggpfn_trainer_gradients(trainer, &losses));
    add(&losses, sizeof(losses));
    CALL(ggpfn_trainer_update(trainer, 1e-3));
  }
  size_t length = 0;
  CALL(ggpfn_trainer_length(trainer, GGPFN_PARAMETERS, &length));
  float *parameters = calloc(length, sizeof(*parameters));
  CALL(ggpfn_trainer_read(trainer, GGPFN_PARAMETERS, parameters, length));
  add(parameters, length * sizeof(*parameters));
  free(parameters);
  ggpfn_trainer_free(trainer);
  ggpfn_training_free(training);
  ggpfn_monitor_free(monitor);
  ggpfn_model_free(model);
  return NULL;
}

int main(int count, char **arguments) {
  char *mode = count > 1 ? arguments[1] : (char *)"default";
  if (strcmp(mode, "small-stack") == 0) {
    pthread_attr_t attributes;
    pthread_t thread;
    MUST(pthread_attr_init(&attributes));
    MUST(pthread_attr_setstacksize(&attributes, 256 * 1024));
    MUST(pthread_create(&thread, &attributes, work, mode));
    MUST(pthread_join(thread, NULL));
  } else {
    work(mode);
  }
  printf("%016llx\n", (unsigned long long)sum);
  return finish("conditions");
}
