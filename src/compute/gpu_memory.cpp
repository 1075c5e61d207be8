// Gives the GPU memory that libtorch keeps for later back to the driver. No interface for C or Rust offers it.

#include <c10/core/CachingDeviceAllocator.h>

extern "C" void ggpfn_cpp_empty_gpu_cache() noexcept {
  try {
    // Without CUDA there is no such allocator, and asking for it throws.
    auto* allocator = dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
    if (allocator != nullptr && allocator->initialized()) {
      allocator->emptyCache();
    }
  } catch (...) {
    // Memory that cannot be given back now will be reused by the next call.
  }
}
