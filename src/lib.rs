//! Pancreas segmentation in CT by the Globally Guided Progressive Fusion Network (GGPFN), in memory, on libtorch.
//!
//! The way of the data: bytes -> [`volume::Volume`] -> slices of a [`volume::View`] -> the view's probabilities -> fused
//! probabilities -> mask on the caller's grid. Each room of the library knows those before it and none behind it:
//!
//! | room | what lives there |
//! | --- | --- |
//! | [`volume`] | voxels, spacing, direction, orientation, resampling, measurements |
//! | [`outputs`] | which files may be written: never over an input, or over something else |
//! | [`io`] | NIfTI, NRRD, MetaImage, DICOM to a volume and back |
//! | [`dataset`] | sets of labelled CTs: layouts, loading, checking, splitting |
//! | [`compute`] | devices, threads, progress, cancel |
//! | [`network`] | layers, configuration, the model file |
//! | [`quality`] | how far a result can be trusted: features, expected Dice, warnings |
//! | [`inference`] | slices streamed through a network, patches, views, fusion |
//! | [`evaluation`] | masks against their truth, tables, curves |
//! | [`training`] | samples, loss, optimiser, stages, checkpoints |
//! | [`synthesis`] | made-up CTs with an exact truth |
//! | [`capi`] | the C face, `include/ggpfn.h` |
//! | [`runtime`] | which libtorch this process runs on |
//! | [`limits`] | how much memory it can get |
//!
//! ```no_run
//! use ggpfn::{inference, io, network::Model};
//! # fn main() -> ggpfn::Result<()> {
//! let model = Model::load("pancreas.safetensors".as_ref())?;
//! let volume = io::read("ct.nii.gz".as_ref(), &io::ReadOptions::default())?;
//! let result = inference::segment(&model, &volume, &Default::default(), &Default::default())?;
//! println!("{:.1} mL", result.measurements.volume_ml);
//! io::write("pancreas.nii.gz".as_ref(), io::Voxels::U8(result.mask.view()), volume.geometry())?;
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

pub mod capi;
pub mod compute;
pub mod dataset;
mod error;
pub mod evaluation;
pub mod files;
mod float_environment;
pub mod inference;
pub mod io;
pub mod labels;
pub mod limits;
pub mod network;
pub mod outputs;
pub mod quality;
pub mod runtime;
pub mod synthesis;
pub mod training;
pub mod volume;

pub use error::{Error, Result};

/// The README's program is compiled with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
