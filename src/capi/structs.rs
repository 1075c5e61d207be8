//! Structs that can grow.
//!
//! A struct's first field is its size as the caller's compiler knew it. A shorter one is an older program's: the fields that it lacks are
//! 0, which is every option's default, and are not written in results. A longer one is a newer program's: refused, since what this
//! version does not know it would silently ignore. New fields go to the end; no struct ends in padding, where a new field would be
//! within an old size.

use std::mem::{size_of, MaybeUninit};

use super::status::{Fault, Outcome};

/// A struct that begins with its size.
///
/// # Safety
/// `#[repr(C)]`, its first field is a `usize`, all bits zero is a value of it, and it is without padding at the end.
pub(super) unsafe trait Growing: Copy {
    /// Its name in messages.
    const NAME: &'static str;
    /// Its size in the first version that had it.
    const FIRST: usize;
}

/// Declares a struct as one that can grow: `growing!(ggpfn_image)`, and with the size of its first version once it has grown.
macro_rules! growing {
    ($name:ident) => {
        // SAFETY: the struct is repr(C) of numbers, arrays and pointers, begins with its size, and the assertion keeps its end
        // free of padding.
        unsafe impl $crate::capi::structs::Growing for $name {
            const NAME: &'static str = stringify!($name);
            const FIRST: usize = std::mem::size_of::<$name>();
        }
    };
}
pub(super) use growing;

/// Refuses a size that no version of the struct has had.
fn check_size<T: Growing>(size: usize) -> Outcome<()> {
    if size > size_of::<T>() {
        return Err(Fault::argument(
            T::NAME,
            format!(
                "struct_size is {size}; this version of ggpfn ({}) knows {} bytes: the program was built for a newer one, or has not \
                 set struct_size",
                env!("CARGO_PKG_VERSION"),
                size_of::<T>()
            ),
        ));
    }
    if size < T::FIRST {
        let fault = format!("struct_size is {size}; {} was expected: set it to sizeof({})", size_of::<T>(), T::NAME);
        return Err(Fault::argument(T::NAME, fault));
    }
    Ok(())
}

/// # Safety
/// `pointer` is NULL or points to as many bytes as its first field says.
unsafe fn size<T: Growing>(pointer: *const T) -> Outcome<usize> {
    if pointer.is_null() {
        return Err(Fault::argument(T::NAME, "NULL; a struct was expected"));
    }
    // SAFETY: not NULL, and so at least the first field is there.
    let size = unsafe { pointer.cast::<usize>().read_unaligned() };
    check_size::<T>(size)?;
    Ok(size)
}

/// Reads a struct.
///
/// # Safety
/// `pointer` is NULL or points to as many bytes as its first field says.
pub(super) unsafe fn read<T: Growing>(pointer: *const T) -> Outcome<T> {
    // SAFETY: the caller's promise.
    let size = unsafe { size(pointer) }?;
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: `size` is at most T's; what is not copied is zero, which the trait says is a value.
    unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast(), size);
        Ok(value.assume_init())
    }
}

/// The same, where NULL stands for all defaults.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_or_default<T: Growing>(pointer: *const T) -> Outcome<T> {
    if pointer.is_null() {
        // SAFETY: zero is a value, as the trait says.
        return Ok(unsafe { MaybeUninit::zeroed().assume_init() });
    }
    // SAFETY: the caller's promise.
    unsafe { read(pointer) }
}

/// Refuses a result struct that cannot be written, before the work.
///
/// # Safety
/// `pointer` is NULL or points to as many bytes as its first field says.
pub(super) unsafe fn check<T: Growing>(pointer: *mut T) -> Outcome<()> {
    // SAFETY: the caller's promise.
    unsafe { size(pointer) }.map(|_| ())
}

/// Writes a result struct, as much of it as the caller knows, its size left as it is.
///
/// # Safety
/// As [`check`], and writable.
pub(super) unsafe fn write<T: Growing>(pointer: *mut T, value: &T) -> Outcome<()> {
    // SAFETY: the caller's promise.
    let size = unsafe { size(pointer) }?;
    let first = size_of::<usize>();
    let from: *const T = value;
    // SAFETY: both have `size` bytes, and they are different structs.
    unsafe {
        std::ptr::copy_nonoverlapping(from.cast::<u8>().add(first), pointer.cast::<u8>().add(first), size - first)
    };
    Ok(())
}

/// Sets a struct of the caller's to `value`, as much of it as `size` bytes hold, and its first field to `size`.
///
/// # Safety
/// `pointer` is NULL or has `size` writable bytes.
pub(super) unsafe fn initialise<T: Growing>(pointer: *mut T, size: usize, value: T) -> Outcome<()> {
    if pointer.is_null() {
        return Err(Fault::argument(T::NAME, "NULL; a struct was expected"));
    }
    check_size::<T>(size)?;
    let from: *const T = &value;
    // SAFETY: `size` is at most T's, and the caller's struct has that many bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), pointer.cast(), size);
        pointer.cast::<usize>().write_unaligned(size);
    }
    Ok(())
}
