//! stub
use crate::Result;
/// stub
pub fn load_cuda() -> Result<usize> { Ok(0) }
/// stub
pub fn gpu_driver_present() -> bool { false }
/// stub
pub fn gpu_has_fast_bfloat16(_n: usize) -> bool { true }
/// stub
pub fn cpu_has_fast_bfloat16() -> bool { std::is_x86_feature_detected!("avx512bf16") }
