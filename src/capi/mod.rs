//! The C face: what `include/ggpfn.h` declares, on images and models in memory.
//!
//! One file per C type. A function here checks what it was given, converts it, calls the library, and hands the result back; how anything
//! is done stands elsewhere. The header is made from these files by cbindgen, comments included, so the comments speak to C programmers.
//!
//! The rules, each kept in one place:
//!
//! - every function runs inside `boundary::enter`: no panic leaves it, errors become a status and a text ([`status`]);
//! - handles are numbers in a table, never addresses ([`handle`]): a stale or foreign one is an error, not a crash;
//! - structs carry their size, so that they can grow ([`structs`]); 0 in any field of an options struct is that field's default;
//! - buffers come with their length, which is checked before work starts ([`image`]);
//! - long work runs on a thread of the library; callbacks are made on the thread that called ([`monitor`]).

pub mod boundary;
pub mod evaluate;
pub mod handle;
pub mod image;
pub mod log;
pub mod model;
pub mod monitor;
pub mod peers;
pub mod runtime;
pub mod segment;
pub mod status;
pub mod structs;
pub mod text;
pub mod trainer;
pub mod training;
