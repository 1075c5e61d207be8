//! Text in and out.

use std::ffi::{c_char, CStr};
use std::path::PathBuf;

use super::status::{Fault, Outcome};

/// The text behind a pointer.
///
/// # Safety
/// `pointer` is NULL or a C string.
pub(super) unsafe fn take<'a>(pointer: *const c_char, name: &'static str) -> Outcome<&'a str> {
    // SAFETY: the caller's promise.
    unsafe { take_optional(pointer, name) }?.ok_or_else(|| Fault::argument(name, "NULL; a text was expected"))
}

/// The same, where NULL stands for none.
///
/// # Safety
/// `pointer` is NULL or a C string.
pub(super) unsafe fn take_optional<'a>(pointer: *const c_char, name: &'static str) -> Outcome<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and so a C string.
    let text = unsafe { CStr::from_ptr(pointer) };
    let text =
        text.to_str().map_err(|_| Fault::argument(name, "it is not valid UTF-8, which all texts and paths are in"))?;
    Ok(Some(text))
}

/// A path, which is UTF-8 on every system.
///
/// # Safety
/// `pointer` is NULL or a C string.
pub(super) unsafe fn take_path(pointer: *const c_char, name: &'static str) -> Outcome<PathBuf> {
    // SAFETY: the caller's promise.
    let path = unsafe { take_optional_path(pointer, name) }?;
    path.ok_or_else(|| Fault::argument(name, "NULL; a text was expected"))
}

/// The same, where NULL stands for none. An empty path is refused: it would be the current folder.
///
/// # Safety
/// `pointer` is NULL or a C string.
pub(super) unsafe fn take_optional_path(pointer: *const c_char, name: &'static str) -> Outcome<Option<PathBuf>> {
    // SAFETY: the caller's promise.
    match unsafe { take_optional(pointer, name) }? {
        Some("") => Err(Fault::argument(name, "an empty path")),
        text => Ok(text.map(PathBuf::from)),
    }
}

/// Refuses a call that leaves no place for an answer.
pub(super) fn check_buffer<T>(buffer: *mut T, capacity: usize, needed: *mut usize) -> Outcome<()> {
    if buffer.is_null() && (capacity > 0 || needed.is_null()) {
        return Err(Fault::argument(
            "buffer",
            "NULL; a buffer was expected, or 0 bytes of capacity and a place for the length",
        ));
    }
    Ok(())
}

/// Copies a text to a caller's buffer: see [`ggpfn_last_error`](super::boundary::ggpfn_last_error).
///
/// # Safety
/// `buffer` is NULL or has `capacity` bytes; `needed` is NULL or writable.
pub(super) unsafe fn give(text: &str, buffer: *mut c_char, capacity: usize, needed: *mut usize) -> Outcome<()> {
    let length = text.len() + 1;
    check_buffer(buffer, capacity, needed)?;
    if !needed.is_null() {
        // SAFETY: writable, as the caller promised; perhaps not aligned.
        unsafe { needed.write_unaligned(length) };
    }
    if buffer.is_null() {
        return Ok(());
    }
    let mut kept = text.len().min(capacity.saturating_sub(1));
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    if capacity > 0 {
        // SAFETY: `kept` + 1 bytes are at most the buffer's capacity.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), kept);
            buffer.add(kept).write(0);
        }
    }
    if kept < text.len() || capacity == 0 {
        return Err(Fault::Buffer { needed: length, given: capacity });
    }
    Ok(())
}

/// A text in a fixed array with a NUL at its end, cut if it is too long.
pub(super) fn fixed<const N: usize>(text: &str) -> [c_char; N] {
    let mut array = [0; N];
    let mut kept = text.len().min(N - 1);
    while !text.is_char_boundary(kept) {
        kept -= 1;
    }
    for (to, from) in array.iter_mut().zip(&text.as_bytes()[..kept]) {
        *to = *from as c_char;
    }
    array
}
