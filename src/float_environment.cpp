// The floating-point environment by the C library's own calls: what it consists of, and what the default is, the system's headers alone know.

#include <cfenv>

namespace {
// As large as Environment in float_environment.rs.
constexpr unsigned long room = 64;
static_assert(sizeof(std::fenv_t) <= room, "Environment in float_environment.rs is too small");
}  // namespace

extern "C" void ggpfn_cpp_get_floats(void* place) noexcept { std::fegetenv(static_cast<std::fenv_t*>(place)); }

extern "C" void ggpfn_cpp_set_floats(const void* place) noexcept {
  std::fesetenv(static_cast<const std::fenv_t*>(place));
}

extern "C" void ggpfn_cpp_default_floats() noexcept { std::fesetenv(FE_DFL_ENV); }
