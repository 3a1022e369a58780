//! Timing of calls.

use std::time::Instant;

/// Calls `call` `calls` times; returns the seconds in all and the median of a call.
pub fn timed_calls(calls: usize, mut call: impl FnMut(usize)) -> (f64, f64) {
    let mut each = Vec::with_capacity(calls);
    let begin = Instant::now();
    for index in 0..calls {
        let start = Instant::now();
        call(index);
        each.push(start.elapsed().as_secs_f64());
    }
    let seconds = begin.elapsed().as_secs_f64();
    each.sort_by(f64::total_cmp);
    (seconds, each[calls / 2])
}
