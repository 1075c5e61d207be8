//! `ggpfn worker`: the library's work in a process of its own, for a program that must not load the library.
//!
//! Requests come as lines on stdin, answers go as lines to stdout; each line is one JSON object. Every request runs on a thread of its own
//! while the main thread goes on reading, so a request to cancel holds at once. When stdin ends, all work is cancelled and the process
//! leaves: the program that started it has ended, however that came about.
//!
//! What can be asked stands in [`requests`], what arrays are in [`shared`].

mod requests;
mod shared;
mod words;

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ggpfn::capi::status as code;
use ggpfn::inference::Cancel;
use ggpfn::{Error, Result};
use serde_json::{json, Map, Value};

use requests::Models;

/// Serve another program: requests on stdin, answers on stdout
///
/// One JSON object a line, UTF-8. The first line is {"hello":{"version":...,"protocol":1}}. A request is {"id":1,"do":"segment",...}
/// and gets {"id":1,"progress":{...}} any number of times, then {"id":1,"result":{...}} or
/// {"id":1,"error":{"status":6,"message":"..."}}, the status being one of the C library's. {"do":"cancel","id":1} stops it. The end of
/// stdin stops everything.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Arguments {}

const HELP: &str = "\
Requests, with their fields (? may be left out) and what the result holds:
  runtime          gpus?                                 versions, libtorch, GPUs
  load_model       path? | file, offset, length; neither: the model that ships with ggpfn
                                                         model (a number), info, configuration
  new_model        configuration?, seed?                 the same
  save_model       model, path, weights?                 nothing
  free_model       model                                 nothing
  read_image       path, file, series?                   grid; float32 voxels in file, which must exist and gets their length
  estimate_memory  grid, model? | models?, options?, results?
                                                         host_bytes, device_bytes, host_free
  segment          file, image, results, model? | models?, options?
                                                         measurements; of models, a list of numbers, the mean probability
  threshold        file, image, probability, mask, threshold?, largest_component?
                                                         measurements
  fuse             file, size, views, probability, mask, weights?, threshold?
                                                         nothing
  evaluate         file, prediction, truth               the measures
  train            file, cases, options?, model?, all_stages?, folder?, resume?, device?, minutes?
                                                         model, info, configuration, end, cases, dice

