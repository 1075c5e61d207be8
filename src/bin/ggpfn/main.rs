//! The program `ggpfn`: one file per subcommand, each only arguments, progress and printing; all work is the library's.

/// Prints a line to stdout; a fault is kept for the end ([`terminal::check_stdout`]).
macro_rules! say {
    ($($words:tt)*) => { crate::terminal::out(format_args!($($words)*)) };
}

/// Prints a line to stderr, if anybody listens.
macro_rules! note {
    ($($words:tt)*) => { crate::terminal::note(format_args!($($words)*)) };
}

mod combine;
mod dataset;
mod demo;
mod dicom_seg;
mod doctor;
mod evaluate;
mod fuse;
mod info;
mod models;
mod new_model;
mod picture;
mod reproduce;
mod runs;
mod segment;
mod shortage;
mod slicer;
mod synth;
mod terminal;
mod train;
mod worker;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use ggpfn::Error;
use terminal::Product;

/// Finds the pancreas in CT scans with the Globally Guided Progressive Fusion Network.
///
/// Reads NIfTI, NRRD, MetaImage and DICOM folders; writes the mask, and if you like the probability, on the scan's own grid.
/// For research; not for clinical use.
#[derive(Parser)]
#[command(name = "ggpfn", version, after_long_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say more about what is done
    #[arg(short, long, global = true, display_order = 100)]
    verbose: bool,
    /// Show no progress and no warnings, only errors
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 101)]
    quiet: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    all went well
  1    a fault of ggpfn itself, or of libtorch
  2    an option or argument cannot be used
  3    an input is not an image that can be segmented
  4    the model file cannot be used
  5    a file cannot be opened, read or written
  6    not enough memory
  7    the device (GPU) cannot be used
  130  stopped by Ctrl-C";

#[derive(Subcommand)]
enum Command {
    Segment(segment::Arguments),
    Fuse(fuse::Arguments),
    Evaluate(evaluate::Arguments),
    DicomSeg(dicom_seg::Arguments),
    NewModel(new_model::Arguments),
    Train(train::Arguments),
    Reproduce(reproduce::Arguments),
    Synth(synth::Arguments),
    Combine(combine::Arguments),
    Dataset(dataset::Arguments),
    Info(info::Arguments),
    Doctor(doctor::Arguments),
    Demo(demo::Arguments),
    // For programs, not for people.
    #[command(hide = true)]
    Worker(worker::Arguments),
}

fn main() -> ExitCode {
    shortage::end_by_exit_code();
    ggpfn::runtime::keep_freed_memory(usize::MAX);
    // Set to nothing is as not set at all.
    if std::env::var_os("GGPFN_MODEL").is_some_and(|model| model.is_empty()) {
        std::env::remove_var("GGPFN_MODEL");
    }
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(call) = slicer::asked_for(&words) {
        // What speaks up on stderr is an error to Slicer.
        terminal::start(false, true);
        return code(slicer::run(call));
    }
    let parsed = with_negative_numbers(Arguments::command()).try_get_matches_from(words);
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(answer) => return explain(&answer),
    };
    if matches!(arguments.command, Command::Worker(_)) {
        terminal::start(false, true);
    } else {
        terminal::start(arguments.verbose, arguments.quiet);
    }
    let product = match arguments.command {
        Command::Evaluate(_) | Command::Dataset(_) | Command::Info(_) | Command::Doctor(_) => Product::Text,
        _ => Product::Files,
    };
    let result = match arguments.command {
        Command::Segment(arguments) => segment::run(arguments),
        Command::Fuse(arguments) => fuse::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::DicomSeg(arguments) => dicom_seg::run(arguments),
        Command::NewModel(arguments) => new_model::run(arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::Reproduce(arguments) => reproduce::run(arguments),
        Command::Synth(arguments) => synth::run(arguments),
        Command::Combine(arguments) => combine::run(arguments),
        Command::Dataset(arguments) => dataset::run(arguments),
        Command::Info(arguments) => info::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Worker(arguments) => worker::run(arguments),
    };
    code(result.and_then(|()| terminal::check_stdout(product)))
}

/// Has a number below 0 taken for the value of an option that it follows, so that what refuses it is the option, with its reason.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| match argument.get_action().takes_values() {
            // Of a list clap does not see that it begins with a number.
            true if argument.get_value_delimiter().is_some() => argument.allow_hyphen_values(true),
            true => argument.allow_negative_numbers(true),
            false => argument,
        })
        .mut_subcommands(with_negative_numbers)
}

/// Prints what clap has to say: help, the version, or what is wrong with the command line.
fn explain(answer: &clap::Error) -> ExitCode {
    let printed = answer.print();
    if answer.use_stderr() {
        return ExitCode::from(2);
    }
    terminal::keep_fault(printed);
    code(terminal::check_stdout(Product::Text))
}

/// Prints what went wrong; the exit code.
fn code(result: ggpfn::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The class of an error as the program's exit code (see `EXIT_CODES`).
fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Argument { .. } => 2,
        Error::Image { .. } | Error::Volume(_) => 3,
        Error::Model { .. } => 4,
        Error::File { .. } => 5,
        Error::Memory(_) => shortage::EXIT_CODE,
        Error::Device { .. } => 7,
        Error::Cancelled => 130,
        _ => 1,
    }
}
