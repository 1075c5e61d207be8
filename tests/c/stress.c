/* Sixteen threads and one model: a thousand segmentations, all with the same result, while other threads cancel, poll and free monitors.
 *
 * One call in eleven is there to be cancelled and comes on top of the thousand. At the end a model is freed while all threads use it.
 * Prints the time that it took.
 *
 *     stress [CALLS]
 */

#include "check.h"

enum { THREADS = 16 };

static int wanted = 1000, with_cancelled;

static ggpfn_model *model, *doomed;
static int16_t voxels[N];
static uint8_t expected[N];
static float expected_probability[N];

/* What the threads share. C99 has no atomics. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int next_call, same, cancelled, freed_under_way, polls, done;

/* The monitors of the calls under way, and what other threads are to do to them. */
typedef enum fate { NOTHING, CANCEL, FREE } fate;
static struct {
  ggpfn_monitor *monitor;
  fate fate;
} slots[THREADS];

static ggpfn_status segment(const ggpfn_model *with, uint8_t *mask, float *probability, const ggpfn_monitor *monitor) {
  ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof(voxels));
  ggpfn_segment_options options = plain_options();
  ggpfn_result result = {.struct_size = sizeof(result)};
  memset(mask, 7, N);
  result.mask = dense_output(mask, N);
  result.probability = dense_output(probability, sizeof(float) * N);
  return ggpfn_segment(with, &image, &options, &result, monitor);
}

static int is_expected(const uint8_t *mask, const float *probability) {
  return memcmp(mask, expected, N) == 0 && memcmp(probability, expected_probability, sizeof(float) * N) == 0;
}

static int32_t go_on(const ggpfn_progress *progress, void *user_data) {
  pthread_t *caller = user_data;
  CHECK(pthread_equal(*caller, pthread_self()) && progress->fraction >= 0.0 && progress->fraction <= 1.0);
  return 1;
}

static void *work(void *number) {
  const int own = *(const int *)number;
  uint8_t *mask = malloc(N);
  float *probability = malloc(sizeof(float) * N);
  pthread_t self = pthread_self();
  for (;;) {
    pthread_mutex_lock(&lock);
    int call = next_call++;
    pthread_mutex_unlock(&lock);
    if (call >= with_cancelled) {
      break;
    }
    fate f = call % 11 == 0 ? CANCEL : call % 11 == 5 ? FREE : NOTHING;
    ggpfn_monitor *monitor = NULL;
    if (call % 11 < 8) {
      OK(ggpfn_monitor_new(&monitor));
      OK(ggpfn_monitor_set_callback(monitor, call % 2 ? go_on : NULL, &self));
      pthread_mutex_lock(&lock);
      slots[own].monitor = monitor;
      slots[own].fate = f;
      pthread_mutex_unlock(&lock);
    }
    ggpfn_status status = segment(model, mask, probability, monitor);
    pthread_mutex_lock(&lock);
    slots[own].monitor = NULL;
    slots[own].fate = NOTHING;
    same += status == GGPFN_OK && f != CANCEL && is_expected(mask, probability);
    cancelled += status == GGPFN_ERROR_CANCELLED;
    pthread_mutex_unlock(&lock);
    CHECK(status == GGPFN_OK || (f == CANCEL && status == GGPFN_ERROR_CANCELLED) ||
          /* Freed between its entry in the table and its use. */
          (f == FREE && status == GGPFN_ERROR_ARGUMENT));
    if (f == FREE && status == GGPFN_ERROR_ARGUMENT) {
      OK(segment(model, mask, probability, NULL));
      pthread_mutex_lock(&lock);
      same += is_expected(mask, probability);
      pthread_mutex_unlock(&lock);
    }
    CHECK(status == GGPFN_OK ? is_expected(mask, probability) : status != GGPFN_ERROR_CANCELLED || mask[0] == 7);
    ggpfn_monitor_free(monitor);
  }
  /* The model may be gone before this begins, but not while it runs. */
  ggpfn_status status = segment(doomed, mask, probability, NULL);
  CHECK(status == GGPFN_OK ? is_expected(mask, probability) : status == GGPFN_ERROR_ARGUMENT);
  pthread_mutex_lock(&lock);
  done++;
  pthread_mutex_unlock(&lock);
  free(probability);
  free(mask);
  return NULL;
}

/* Goes over the calls under way, and does to each what is its fate. */
static void *meddle(void *unused) {
  for (int turn = 0;; turn++) {
    pthread_mutex_lock(&lock);
    int finished = done == THREADS;
    ggpfn_monitor *monitor = slots[turn % THREADS].monitor;
    fate f = slots[turn % THREADS].fate;
    if (f == FREE && monitor != NULL) {
      slots[turn % THREADS].monitor = NULL;
      freed_under_way++;
    }
    pthread_mutex_unlock(&lock);
    if (finished) {
      return unused;
    }
    if (monitor != NULL && f == FREE) {
      ggpfn_monitor_free(monitor);
    } else if (monitor != NULL) {
      /* The call may end meanwhile, and its monitor be freed: then these say so. */
      ggpfn_progress progress = {.struct_size = sizeof(progress)};
      ggpfn_status status = f == CANCEL ? ggpfn_monitor_cancel(monitor) : ggpfn_monitor_progress(monitor, &progress);
      CHECK(status == GGPFN_OK || status == GGPFN_ERROR_ARGUMENT);
      pthread_mutex_lock(&lock);
      polls += f == NOTHING;
      pthread_mutex_unlock(&lock);
    }
    if (turn % THREADS == 0) {
      sleep_milliseconds(3);
    }
  }
}

int main(int count, char **arguments) {
  pthread_t workers[THREADS], meddlers[2];
  int numbers[THREADS];
  if (count > 1) {
    wanted = atoi(arguments[1]) / 10 * 10;
  }
  with_cancelled = wanted + wanted / 10;
  model = small_model(3);
  doomed = small_model(3);
  make_voxels(voxels, -100, 240);
  MUST(segment(model, expected, expected_probability, NULL));
  double start = seconds_now();
  for (int n = 0; n < THREADS; n++) {
    numbers[n] = n;
    workers[n] = start_thread(work, &numbers[n]);
  }
  for (int n = 0; n < 2; n++) {
    meddlers[n] = start_thread(meddle, NULL);
  }
  for (int calls = 0; calls < with_cancelled + THREADS / 2;) {
    sleep_milliseconds(5);
    pthread_mutex_lock(&lock);
    calls = next_call;
    pthread_mutex_unlock(&lock);
  }
  ggpfn_model_free(doomed);
  for (int n = 0; n < THREADS; n++) {
    pthread_join(workers[n], NULL);
  }
  for (int n = 0; n < 2; n++) {
    pthread_join(meddlers[n], NULL);
  }
  double seconds = seconds_now() - start;
  CHECK(same == wanted && cancelled > 0 && polls > 0 && freed_under_way > 0);
  printf("%d threads, %d identical results, %d cancelled, %d monitors freed in use, %d polls: %.1f s\n", THREADS, same,
         cancelled, freed_under_way, polls, seconds);
  ggpfn_model_free(model);
  return finish("stress");
}
