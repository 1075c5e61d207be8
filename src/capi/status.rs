//! Status codes, and the one place where the library's errors become such codes.

use crate::Error;

/// What a function returns: 0 for success, else one of the GGPFN_ERROR numbers. A later version may add numbers.
#[allow(non_camel_case_types)]
pub type ggpfn_status = i32;

/// Success.
pub const GGPFN_OK: i32 = 0;
/// A pointer was NULL that must not be, or an option, a size or a handle has a value that cannot be used.
pub const GGPFN_ERROR_ARGUMENT: i32 = 1;
/// The image cannot be segmented: its grid is unusable, voxels are not finite numbers, a file is no image.
pub const GGPFN_ERROR_IMAGE: i32 = 2;
/// The model file is broken, or is not a model file.
pub const GGPFN_ERROR_MODEL: i32 = 3;
/// The operating system refused to open, read, create or write a file.
pub const GGPFN_ERROR_FILE: i32 = 4;
/// The device that was asked for is not there or cannot do what was asked.
pub const GGPFN_ERROR_DEVICE: i32 = 5;
/// More memory would be needed than there is, on the GPU or in the machine; the message says how much and what needs less.
pub const GGPFN_ERROR_MEMORY: i32 = 6;
/// libtorch reported an error.
pub const GGPFN_ERROR_TORCH: i32 = 7;
/// The training cannot go on: its loss is not a number, a checkpoint does not fit.
pub const GGPFN_ERROR_TRAINING: i32 = 8;
/// The work was cancelled, by the monitor or by a callback that returned 0.
pub const GGPFN_ERROR_CANCELLED: i32 = 9;
/// The process runs on another libtorch than this library was built for, brought by its host.
pub const GGPFN_ERROR_RUNTIME: i32 = 10;
/// The text or file does not fit into the buffer; the length that is needed was written.
pub const GGPFN_ERROR_BUFFER: i32 = 11;
/// Another thread is using a handle that one thread at a time may use.
pub const GGPFN_ERROR_BUSY: i32 = 12;
/// A fault of the library's own; please report it with the message.
pub const GGPFN_ERROR_INTERNAL: i32 = 13;

/// The process was forked from one in which the library had worked already; its threads, and libtorch's, are not in this one. Fork before the
/// first segmentation, evaluation or training, or start a new program. Handles cannot be used; freeing them does nothing.
pub const GGPFN_ERROR_FORK: i32 = 14;

/// What can go wrong in a call: the library's own errors, and those that only C can cause.
#[derive(Debug)]
pub(super) enum Fault {
    Library(Error),
    /// Another libtorch in the process.
    Runtime(String),
    /// So many bytes would have been needed.
    Buffer {
        needed: usize,
        given: usize,
    },
    /// A handle in use, by the name of its type.
    Busy(&'static str),
    /// The library's threads are in the process that this one was forked from.
    Forked,
    /// The library panicked; where and why.
    Internal(String),
}

impl Fault {
    /// A pointer or value that cannot be used.
    pub fn argument(name: &'static str, fault: impl Into<String>) -> Self {
        Fault::Library(Error::argument(name, fault))
    }

    pub fn status(&self) -> ggpfn_status {
        match self {
            Fault::Library(error) => match error {
                Error::Argument { .. } => GGPFN_ERROR_ARGUMENT,
                Error::Image { .. } | Error::Volume(_) => GGPFN_ERROR_IMAGE,
                Error::Model { .. } => GGPFN_ERROR_MODEL,
                Error::File { .. } => GGPFN_ERROR_FILE,
                Error::Device { .. } => GGPFN_ERROR_DEVICE,
                Error::Memory(_) => GGPFN_ERROR_MEMORY,
                Error::Torch(_) => GGPFN_ERROR_TORCH,
                Error::Training(_) => GGPFN_ERROR_TRAINING,
                Error::Cancelled => GGPFN_ERROR_CANCELLED,
            },
            Fault::Runtime(_) => GGPFN_ERROR_RUNTIME,
            Fault::Buffer { .. } => GGPFN_ERROR_BUFFER,
            Fault::Busy(_) => GGPFN_ERROR_BUSY,
            Fault::Forked => GGPFN_ERROR_FORK,
            Fault::Internal(_) => GGPFN_ERROR_INTERNAL,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Library(error)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Library(error) => error.fmt(f),
            Fault::Runtime(text) => f.write_str(text),
            Fault::Buffer { needed, given } => {
                write!(f, "the buffer has {given} bytes; {needed} are needed")
            }
            Fault::Busy(what) => write!(f, "another thread is using this {what}; one at a time may"),
            Fault::Forked => f.write_str(
                "this process was forked from one in which ggpfn had worked already, whose threads are not here; fork before the first \
                 work, or start a new program (in Python: multiprocessing.get_context(\"spawn\"))",
            ),
            Fault::Internal(text) => write!(f, "a fault of ggpfn's own, please report it: {text}"),
        }
    }
}

/// A result inside the C face.
pub(super) type Outcome<T> = Result<T, Fault>;

/// A status in words, for logs: "out of memory". Never NULL; the text is static and must not be freed.
#[no_mangle]
pub extern "C" fn ggpfn_status_text(status: ggpfn_status) -> *const std::ffi::c_char {
    let text = match status {
        GGPFN_OK => c"success",
        GGPFN_ERROR_ARGUMENT => c"unusable argument",
        GGPFN_ERROR_IMAGE => c"unusable image",
        GGPFN_ERROR_MODEL => c"unusable model file",
        GGPFN_ERROR_FILE => c"file cannot be read or written",
        GGPFN_ERROR_DEVICE => c"device not usable",
        GGPFN_ERROR_MEMORY => c"not enough memory",
        GGPFN_ERROR_TORCH => c"libtorch failed",
        GGPFN_ERROR_TRAINING => c"training cannot go on",
        GGPFN_ERROR_CANCELLED => c"cancelled",
        GGPFN_ERROR_RUNTIME => c"another libtorch is in this process",
        GGPFN_ERROR_BUFFER => c"buffer too small",
        GGPFN_ERROR_BUSY => c"handle in use",
        GGPFN_ERROR_INTERNAL => c"internal fault",
        GGPFN_ERROR_FORK => c"forked after first use",
        _ => c"unknown status",
    };
    text.as_ptr()
}
