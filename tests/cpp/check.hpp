// What the C++ test programs share: claims that are counted, an image with something in it, a network of milliseconds.

#ifndef GGPFN_TESTS_CHECK_HPP
#define GGPFN_TESTS_CHECK_HPP

#include "ggpfn.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

// A claim that has to hold; a test goes on after one that does not.
#define CHECK(claim) check::that((claim), #claim, __FILE__, __LINE__)

namespace check
{

inline int failures = 0;

inline void that(bool holds, const char * claim, const char * file, int line)
{
  if (!holds)
  {
    ++failures;
    std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
  }
}

/// Runs what must fail, and gives the error.
template <class Function>
ggpfn::Error refused(const Function & work)
{
  try
  {
    work();
  }
  catch (const ggpfn::Error & error)
  {
    return error;
  }
  return ggpfn::Error(ggpfn::StatusCode::ok, "nothing was thrown");
}

inline bool says(const std::string & text, const std::string & part)
{
  const bool found = text.find(part) != std::string::npos;
  if (!found)
  {
    std::fprintf(stderr, "\"%s\" is not in \"%s\"\n", part.c_str(), text.c_str());
  }
  return found;
}

/// Whether the call fails by this status, with a sentence that has this in it.
template <class Function>
bool fails(ggpfn::StatusCode status, const std::string & part, const Function & work)
{
  const ggpfn::Error error = refused(work);
  if (error.status() != status)
  {
    std::fprintf(stderr, "status %d: %s\n", static_cast<int>(error.status()), error.what());
  }
  return error.status() == status && says(error.what(), part);
}

template <class Function>
void test(const char * name, const Function & body)
{
  const int before = failures;
  try
  {
    body();
  }
  catch (const std::exception & error)
  {
    ++failures;
    std::fprintf(stderr, "%s: threw: %s\n", name, error.what());
  }
  std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", name);
  std::fflush(stdout);
}

inline int end()
{
  std::printf("%d claims do not hold\n", failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// The paper's layers, a few channels wide, with a threshold that an untrained network is on both sides of.
inline ggpfn::Model small_model(const std::string & more = "")
{
  return ggpfn::Model::untrained("{" + more + R"("t": 2, "widths": [4, 6, 8, 10], "global_widths": [3, 4, 5, 6, 7],
    "global_size": {"axial": [64, 32], "sagittal": [64, 32], "coronal": [64, 32]}})",
                                 7);
}

/// A lump of soft tissue at (x, y, z) in fat, with a texture; values fit into any type if `shift` is 150.
template <class T>
std::vector<T> lump(const ggpfn::Size & size, std::size_t x, std::size_t y, std::size_t z, int shift = 0)
{
  std::vector<T> voxels;
  unsigned       random = 1;
  for (std::size_t k = 0; k < size[2]; ++k)
  {
    for (std::size_t j = 0; j < size[1]; ++j)
    {
      for (std::size_t i = 0; i < size[0]; ++i)
      {
        const auto square = [](std::size_t a, std::size_t b) { return (a > b ? a - b : b - a) * (a > b ? a - b : b - a); };
        const auto distance = square(i, x) + square(j, y) + 4 * square(k, z);
        random = random * 1664525U + 1013904223U;
        const int texture = static_cast<int>(random >> 28);
        voxels.push_back(static_cast<T>((distance <= 64 ? 80 : -100) + texture + shift));
      }
    }
  }
  return voxels;
}

} // namespace check

#endif