Arrays lie in `file`, which both sides map; \"remove\": true has its name removed once it is open.
  image    {\"grid\": {\"size\": [i,j,k], \"spacing\": mm, \"origin\": mm, \"direction\": 3 rows, \"frame\": \"LPS\" | \"RAS\"},
            \"voxels\": array}
  array    {\"offset\": bytes to voxel (0,0,0), \"dtype\": \"int16\", \"strides\": bytes along i, j, k}
           without strides dense, i fastest; results are uint8 (mask) and float32
  results  {\"mask\": array, \"probability\"?, \"views\"?: {\"axial\": array}, \"uncertainty\"?}
  options  {\"views\", \"view_weights\", \"threshold\", \"largest_component\", \"region\": [[i,j,k],[ni,nj,nk]],
            \"device\", \"precision\", \"threads\", \"block\", \"patch\", \"overlap\"}, each of which may be left out
  cases    [{\"name\", \"image\": image, \"mask\": image, \"role\": \"train\" | \"validate\"}]";

/// The protocol's number, for programs that meet another version.
const PROTOCOL: u32 = 1;
/// Bytes of the longest request: thousands of cases fit, and a stream that is no protocol at all does not fill the memory.
const LONGEST: u64 = 16 << 20;
/// How long work gets to stop by itself when stdin has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all threads share.
struct Worker {
    under_way: Mutex<BTreeMap<u64, Cancel>>,
    some_ended: Condvar,
    models: Models,
    answers: Mutex<Box<dyn Write + Send>>,
}

pub fn run(_: Arguments) -> Result<()> {
    serve(&mut std::io::stdin().lock(), std::io::stdout())
}

/// Answers what a stream asks for, until it ends.
pub fn serve(requests: &mut impl BufRead, answers: impl Write + Send + 'static) -> Result<()> {
    let worker = Arc::new(Worker {
        under_way: Mutex::default(),
        some_ended: Condvar::new(),
        models: Models::default(),
        answers: Mutex::new(Box::new(answers)),
    });
    worker.say(&json!({ "hello": { "version": env!("CARGO_PKG_VERSION"), "protocol": PROTOCOL } }));
    while let Some(line) = next_line(requests) {
        let answer = line.and_then(|line| take(&worker, &line));
        if let Err((id, refusal)) = answer {
            worker.say(&refusal.answer(id));
        }
    }
    worker.stop_all()
}

/// A request that failed before its work began: its number, if it had one, and why.
type Unheard = (Option<u64>, Refusal);

/// The next line with something in it; none at the end of stdin, or when it cannot be read.
fn next_line(stdin: &mut impl BufRead) -> Option<std::result::Result<Vec<u8>, Unheard>> {
    loop {
        let mut line = Vec::new();
        match stdin.take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return None,
            Ok(_) if line.len() as u64 == LONGEST && !line.ends_with(b"\n") => {
                skip_line(stdin)?;
                let fault = format!("a line is longer than {LONGEST} bytes");
                return Some(Err((None, Error::argument("request", fault).into())));
            }
            Ok(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Ok(_) => return Some(Ok(line)),
        }
    }
}

/// Reads on to the end of the line; none at the end of stdin.
fn skip_line(stdin: &mut impl BufRead) -> Option<()> {
    let mut rest = Vec::new();
    while !rest.ends_with(b"\n") {
        rest.clear();
        if stdin.take(1 << 16).read_until(b'\n', &mut rest).ok()? == 0 {
            return None;
        }
    }
    Some(())
}

/// Starts what a line asks for.
fn take(worker: &Arc<Worker>, line: &[u8]) -> std::result::Result<(), Unheard> {
    let fault = |id, text: String| Err((id, Error::argument("request", text).into()));
    let mut request: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return fault(None, format!("not a JSON object: {error}")),
    };
    let Some(id) = request.remove("id").as_ref().and_then(Value::as_u64) else {
        return fault(None, "it has no id; a whole number was expected".into());
    };
    let what = match request.remove("do") {
        Some(Value::String(what)) => what,
        _ => {
            return fault(Some(id), "it does not say what to do; {\"do\":\"segment\"} for example was expected".into())
        }
    };
    if what == "cancel" {
        // Work that has ended meanwhile needs no cancelling.
        if let Some(cancel) = locked(&worker.under_way).get(&id) {
            cancel.cancel();
        }
        return Ok(());
    }
    let cancel = Cancel::new();
    {
        let mut under_way = locked(&worker.under_way);
        if under_way.contains_key(&id) {
            return fault(Some(id), format!("the id {id} is that of work under way"));
        }
        under_way.insert(id, cancel.clone());
    }
    let task = Task { worker: Arc::clone(worker), id, cancel, furthest: Mutex::new(0.0) };
    let thread = std::thread::Builder::new().name("request".into()).spawn(move || task.run(&what, request));
    if let Err(error) = thread {
        worker.end(id);
        return Err((Some(id), Error::Memory(format!("the system gave no thread to work on ({error})")).into()));
    }
    Ok(())
}

impl Worker {
    fn say(&self, value: &Value) {
        write(&mut **locked(&self.answers), value);
    }

    fn end(&self, id: u64) {
        locked(&self.under_way).remove(&id);
        self.some_ended.notify_all();
    }

    /// Cancels all work and waits for its end: a training saves what it has.
    fn stop_all(&self) -> Result<()> {
        let under_way = locked(&self.under_way);
        under_way.values().for_each(Cancel::cancel);
        let waiting = self.some_ended.wait_timeout_while(under_way, PATIENCE, |under_way| !under_way.is_empty());
        let (under_way, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        if !under_way.is_empty() {
            // A layer that takes longer than this: nobody waits for it.
            ggpfn::files::remove_temporaries();
            std::process::exit(130);
        }
        drop(under_way);
        // The last answer may still be on its way.
        drop(locked(&self.answers));
        Ok(())
    }
}

/// One request under way.
struct Task {
    worker: Arc<Worker>,
    id: u64,
    cancel: Cancel,
    /// The part of the work that was told of; what several threads report may come in another order.
    furthest: Mutex<f64>,
}

impl Task {
    fn run(self, what: &str, fields: Map<String, Value>) {
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| requests::answer(&self, what, fields)));
        let outcome = outcome.unwrap_or_else(|_| {
            let message = "a fault of ggpfn's own, please report it with what it wrote to stderr".to_string();
            Err(Refusal { status: code::GGPFN_ERROR_INTERNAL, message })
        });
        let answer = match outcome {
            Ok(result) => json!({ "id": self.id, "result": result }),
            Err(refusal) => refusal.answer(Some(self.id)),
        };
        let mut answers = locked(&self.worker.answers);
        // Before the answer: who has it may use the number again. Not before the lock: the end of stdin waits for that one.
        self.worker.end(self.id);
        write(&mut **answers, &answer);
    }

    /// Tells how far the work is: `progress` with its fraction, which never falls.
    fn report(&self, fraction: f64, mut progress: Value) {
        let mut furthest = locked(&self.furthest);
        *furthest = furthest.max(fraction);
        progress["fraction"] = json!(*furthest);
        self.worker.say(&json!({ "id": self.id, "progress": progress }));
    }
}

/// Why a request failed, as the C library's status and text.
struct Refusal {
    status: i32,
    message: String,
}

impl Refusal {
    fn answer(&self, id: Option<u64>) -> Value {
        json!({ "id": id, "error": { "status": self.status, "message": self.message } })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Argument { .. } => code::GGPFN_ERROR_ARGUMENT,
            Error::Image { .. } | Error::Volume(_) => code::GGPFN_ERROR_IMAGE,
            Error::Model { .. } => code::GGPFN_ERROR_MODEL,
            Error::File { .. } => code::GGPFN_ERROR_FILE,
            Error::Device { .. } => code::GGPFN_ERROR_DEVICE,
            Error::Memory(_) => code::GGPFN_ERROR_MEMORY,
            Error::Torch(_) => code::GGPFN_ERROR_TORCH,
            Error::Training(_) => code::GGPFN_ERROR_TRAINING,
            Error::Cancelled => code::GGPFN_ERROR_CANCELLED,
            _ => code::GGPFN_ERROR_INTERNAL,
        };
        Refusal { status, message: error.to_string() }
    }
}

/// Writes a line. If nobody listens any more, stdin is about to end as well.
fn write(answers: &mut dyn Write, value: &Value) {
    let _ = writeln!(answers, "{value}").and_then(|()| answers.flush());
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
