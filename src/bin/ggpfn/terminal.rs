//! What a person sees: progress, warnings, errors, and what Ctrl-C does.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use ggpfn::inference::{Cancel, Monitor, Progress};
use ggpfn::Error;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// All bars, so that a warning can be printed between them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();
static CANCEL: OnceLock<Cancel> = OnceLock::new();
static QUIET: AtomicBool = AtomicBool::new(false);
static PATIENT: AtomicBool = AtomicBool::new(false);

/// How long the work gets to stop by itself after Ctrl-C. A layer on a large slice can take longer on a slow machine; then the
/// program clears up and leaves without it.
const GRACE: Duration = Duration::from_millis(700);

/// Sets up warnings and Ctrl-C.
pub fn start(verbose: bool, quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
    let level = match (verbose, quiet) {
        (true, _) => log::LevelFilter::Info,
        (_, true) => log::LevelFilter::Error,
        _ => log::LevelFilter::Warn,
    };
    env_logger::Builder::new()
        .filter_module("ggpfn", level)
        .parse_env("GGPFN_LOG")
        .format(|out, record| match record.level() {
            log::Level::Warn => writeln!(out, "warning: {}", record.args()),
            level => writeln!(out, "{}: {}", level.as_str().to_lowercase(), record.args()),
        })
        .target(env_logger::Target::Pipe(Box::new(BetweenBars)))
        .init();
    let handler = || {
        if cancel().is_cancelled() {
            leave(); // the second Ctrl-C
        }
        cancel().cancel();
        if PATIENT.load(Ordering::Relaxed) {
            return;
        }
        std::thread::spawn(|| {
            std::thread::sleep(GRACE);
            leave();
        });
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::info!("Ctrl-C will stop the program without clearing up ({error})");
    }
}

/// Leaves at once, without half-written files.
fn leave() -> ! {
    ggpfn::files::remove_temporaries();
    error(&Error::Cancelled);
    std::process::exit(130)
}

/// The request that Ctrl-C makes.
pub fn cancel() -> &'static Cancel {
    CANCEL.get_or_init(Cancel::new)
}

/// Prints an error the way all are printed.
pub fn error(error: &Error) {
    let text = match error {
        Error::Cancelled => "stopped".to_string(),
        error => format!("error: {error}"),
    };
    note!("{text}");
}

/// Whether a bar is shown, and not lines.
pub fn is_interactive() -> bool {
    std::io::stderr().is_terminal()
}

fn bars() -> &'static MultiProgress {
    BARS.get_or_init(|| {
        let hidden = QUIET.load(Ordering::Relaxed) || !std::io::stderr().is_terminal();
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        MultiProgress::with_draw_target(target)
    })
}

/// What a command is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// What it prints.
    Text,
    /// The files that it writes; what it prints only tells of them.
    Files,
}

/// The first fault of stdout.
static STDOUT_FAULT: Mutex<Option<std::io::Error>> = Mutex::new(None);
/// Whether stdout was closed when the program started. By the time of `main` the closed one is /dev/null.
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks at stdout before anything of Rust's own runs.
#[cfg(target_os = "linux")]
#[used]
#[link_section = ".init_array"]
static LOOK_AT_STDOUT: extern "C" fn() = {
    extern "C" fn look() {
        // Sound: it asks for a flag of a number, which need not be an open file.
        if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1 {
            STDOUT_CLOSED.store(true, Ordering::Relaxed);
        }
    }
    look
};

/// Writes a line to stdout. After a fault nothing more is written; [`check_stdout`] tells of it at the end.
pub fn out(line: std::fmt::Arguments) {
    let faultless = STDOUT_FAULT.lock().is_ok_and(|fault| fault.is_none());
    if faultless {
        keep_fault(bars().suspend(|| {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{line}").and_then(|()| stdout.flush())
        }));
    }
}

/// Keeps a fault of stdout for [`check_stdout`].
pub fn keep_fault(written: std::io::Result<()>) {
    if let (Err(error), Ok(mut fault)) = (written, STDOUT_FAULT.lock()) {
        fault.get_or_insert(error);
    }
}

/// Fails if stdout could not be written. Where the results are files, a reader that has left is no fault.
pub fn check_stdout(product: Product) -> ggpfn::Result<()> {
    let closed = || STDOUT_CLOSED.load(Ordering::Relaxed).then(|| std::io::Error::other("it is closed"));
    let fault = STDOUT_FAULT.lock().ok().and_then(|mut fault| fault.take());
    match fault {
        Some(fault) if product == Product::Text || fault.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::file("write to", "the standard output", fault))
        }
        None if product == Product::Text => match closed() {
            Some(fault) => Err(Error::file("write to", "the standard output", fault)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Writes a line to stderr. Nobody may be listening, which is no reason to stop working.
pub fn note(line: std::fmt::Arguments) {
    bars().suspend(|| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
}

/// Prints a line of progress, unless nobody wants to see any.
pub fn line(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        note!("{text}");
    }
}

/// Lets Ctrl-C take as long as it takes: the work saves what it has and then ends by itself. A second Ctrl-C leaves at once.
pub fn wait_for_the_work() {
    PATIENT.store(true, Ordering::Relaxed);
}

/// A progress display for one piece of work: a bar with the time left, or plain lines where there is no terminal.
pub struct Display {
    bar: Option<ProgressBar>,
    lines: Mutex<Lines>,
}

struct Lines {
    start: Instant,
    /// The part of the work, and the time, of the last line.
    last: (f64, Instant),
    phase: String,
}

impl Display {
    /// `name` stands before the bar.
    pub fn new(name: &str) -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} %  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars().add(ProgressBar::new(1000).with_style(style));
            bar.set_prefix(name.to_string());
            bar
        });
        Display { bar, lines: Mutex::new(Lines { start: now, last: (0.0, now), phase: String::new() }) }
    }

    /// A monitor that shows its progress here and stops at Ctrl-C.
    pub fn monitor(&self) -> Monitor<'_> {
        Monitor::new(cancel().clone(), |progress| self.show(progress))
    }

    /// Puts the bar where the work is, with a text beside it.
    pub fn set(&self, fraction: f64, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position((fraction * 1000.0) as u64);
            bar.set_message(text.to_string());
        }
    }

    /// Shows how far the work is.
    pub fn show(&self, progress: &Progress) {
        let Ok(mut lines) = self.lines.lock() else { return };
        let elapsed = lines.start.elapsed().as_secs_f64();
        let left = if progress.fraction > 0.02 {
            let seconds = (elapsed / progress.fraction * (1.0 - progress.fraction)).ceil() as u64;
            format!(", {}:{:02} left", seconds / 60, seconds % 60)
        } else {
            String::new()
        };
        if self.bar.is_some() {
            return self.set(progress.fraction, &format!("{}{left}", progress.phase));
        }
        // Without a terminal: a line for each tenth, not more than one in two seconds, and one for each phase.
        let due = progress.fraction - lines.last.0 >= 0.1 && lines.last.1.elapsed() >= Duration::from_secs(2);
        if (due || lines.phase != progress.phase) && !QUIET.load(Ordering::Relaxed) {
            note!("{}: {:.0} %{left}", progress.phase, 100.0 * progress.fraction);
            lines.last = (progress.fraction, Instant::now());
            lines.phase = progress.phase.clone();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes log lines above the bars.
struct BetweenBars;

impl Write for BetweenBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A closed stderr is no reason to stop working.
        let _ = bars().suspend(|| std::io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
