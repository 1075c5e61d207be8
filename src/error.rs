//! The library's one error type.
//!
//! Every fallible function of the library returns [`Error`]. Each variant is a class of cause that a caller can act on
//! differently (a program maps the classes to exit codes, the C face to status codes); its message names the file or
//! argument, says what was found and what was expected, and what to do where that is not plain.

use std::path::{Path, PathBuf};

/// What went wrong, by class of cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder was read, but what it holds is not an image that can be segmented.
    #[error("{}: {fault}", path.display())]
    Image {
        /// The file or folder.
        path: PathBuf,
        /// What was found, what was expected.
        fault: String,
    },
    /// An image handed over in memory is not one that can be segmented.
    #[error("the volume cannot be used: {0}")]
    Volume(String),
    /// The operating system refused to open, read, create or write a file.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted, as a verb: "open", "read", "write".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A model file is broken, or is not a model file.
    #[error("{}: {fault}", path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// What was found, what was expected.
        fault: String,
    },
    /// An option or argument has a value that cannot be used.
    #[error("{name}: {fault}")]
    Argument {
        /// The option's or argument's name.
        name: &'static str,
        /// What was found, what was expected.
        fault: String,
    },
    /// The device that was asked for is not there or cannot do what was asked.
    #[error("device {device}: {fault}")]
    Device {
        /// The device's name as it was given.
        device: String,
        /// Why it cannot be used, and what can be used in its place.
        fault: String,
    },
    /// More memory would be needed than there is, or than the caller allows.
    #[error("not enough memory: {0}")]
    Memory(String),
    /// libtorch reported an error; its message's first line.
    #[error("libtorch failed: {0}")]
    Torch(String),
    /// A training cannot go on: its loss is not a number, a checkpoint does not fit.
    #[error("the training cannot go on: {0}")]
    Training(String),
    /// The caller cancelled the work.
    #[error("cancelled")]
    Cancelled,
}

/// The library's result type.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Image`].
    pub fn image(path: impl AsRef<Path>, fault: impl Into<String>) -> Self {
        Error::Image { path: path.as_ref().to_path_buf(), fault: fault.into() }
    }

    /// An [`Error::Model`].
    pub fn model(path: impl AsRef<Path>, fault: impl Into<String>) -> Self {
        Error::Model { path: path.as_ref().to_path_buf(), fault: fault.into() }
    }

    /// An [`Error::File`].
    pub fn file(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::File { action, path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Argument`].
    pub fn argument(name: &'static str, fault: impl Into<String>) -> Self {
        Error::Argument { name, fault: fault.into() }
    }
}
