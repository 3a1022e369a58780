//! What the fuzz targets share: a count of the memory that a reader takes.

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs `read` and panics when it held more than `limit` bytes beyond what was held before.
pub fn within<T>(limit: usize, read: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let result = read();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= limit, "{taken} bytes of memory taken, {limit} allowed");
    result
}
