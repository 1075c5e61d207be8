/* Segments under limits on the address space, from too little to none, each in a process of its own: every call returns, with a mask or with
 * GGPFN_ERROR_MEMORY and a sentence. */
#include "check.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int16_t voxels[N];
static uint8_t mask[N];
static ggpfn_model *model;

/* Bytes of address space that this process has. */
static size_t mapped(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%lu", &pages) != 1) {
    printf("there is no /proc/self/statm\n");
    exit(3);
  }
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* With so many megabytes more, or all there are: 0 with a mask, 1 without, 2 for what must not be. */
static int segment_within(size_t megabytes) {
  if (megabytes > 0) {
    struct rlimit limit = {mapped() + (megabytes << 20), RLIM_INFINITY};
    if (setrlimit(RLIMIT_AS, &limit) != 0) {
      return 2;
    }
  }
  ggpfn_image image = dense_image(voxels, GGPFN_INT16, sizeof(voxels));
  ggpfn_segment_options options = plain_options();
  options.threads = 2;
  ggpfn_result result = {.struct_size = sizeof(result)};
  result.mask = dense_output(mask, sizeof(mask));
  ggpfn_status status = ggpfn_segment(model, &image, &options, &result, NULL);
  if (status == GGPFN_OK) {
    return 0;
  }
  CHECK(status == GGPFN_ERROR_MEMORY && error_says("GB"));
  return failures == 0 ? 1 : 2;
}

int main(void) {
  static const size_t megabytes[] = {8, 16, 32, 64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1536, 2048, 3072, 0};
  make_voxels(voxels, -100, 100);
  model = small_model(5);
  int refused = 0, segmented = 0, last = 2;
  for (size_t n = 0; n < sizeof(megabytes) / sizeof(*megabytes); n++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      alarm(120);
      int code = segment_within(megabytes[n]);
      fflush(stdout);
      _exit(code);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    last = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
    if (last == 2) {
      printf("with %zu MB more: status %d of the process\n", megabytes[n], status);
    }
    CHECK(last != 2);
    refused += last == 1;
    segmented += last == 0;
  }
  CHECK(refused > 0 && segmented > 0 && last == 0);
  ggpfn_model_free(model);
  return finish("limits");
}
