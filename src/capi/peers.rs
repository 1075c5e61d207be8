//! A training by several processes, whose engine (torch.distributed, MPI) carries what they exchange.

use std::ffi::c_void;
use std::sync::Arc;

use super::boundary::enter;
use super::status::{ggpfn_status, Fault};
use super::training::{ggpfn_training, with};
use crate::training::{Exchange, Peers};
use crate::volume::View;
use crate::{Error, Result};

/// Carries bytes between the processes of a training; gives 0, or anything else to end the training in this process.
///
/// `send` and `receive` do not overlap and are valid during the call alone. It is called on a thread of the library, one call at a time, in
/// the same order in all processes; it must not throw or jump out.
#[allow(non_camel_case_types)]
pub type ggpfn_exchange_callback = Option<
    unsafe extern "C" fn(send: *const c_void, receive: *mut c_void, bytes: usize, user_data: *mut c_void) -> i32,
>;

type Function = unsafe extern "C" fn(*const c_void, *mut c_void, usize, *mut c_void) -> i32;

struct Callbacks {
    ranks: usize,
    all_gather: Function,
    all_to_all: Function,
    user_data: usize,
}

impl Callbacks {
    fn call(&self, name: &str, function: Function, send: &[u8], receive: &mut [u8], bytes: usize) -> Result<()> {
        let user_data = self.user_data as *mut c_void;
        // SAFETY: whoever set the callbacks promised functions of this type; both buffers have room for what they are told.
        let answer = unsafe { function(send.as_ptr().cast(), receive.as_mut_ptr().cast(), bytes, user_data) };
        match answer {
            0 => Ok(()),
            other => Err(Error::Training(format!("the exchange between the processes failed: {name} gave {other}"))),
        }
    }
}

impl Exchange for Callbacks {
    fn all_gather(&self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        self.call("all_gather", self.all_gather, send, receive, send.len())
    }

    fn all_to_all(&self, send: &[u8], receive: &mut [u8]) -> Result<()> {
        self.call("all_to_all", self.all_to_all, send, receive, send.len() / self.ranks)
    }
}

/// Has the training be run by several processes together, each of which makes the same calls with the same options and cases in the same
/// order, and then ggpfn_training_run. This one is number `rank` of `ranks`.
///
/// The step's batches (option `accumulate`) are shared out among them, and the validation cases. The result has the same bits for any
/// number of processes. Process 0 alone writes to the training's folder, which the others must be able to read if it is resumed.
///
/// `views` has a bit 1 << GGPFN_AXIAL and so on for each view that these processes train, so that others may train the rest; 0: all. The folder's
/// model.safetensors is then written by whoever resumes the training with all views once they are done.
///
/// `all_gather`: `send` has `bytes` bytes, and `receive` gets `ranks` times as many, those of all processes in their order, as by
/// MPI_Allgather. `all_to_all`: both have `bytes` bytes for each process; piece i of `send` goes to process i, and piece i of `receive` is from
/// process i, as by MPI_Alltoall. With MPI, initialise with MPI_THREAD_SERIALIZED or more, since they are called on another thread.
#[no_mangle]
pub extern "C" fn ggpfn_training_set_peers(
    training: *mut ggpfn_training,
    rank: i32,
    ranks: i32,
    views: u32,
    all_gather: ggpfn_exchange_callback,
    all_to_all: ggpfn_exchange_callback,
    user_data: *mut c_void,
) -> ggpfn_status {
    enter(|| {
        if !(1..=1 << 20).contains(&ranks) || !(0..ranks).contains(&rank) {
            let fault = format!("{rank} of {ranks}; numbers from 0 to before the number of processes were expected");
            return Err(Fault::argument("rank", fault));
        }
        if views >> View::ALL.len() != 0 {
            return Err(Fault::argument(
                "views",
                format!("{views}; bits of GGPFN_AXIAL to GGPFN_CORONAL were expected"),
            ));
        }
        let (Some(all_gather), Some(all_to_all)) = (all_gather, all_to_all) else {
            return Err(Fault::argument("all_gather, all_to_all", "NULL; two functions were expected"));
        };
        let views = View::ALL.into_iter().enumerate().filter(|(bit, _)| views >> bit & 1 == 1).map(|(_, view)| view);
        let callbacks = Callbacks { ranks: ranks as usize, all_gather, all_to_all, user_data: user_data as usize };
        let peers = Peers::new(rank as usize, ranks as usize, views.collect(), Arc::new(callbacks))?;
        with(training, |plan| {
            if let Some(view) = peers.views().iter().find(|view| !plan.options.views.contains(view)) {
                return Err(Fault::argument("views", format!("{view}, which the options do not train")));
            }
            plan.peers = peers;
            Ok(())
        })
    })
}
