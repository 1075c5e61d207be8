//! Running other programs, and saying what went wrong.

use std::fmt;
use std::process::{Command, Stdio};

/// Why a command of xtask failed: one sentence, and what to do. A program that has explained itself adds its exit code.
#[derive(Debug)]
pub struct Fault {
    text: String,
    /// What this program exits with.
    pub code: u8,
}

impl Fault {
    pub fn new(text: impl Into<String>) -> Self {
        Fault { text: text.into(), code: 1 }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Says what comes next.
pub fn headline(text: &str) {
    eprintln!("== {text}");
}

fn describe(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a command whose output the user sees.
pub fn run(command: &mut Command) -> Result<(), Fault> {
    let name = describe(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
            Err(Fault { text: format!("`{name}` failed ({status})"), code })
        }
        Err(error) => Err(Fault::new(format!("`{name}` cannot be started: {error}"))),
    }
}

/// Runs a command in silence; a failure shows the end of what it printed.
pub fn quietly(command: &mut Command) -> Result<String, Fault> {
    let name = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Fault::new(format!("`{name}` cannot be started: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let all = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = all.lines().collect();
    let tail = lines[lines.len().saturating_sub(8)..].join("\n  ");
    Err(Fault::new(format!("`{name}` failed ({}):\n  {tail}", output.status)))
}
