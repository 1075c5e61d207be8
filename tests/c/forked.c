/* Forks before and after the library's first work. Before, both processes work; after, the child gets a status at once, whatever it calls. */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static int16_t voxels[N];
static uint8_t mask[N];
static ggpfn_model *model;

static ggpfn_status segment(void) {
  ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof(voxels));
  ggpfn_segment_options options = plain_options();
  options.threads = 2;
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.mask = dense_output(mask, sizeof(mask));
  return ggpfn_segment(model, &image, &options, &result, NULL);
}

/* Runs `work` in a child, which has to end by itself within a minute. */
static void in_child(void (*work)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    work();
    exit(failures == 0 ? 0 : 1);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void works(void) { OK(segment()); }

static void refused(void) {
  ggpfn_model *other = NULL;
  ggpfn_monitor *monitor = NULL;
  ggpfn_runtime runtime = {.struct_size = sizeof(runtime)};
  size_t needed = 0;
  /* Twice: the child's own calls change nothing. */
  for (int turn = 0; turn < 2; turn++) {
    memset(mask, 7, sizeof(mask));
    ggpfn_image image;
    ggpfn_result result = {.struct_size = sizeof(result)};
    result.mask = dense_output(mask, sizeof(mask));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_image_init(&image, sizeof(image)));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_segment(model, &image, NULL, &result, NULL));
    CHECK(error_says("forked") && error_says("spawn") && mask[0] == 7);
    EXPECT(GGPFN_ERROR_FORK, ggpfn_model_new(small_network, 3, &other));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_model_shipped(&other));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_monitor_new(&monitor));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_runtime_query(0, &runtime));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_model_configuration(model, NULL, 0, &needed));
    EXPECT(GGPFN_ERROR_FORK, ggpfn_fuse(NULL, NULL, NULL, NULL, 1, 0.5, NULL, mask));
    CHECK(other == NULL && monitor == NULL && ggpfn_abi_version() == GGPFN_ABI_VERSION);
  }
  ggpfn_model_free(model);
}

static int32_t fork_there(const ggpfn_progress *progress, void *done) {
  if (progress->fraction > 0.0 && *(int *)done == 0) {
    *(int *)done = 1;
    in_child(refused);
  }
  return 1;
}

int main(void) {
  make_voxels(voxels, -100, 100);
  model = small_model(5);
  in_child(works);
  in_child(works);
  OK(segment());
  in_child(refused);
  /* The parent is none the worse. */
  OK(segment());
  int done = 0;
  ggpfn_monitor *monitor = NULL;
  MUST(ggpfn_monitor_new(&monitor));
  OK(ggpfn_monitor_set_callback(monitor, fork_there, &done));
  ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof(voxels));
  ggpfn_segment_options options = plain_options();
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.mask = dense_output(mask, sizeof(mask));
  OK(ggpfn_segment(model, &image, &options, &result, monitor));
  CHECK(done);
  ggpfn_monitor_free(monitor);
  ggpfn_model_free(model);
  return finish("forked");
}
