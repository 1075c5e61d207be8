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

/// The size of the field that a function leads to.
pub(super) const fn field_size<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

/// Declares a struct as one that can grow, with its last field: `growing!(ggpfn_image, direction)`. Once it has grown, the last field of its
/// first version is given too: `growing!(ggpfn_measurements, warning_count, first: seconds)`.
macro_rules! growing {
    ($name:ident, $last:ident) => {
        $crate::capi::structs::growing!($name, $last, first: $last);
    };
    ($name:ident, $last:ident, first: $first:ident) => {
        const _: () = assert!(
            std::mem::offset_of!($name, $last) + $crate::capi::structs::field_size(|s: &$name| &s.$last)
                == std::mem::size_of::<$name>(),
            "the struct ends in padding, where a new field would be within an old size"
        );
        // SAFETY: the struct is repr(C) of numbers, arrays and pointers, begins with its size, and the assertion keeps its end
        // free of padding.
        unsafe impl $crate::capi::structs::Growing for $name {
            const NAME: &'static str = stringify!($name);
            const FIRST: usize =
                std::mem::offset_of!($name, $first) + $crate::capi::structs::field_size(|s: &$name| &s.$first);
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

#[cfg(test)]
mod tests {
    use super::super::status::{GGPFN_ERROR_ARGUMENT, GGPFN_OK};
    use super::*;

    /// A struct that has grown twice: it began with `a`, then got `b`, and `c` with `d`.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Grown {
        struct_size: usize,
        a: f64,
        b: u64,
        c: i32,
        d: i32,
    }

    const WHOLE: usize = size_of::<Grown>();
    const FIRST: usize = 16;
    const SECOND: usize = 24;

    // SAFETY: repr(C) of numbers, begins with its size, and no padding: 8 + 8 + 8 + 4 + 4.
    unsafe impl Growing for Grown {
        const NAME: &'static str = "grown";
        const FIRST: usize = FIRST;
    }

    const FULL: Grown = Grown { struct_size: WHOLE, a: 1.5, b: 2, c: 3, d: 4 };

    /// A caller's struct of `size` bytes, and as many behind it that are not its own as fill the whole.
    fn of_size(size: usize) -> Grown {
        Grown { struct_size: size, ..FULL }
    }

    /// The text of what a struct of this size is refused with.
    fn refusal(size: usize) -> String {
        let callers = of_size(size);
        // SAFETY: the struct is whole, and a size beyond it is refused before it is read.
        let fault = unsafe { read(&callers) }.unwrap_err();
        assert_eq!(fault.status(), GGPFN_ERROR_ARGUMENT);
        fault.to_string()
    }

    #[test]
    fn what_an_older_struct_lacks_is_zero() {
        for (size, expected) in [
            (FIRST, Grown { struct_size: FIRST, a: 1.5, b: 0, c: 0, d: 0 }),
            (SECOND, Grown { struct_size: SECOND, a: 1.5, b: 2, c: 0, d: 0 }),
            // Between two versions: no compiler makes such a size, but nothing beyond it is read either.
            (SECOND + 4, Grown { struct_size: SECOND + 4, a: 1.5, b: 2, c: 3, d: 0 }),
            (WHOLE, FULL),
        ] {
            // SAFETY: the struct is whole.
            assert_eq!(unsafe { read(&of_size(size)) }.unwrap(), expected);
        }
    }

    #[test]
    fn results_fill_as_much_as_the_caller_knows() {
        for size in [FIRST, SECOND, SECOND + 4, WHOLE] {
            let mut place = [0x5a_u8; WHOLE + 8];
            place[..8].copy_from_slice(&size.to_ne_bytes());
            let pointer: *mut Grown = place.as_mut_ptr().cast();
            // SAFETY: `size` bytes and more are there; the functions do without alignment.
            unsafe {
                check(pointer).unwrap();
                write(pointer, &Grown { struct_size: 77, ..FULL }).unwrap();
            }
            // SAFETY: a whole struct of plain numbers.
            let bytes: [u8; WHOLE] = unsafe { std::mem::transmute(FULL) };
            assert_eq!(place[..8], size.to_ne_bytes(), "the caller's own size stays");
            assert_eq!(place[8..size], bytes[8..size]);
            assert!(place[size..].iter().all(|byte| *byte == 0x5a), "what is behind it stays");
        }
    }

    #[test]
    fn an_older_struct_is_initialised_as_far_as_it_goes() {
        for size in [FIRST, SECOND, WHOLE] {
            let mut place = [0x5a_u8; WHOLE + 8];
            // One byte off: callers pack their structs.
            let pointer: *mut Grown = place[1..].as_mut_ptr().cast();
            // SAFETY: `size` bytes and more are there.
            unsafe { initialise(pointer, size, Grown { struct_size: 0, ..FULL }) }.unwrap();
            // SAFETY: as above.
            let read = unsafe { read(pointer.cast_const()) }.unwrap();
            assert_eq!((read.struct_size, read.a), (size, 1.5));
            assert_eq!((read.b, read.d), (if size < SECOND { 0 } else { 2 }, if size < WHOLE { 0 } else { 4 }));
            assert!(place[1 + size..].iter().all(|byte| *byte == 0x5a));
        }
    }

    #[test]
    fn sizes_that_no_version_had_are_refused_by_a_sentence_that_helps() {
        for size in [0, 1, 8, FIRST - 1] {
            let text = refusal(size);
            assert!(text.contains("sizeof(grown)") && text.contains(&format!("struct_size is {size};")), "{text}");
        }
        for size in [WHOLE + 1, WHOLE + 8, 10_000, usize::MAX] {
            let text = refusal(size);
            assert!(text.contains("newer") && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
        }
        let mut grown = of_size(WHOLE + 8);
        // SAFETY: a refused struct is neither read nor written.
        unsafe {
            assert!(check(&mut grown).is_err());
            assert!(write(&mut grown, &Grown { a: 9.0, ..FULL }).is_err());
            assert!(initialise(&mut grown, FIRST - 1, FULL).is_err());
            assert!(initialise(&mut grown, WHOLE + 1, FULL).is_err());
        }
        assert_eq!(grown, of_size(WHOLE + 8));
    }

    #[test]
    fn null_is_all_defaults_where_that_has_a_meaning_and_refused_elsewhere() {
        let null: *mut Grown = std::ptr::null_mut();
        // SAFETY: NULL is allowed.
        unsafe {
            let defaults = read_or_default(null.cast_const()).unwrap();
            assert_eq!(defaults, Grown { struct_size: 0, a: 0.0, b: 0, c: 0, d: 0 });
            for fault in [read(null.cast_const()).err(), check(null).err(), write(null, &FULL).err()] {
                assert!(fault.unwrap().to_string().contains("NULL"));
            }
            assert!(initialise(null, WHOLE, FULL).is_err());
        }
    }

    /// A field of 8 bytes may follow any of them without padding in between.
    #[test]
    fn the_exported_structs_begin_with_their_size_and_take_eight_bytes_at_a_time() {
        use crate::capi::{evaluate, image, model, monitor, runtime, segment, trainer, training};
        fn check<T: Growing>() {
            assert_eq!((size_of::<T>() % 8, T::FIRST % 8), (0, 0), "{}", T::NAME);
            assert!(T::FIRST <= size_of::<T>(), "{}", T::NAME);
            let size = size_of::<T>();
            // SAFETY: zero is a value of it, as the trait says; the size is its first field, which `write` leaves alone.
            let mut value: T = unsafe { MaybeUninit::zeroed().assume_init() };
            let pointer: *mut T = &mut value;
            // SAFETY: the first field is a usize.
            unsafe { pointer.cast::<usize>().write(size) };
            // SAFETY: as above.
            let read = unsafe { read(pointer.cast_const()) };
            assert_eq!(read.map_or(GGPFN_ERROR_ARGUMENT, |_| GGPFN_OK), GGPFN_OK, "{}", T::NAME);
        }
        check::<runtime::ggpfn_runtime>();
        check::<monitor::ggpfn_progress>();
        check::<model::ggpfn_model_info>();
        check::<model::ggpfn_label>();
        check::<image::ggpfn_image>();
        check::<segment::ggpfn_segment_options>();
        check::<segment::ggpfn_measurements>();
        check::<segment::ggpfn_result>();
        check::<segment::ggpfn_label_result>();
        check::<segment::ggpfn_memory>();
        check::<evaluate::ggpfn_comparison>();
        check::<training::ggpfn_training_result>();
        check::<trainer::ggpfn_losses>();
    }
}
