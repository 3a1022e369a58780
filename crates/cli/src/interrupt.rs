//! Ctrl-C: the first asks for a checkpoint, the second ends the program at once.

use crate::failure::{Exit, Failure};
use crate::output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is set by the first Ctrl-C (or a request to terminate).
///
/// # Errors
/// Where the operating system does not let the program watch for Ctrl-C.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let watched = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
        output::tell(
            "\nStopping after this step, with a checkpoint; Ctrl-C again stops at once.\n",
        );
    });
    watched.map_err(|error| Failure::output("cannot watch for Ctrl-C").caused_by(&error))?;
    Ok(stop)
}
