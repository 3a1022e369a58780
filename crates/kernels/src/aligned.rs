//! Memory that begins on a cache line, and where it is large on a huge page.

use core::alloc::Layout;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::alloc::{alloc_zeroed, dealloc, handle_alloc_error};

use crate::element::Element;

/// Bytes of a cache line, and of the widest vector register.
pub const ALIGNMENT: usize = 64;

/// What the system's allocator aligns to by itself on every 64-bit platform. Asked for more, Rust's standard library clears
/// the memory by hand; so it hands out fresh pages of the system, which cost nothing until they are touched.
const PLAIN_ALIGNMENT: usize = 16;

/// Bytes of a huge page, the smallest of them where there are several sizes.
///
/// The system hands out such a page in a fifth of the time that it takes for its 512 small ones (79 and 399 us, measured),
/// and a processor finds all its addresses at once.
const HUGE_PAGE: usize = 2 << 20;

/// A fixed-size buffer of numbers, zero at first, that begins on a cache line; a large one lies in huge pages.
#[derive(Debug)]
pub struct Aligned<T: Element> {
    start: NonNull<T>,
    len: usize,
    /// Bytes from the beginning of the allocation to `start`.
    skipped: usize,
    huge_pages: usize,
}

impl<T: Element> Aligned<T> {
    /// A buffer of `len` zeros.
    ///
    /// # Panics
    /// When `len` numbers do not fit into the address space.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self::in_pages(len, Self::huge_pages(len))
    }

    /// A buffer of `len` zeros of which only a part may ever be touched. It lies in small pages: the system clears all of a
    /// huge one when its first number is touched.
    ///
    /// # Panics
    /// As [`zeros`](Self::zeros).
    #[must_use]
    pub fn sparse_zeros(len: usize) -> Self {
        Self::in_pages(len, 0)
    }

    fn in_pages(len: usize, huge_pages: usize) -> Self {
        if len == 0 {
            return Self { start: NonNull::dangling(), len, skipped: 0, huge_pages };
        }
        let layout = Self::layout(len, huge_pages);
        // SAFETY: the layout's size is not zero.
        let memory = unsafe { alloc_zeroed(layout) };
        let skipped = memory.addr().next_multiple_of(Self::alignment(huge_pages)) - memory.addr();
        // Fewer bytes are skipped than the alignment, for which the layout has room.
        let start = memory.wrapping_add(skipped).cast::<T>();
        let Some(start) = NonNull::new(start).filter(|_| !memory.is_null()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: `layout` has room for whole pages behind the aligned start.
        unsafe { advise_huge_pages(start.cast(), huge_pages) };
        Self { start, len, skipped, huge_pages }
    }

    /// A buffer with the numbers of a slice.
    #[must_use]
    pub fn from_slice(values: &[T]) -> Self {
        let mut buffer = Self::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }

    /// Huge pages for `len` numbers: as many as they fill, and one more for a rest that leaves less than a quarter of it
    /// unused.
    fn huge_pages(len: usize) -> usize {
        let page = HUGE_PAGE / size_of::<T>();
        len / page + usize::from(len % page > page / 4 * 3)
    }

    /// What the first number is aligned to, in bytes.
    fn alignment(huge_pages: usize) -> usize {
        if huge_pages > 0 { HUGE_PAGE } else { ALIGNMENT }
    }

    /// Room for `len` numbers, and for their huge pages, from the next aligned address on.
    fn layout(len: usize, huge_pages: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<T>()).map(|b| b.max(huge_pages * HUGE_PAGE));
        bytes
            .and_then(|bytes| bytes.checked_add(Self::alignment(huge_pages)))
            .and_then(|bytes| Layout::from_size_align(bytes, PLAIN_ALIGNMENT).ok())
            .expect("the buffer fits into the address space")
    }
}

/// Asks the system for huge pages. It may decline: then nothing changes.
///
/// # Safety
/// So many pages lie inside one allocation.
#[cfg(all(target_os = "linux", not(miri)))]
unsafe fn advise_huge_pages(start: NonNull<u8>, pages: usize) {
    use core::ffi::c_int;
    /// `MADV_HUGEPAGE` of Linux, on every processor but PA-RISC.
    const MADV_HUGEPAGE: c_int = 14;
    unsafe extern "C" {
        fn madvise(start: *mut u8, len: usize, advice: c_int) -> c_int;
    }
    if pages > 0 {
        // SAFETY: the range is mapped, and the advice changes no content.
        let _ = unsafe { madvise(start.as_ptr(), pages * HUGE_PAGE, MADV_HUGEPAGE) };
    }
}

/// Only Linux takes such advice, and miri does not know it.
///
/// # Safety
/// Nothing is asked of the caller.
#[cfg(any(not(target_os = "linux"), miri))]
unsafe fn advise_huge_pages(_: NonNull<u8>, _: usize) {}

impl<T: Element> Drop for Aligned<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            let memory = self.start.as_ptr().cast::<u8>().wrapping_sub(self.skipped);
            // SAFETY: allocated in `in_pages` with this layout, freed only here.
            unsafe { dealloc(memory, Self::layout(self.len, self.huge_pages)) }
        }
    }
}

impl<T: Element> Deref for Aligned<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `start` points to `len` numbers (all-zero bytes are the number zero) that this value owns; it is
        // dangling but aligned where `len` is 0.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Aligned<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes it the only reference.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        Self::from_slice(self)
    }
}

impl<T: Element> Default for Aligned<T> {
    fn default() -> Self {
        Self::zeros(0)
    }
}

// SAFETY: an `Aligned` owns its numbers as a `Vec` does.
unsafe impl<T: Element> Send for Aligned<T> {}
// SAFETY: as above; shared access is read-only.
unsafe impl<T: Element> Sync for Aligned<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_aligned_and_writable() {
        let page = HUGE_PAGE / size_of::<f32>();
        for len in [0, 1, 15, 16, 17, 1000, page / 4 * 3, page - 1, page, page + 1, 3 * page] {
            let huge = if len <= page / 4 * 3 { ALIGNMENT } else { HUGE_PAGE };
            let all = [(Aligned::<f32>::zeros(len), huge), (Aligned::sparse_zeros(len), ALIGNMENT)];
            for (mut buffer, alignment) in all {
                assert!(buffer.iter().all(|x| *x == 0.0));
                assert!(len == 0 || buffer.as_ptr().addr().is_multiple_of(alignment));
                buffer.fill(3.0);
                assert_eq!(&*buffer.clone(), &vec![3.0; len][..]);
            }
        }
    }
}
