//! Makes way for a new thread that waits behind its maker.
//!
//! Linux as a guest of KVM takes a processor that sleeps for one that its host has taken away, and leaves a new thread in the
//! queue of the processor that its maker works on, often for a millisecond or two, while another one idles.

/// Moves the calling thread to another processor, where it may use one. Whatever fails leaves all as it was.
#[cfg(target_os = "linux")]
pub(crate) fn step() {
    use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};
    let Ok(all) = sched_getaffinity(None) else { return };
    let mut others = all;
    others.unset(sched_getcpu());
    if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
        // It has moved by now, and may move on.
        let _ = sched_setaffinity(None, &all);
    }
}

/// Elsewhere threads are not moved.
#[cfg(not(target_os = "linux"))]
pub(crate) fn step() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_processors_that_may_be_used_stay_the_same() {
        let processors = || rustix::thread::sched_getaffinity(None).unwrap();
        let before = processors();
        super::step();
        assert_eq!(processors(), before);
    }
}
