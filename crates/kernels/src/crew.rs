//! The thread crew: threads that wait for work together and hand out items one by one.
//!
//! A job is a function over items; which thread serves which item is open, so a job must give the same result
//! whichever it is. A thread begins with its own share of the items, the same one in every job of as many items, since
//! it may have their memory in its caches; then it helps the others. Between jobs the threads spin for a moment, since
//! the next step of a training run comes at once, and then sleep. A thread that the system has put aside holds up
//! nobody: when the items are gone the job closes, and the caller waits only for the threads that have entered it.

use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Rounds that a thread spins before it sleeps: some tens of microseconds.
const SPINS: usize = 20_000;

/// Threads that work on one job at a time, the caller among them.
pub struct Crew {
    shared: Arc<Shared>,
    hands: Vec<JoinHandle<()>>,
}

type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// In [`Shared::state`]: the job may be entered.
const OPEN: u64 = 1 << 16;
/// In [`Shared::state`]: one job later.
const NEXT: u64 = 1 << 17;
/// In [`Shared::state`]: the hands that are inside the job.
const INSIDE: u64 = OPEN - 1;
/// The most threads of a crew.
const MOST_THREADS: usize = 1 << 12;

struct Shared {
    /// The number of the job (from [`NEXT`] up), whether it is [`OPEN`], and how many hands are [`INSIDE`].
    state: AtomicU64,
    job: UnsafeCell<Option<&'static Job<'static>>>,
    stop: AtomicBool,
    panicked: AtomicBool,
    spins: usize,
    asleep: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
    /// Of each thread's share of the items, those that are handed out.
    handed_out: Vec<Count>,
}

/// A counter on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Count(AtomicUsize);

// SAFETY: `job` is written only by the owner of the crew while the job is closed and no hand is inside, and read only by
// a hand that has entered: that is one atomic exchange of `state`, which fails once the job is closed. The rest is Sync
// by itself.
unsafe impl Sync for Shared {}

impl Crew {
    /// A crew of `threads` threads, the caller's among them; 0 means one per processor.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        // Counting the processors takes reading files of the system: not where the caller works alone.
        let processors = match threads {
            1 => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let threads = if threads == 0 { processors } else { threads }.min(MOST_THREADS);
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            // Spinning hands would only take time from working ones where there are more threads than processors.
            spins: if threads > processors { 0 } else { SPINS },
            asleep: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
            handed_out: (0..threads).map(|_| Count::default()).collect(),
        });
        let hire = |hand: usize| {
            let shared = Arc::clone(&shared);
            Builder::new().name(format!("percept-{hand}")).spawn(move || shared.serve(hand)).ok()
        };
        // Where the system refuses another thread, the crew is smaller; results do not depend on its size.
        let hands = (1..threads).map_while(hire).collect();
        Self { shared, hands }
    }

    /// Threads of the crew, the caller's among them.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.hands.len() + 1
    }

    /// Calls `job(worker, index, item)` once for every item. A thread uses its own worker, so workers hold scratch
    /// memory; it serves its share of the items in order, then what is left of the others'. Allocates nothing.
    ///
    /// # Panics
    /// When there are fewer workers than threads, and when a job panics.
    pub fn for_each<W: Send, I: Send>(
        &mut self,
        workers: &mut [W],
        items: &mut [I],
        job: impl Fn(&mut W, usize, &mut I) + Sync,
    ) {
        let shares = even(items.len(), self.threads());
        let start = Shareable(items.as_mut_ptr());
        self.for_each_index(workers, items.len(), shares, |worker, index| {
            // SAFETY: each index below the number of items comes once, so this is the only reference.
            job(worker, index, unsafe { &mut *start.at(index) });
        });
    }

    /// As [`for_each`](Self::for_each), where item i also gets the part `ranges[i]` of one block of memory:
    /// `job(worker, index, item, part)`. The threads' shares are about as many elements of the block, not items.
    ///
    /// # Panics
    /// As `for_each`, and when there is not one range for each item, or the ranges overlap, are not in order, or pass
    /// the end of the block.
    pub fn for_each_part<W: Send, I: Send, T: Send>(
        &mut self,
        workers: &mut [W],
        items: &mut [I],
        block: &mut [T],
        ranges: &[Range<usize>],
        job: impl Fn(&mut W, usize, &mut I, &mut [T]) + Sync,
    ) {
        let parts = Parts::new(block, ranges, items.len());
        let (count, first) = (items.len(), parts.shares(self.threads()));
        let items = Shareable(items.as_mut_ptr());
        self.for_each_index(workers, count, first, |worker, index| {
            // SAFETY: each index is served once, so these are the only references to the item and to its part.
            let (item, part) = unsafe { (&mut *items.at(index), parts.part(index)) };
            job(worker, index, item, part);
        });
    }

    /// As [`for_each_part`](Self::for_each_part), with parts of two blocks: `job(worker, index, item, [a, b])`. The shares are
    /// those of the first block.
    ///
    /// # Panics
    /// As `for_each_part`, for both blocks.
    pub fn for_each_part_of_two<W: Send, I: Send, T: Send>(
        &mut self,
        workers: &mut [W],
        items: &mut [I],
        [(a, of_a), (b, of_b)]: [(&mut [T], &[Range<usize>]); 2],
        job: impl Fn(&mut W, usize, &mut I, [&mut [T]; 2]) + Sync,
    ) {
        let (a, b) = (Parts::new(a, of_a, items.len()), Parts::new(b, of_b, items.len()));
        let (count, first) = (items.len(), a.shares(self.threads()));
        let items = Shareable(items.as_mut_ptr());
        self.for_each_index(workers, count, first, |worker, index| {
            // SAFETY: each index is served once, so these are the only references to the item and to its parts.
            let (item, parts) = unsafe { (&mut *items.at(index), [a.part(index), b.part(index)]) };
            job(worker, index, item, parts);
        });
    }

    /// As [`for_each`](Self::for_each) over the chunks of two blocks of memory side by side: `job(worker, index, a, b)`
    /// gets `a_len` elements of the block `a` and `b_len` of `b`, the last chunks fewer. A block that has no chunk of
    /// that index gives an empty one.
    ///
    /// # Panics
    /// As `for_each`, and when `a_len` or `b_len` is 0.
    pub fn for_each_chunk<W: Send, A: Send, B: Send>(
        &mut self,
        workers: &mut [W],
        (a, a_len): (&mut [A], usize),
        (b, b_len): (&mut [B], usize),
        job: impl Fn(&mut W, usize, &mut [A], &mut [B]) + Sync,
    ) {
        let count = a.len().div_ceil(a_len).max(b.len().div_ceil(b_len));
        let (a, b) = (Chunks::new(a, a_len), Chunks::new(b, b_len));
        self.for_each_index(workers, count, even(count, self.threads()), |worker, index| {
            // SAFETY: each index comes once, so these are the only references to these chunks.
            let (a, b) = unsafe { (a.chunk(index), b.chunk(index)) };
            job(worker, index, a, b);
        });
    }

    /// Calls `job(worker, index)` once for every index below `count`. A thread's share goes from `first(thread)` to
    /// `first(thread + 1)`, which does not fall and ends with `first(threads) == count`.
    fn for_each_index<W: Send>(
        &mut self,
        workers: &mut [W],
        count: usize,
        first: impl Fn(usize) -> usize + Sync,
        job: impl Fn(&mut W, usize) + Sync,
    ) {
        assert!(workers.len() >= self.threads(), "a worker for each thread of the crew");
        if self.hands.is_empty() || count <= 1 {
            let worker = &mut workers[0];
            (0..count).for_each(|index| job(worker, index));
            return;
        }
        let (threads, shared) = (self.threads(), Arc::clone(&self.shared));
        let handed_out = &shared.handed_out[..threads];
        // No hand counts now: the last job is closed and empty; those of this one see it by entering.
        handed_out.iter().for_each(|handed_out| handed_out.0.store(0, Ordering::Relaxed));
        let worker_start = Shareable(workers.as_mut_ptr());
        self.broadcast(&|thread| {
            // SAFETY: each thread of the crew has its own number below `workers.len()`, so this is the only reference
            // to that worker.
            let worker = unsafe { &mut *worker_start.at(thread) };
            for owner in (0..threads).map(|turn| (thread + turn) % threads) {
                // The shares are disjoint and cover all, and the counter hands out each index of a share once.
                let share = first(owner)..first(owner + 1);
                loop {
                    let index = share.start + handed_out[owner].0.fetch_add(1, Ordering::Relaxed);
                    if index >= share.end {
                        break;
                    }
                    job(worker, index);
                }
            }
        });
    }

    /// Runs `job(thread)` on the caller's thread and on every thread that comes in time, and returns when all that came
    /// have finished. So the job must be complete when the caller's own call returns and the others' have.
    fn broadcast(&mut self, job: &Job<'_>) {
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes; this function does not return (nor unwind) before the job is closed and
        // every hand that entered it has left.
        let job_for_hands = unsafe { core::mem::transmute::<&Job<'_>, &'static Job<'static>>(job) };
        // SAFETY: no hand reads `job` now: the last job is closed and empty, and `&mut self` keeps others from starting.
        unsafe { *shared.job.get() = Some(job_for_hands) };
        shared.state.fetch_add(NEXT + OPEN, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            let _bed = shared.bed.lock().unwrap_or_else(PoisonError::into_inner);
            shared.wake.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        shared.state.fetch_sub(OPEN, Ordering::AcqRel);
        let mut spins = 0_usize;
        while shared.state.load(Ordering::Acquire) & INSIDE > 0 {
            spins += 1;
            if spins < shared.spins { core::hint::spin_loop() } else { std::thread::yield_now() }
        }
        // Taken back in any case: the next job begins without this one's panics.
        let panicked = shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(
            !panicked,
            "a job panicked on another thread of the crew; its message was printed above"
        );
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        {
            let _bed = self.shared.bed.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.wake.notify_all();
        }
        for hand in self.hands.drain(..) {
            // A hand catches the panics of its jobs, so joining cannot fail.
            let _ = hand.join();
        }
    }
}

impl core::fmt::Debug for Crew {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Crew").field("threads", &self.threads()).finish()
    }
}

impl Shared {
    /// What a hand does all its life.
    fn serve(&self, hand: usize) {
        let mut last = 0;
        while let Some(state) = self.wait_for_job(last) {
            last = state / NEXT;
            let entered =
                self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
            if entered.is_err() {
                // Another hand came or went, or the job is closed by now: look again.
                last = last.wrapping_sub(1);
                continue;
            }
            // SAFETY: this hand is inside an open job, so the owner has written `job` and will not write it again before
            // this hand has left below.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(hand))).is_err()
            {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.state.fetch_sub(1, Ordering::Release);
        }
    }

    /// The state, where it is that of an open job other than `last`; `None` where the crew is dismissed.
    fn look(&self, last: u64) -> Option<Option<u64>> {
        if self.stop.load(Ordering::SeqCst) {
            return Some(None);
        }
        let state = self.state.load(Ordering::SeqCst);
        (state & OPEN != 0 && state / NEXT != last).then_some(Some(state))
    }

    /// Spins, then sleeps, until there is an open job other than `last`, or the crew is dismissed.
    fn wait_for_job(&self, last: u64) -> Option<u64> {
        for _ in 0..self.spins {
            if let Some(news) = self.look(last) {
                return news;
            }
            core::hint::spin_loop();
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let news = loop {
            if let Some(news) = self.look(last) {
                break news;
            }
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        news
    }
}

/// Shares of about as many items for each thread: where that of a thread begins.
fn even(count: usize, threads: usize) -> impl Fn(usize) -> usize {
    move |thread| thread * count / threads
}

/// The start of a slice whose elements go to different threads.
struct Shareable<T>(*mut T);

impl<T> Shareable<T> {
    /// The element's address; whoever makes a reference of it sees to it that it is the only one.
    fn at(&self, index: usize) -> *mut T {
        self.0.wrapping_add(index)
    }
}

// SAFETY: the pointer is only followed by `for_each` and its like, which give each element to one thread at a time.
unsafe impl<T: Send> Sync for Shareable<T> {}

/// A block whose parts go to different threads.
struct Parts<'a, T> {
    start: Shareable<T>,
    ranges: &'a [Range<usize>],
}

impl<'a, T> Parts<'a, T> {
    fn new(block: &mut [T], ranges: &'a [Range<usize>], items: usize) -> Self {
        assert_eq!(items, ranges.len(), "a part for each item");
        let mut end = 0;
        for range in ranges {
            assert!(end <= range.start && range.start <= range.end, "parts follow one another");
            end = range.end;
        }
        assert!(end <= block.len(), "parts lie inside the block");
        Self { start: Shareable(block.as_mut_ptr()), ranges }
    }

    /// Shares of about as many elements for each thread: where that of a thread begins.
    fn shares(&self, threads: usize) -> impl Fn(usize) -> usize + Sync + use<'a, T> {
        let ranges = self.ranges;
        let end = ranges.last().map_or(0, |range| range.end);
        move |thread| match thread == threads {
            true => ranges.len(),
            // Those whose middle lies before the share.
            false => ranges.partition_point(|r| (r.start + r.end) * threads < 2 * end * thread),
        }
    }

    /// A part.
    ///
    /// # Safety
    /// The block is still borrowed, and there is no other reference to the part.
    unsafe fn part<'p>(&self, index: usize) -> &'p mut [T] {
        let Range { start, end } = self.ranges[index].clone();
        // SAFETY: the part lies inside the block, and the caller sees to it that this is the only reference.
        unsafe { core::slice::from_raw_parts_mut(self.start.at(start), end - start) }
    }
}

/// A block whose chunks go to different threads.
struct Chunks<T> {
    start: Shareable<T>,
    len: usize,
    chunk: usize,
}

impl<T> Chunks<T> {
    fn new(block: &mut [T], chunk: usize) -> Self {
        Self { start: Shareable(block.as_mut_ptr()), len: block.len(), chunk }
    }

    /// The chunk of an index, empty behind the last.
    ///
    /// # Safety
    /// The block is still borrowed, and there is no other reference to the chunk.
    unsafe fn chunk<'a>(&self, index: usize) -> &'a mut [T] {
        let from = index.saturating_mul(self.chunk).min(self.len);
        let len = self.chunk.min(self.len - from);
        // SAFETY: the chunk lies inside the block, and the caller sees to it that this is the only reference.
        unsafe { core::slice::from_raw_parts_mut(self.start.at(from), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fewer rounds where miri interprets them.
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 2000 };

    #[test]
    fn every_item_is_served_once() {
        for threads in [1, 2, 3, 7] {
            let mut crew = Crew::new(threads);
            let mut workers = vec![0_usize; threads];
            for round in 0..ROUNDS / 10 {
                let mut items: Vec<usize> = vec![0; round % 17];
                crew.for_each(&mut workers, &mut items, |worker, index, item| {
                    *worker += 1;
                    *item += index + 1;
                });
                assert!(items.iter().enumerate().all(|(index, item)| *item == index + 1));
            }
            assert_eq!(
                workers.iter().sum::<usize>(),
                (0..ROUNDS / 10).map(|round| round % 17).sum()
            );
        }
    }

    /// Far more threads than processors, many short jobs: hands come late, miss jobs, and enter closing ones.
    #[test]
    fn late_hands_miss_a_job_without_harm() {
        let mut crew = Crew::new(16);
        let mut workers = vec![(); 16];
        for round in 0..ROUNDS {
            let mut items = vec![0_usize; 2 + round % 5];
            crew.for_each(&mut workers, &mut items, |(), index, item| *item += round + index);
            assert!(items.iter().enumerate().all(|(index, item)| *item == round + index));
        }
    }

    #[test]
    fn parts_go_to_their_items() {
        let mut crew = Crew::new(3);
        let mut block = [0; 10];
        let ranges = [0..3, 3..3, 4..10];
        crew.for_each_part(
            &mut [(); 3],
            &mut [1, 2, 3],
            &mut block,
            &ranges,
            |(), _, item, part| {
                part.fill(*item);
            },
        );
        assert_eq!(block, [1, 1, 1, 0, 3, 3, 3, 3, 3, 3]);
    }

    /// Large parts, small and empty ones, and gaps: each comes once, whoever has it in its share.
    #[test]
    fn parts_of_any_length_are_served_once() {
        for threads in [1, 2, 3, 5] {
            let mut crew = Crew::new(threads);
            for lengths in [&[90, 1, 0, 1, 8][..], &[1, 1, 98], &[0, 0], &[], &[5; 20]] {
                let mut end = 0;
                let ranges: Vec<_> = lengths
                    .iter()
                    .map(|len| {
                        let start = end;
                        end += len;
                        start..end
                    })
                    .collect();
                let (mut items, mut block) = (vec![0; ranges.len()], vec![0; end]);
                let mut workers = vec![(); threads];
                crew.for_each_part(
                    &mut workers,
                    &mut items,
                    &mut block,
                    &ranges,
                    |(), i, item, part| {
                        *item += 1;
                        part.iter_mut().for_each(|x| *x += i + 1);
                    },
                );
                assert!(items.iter().all(|served| *served == 1));
                let expected = lengths.iter().enumerate().flat_map(|(i, len)| vec![i + 1; *len]);
                assert_eq!(block, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn parts_of_two_blocks_go_to_the_same_item() {
        for threads in [1, 3] {
            let mut crew = Crew::new(threads);
            let (mut a, mut b) = ([0; 10], [0; 4]);
            let (of_a, of_b) = ([0..3, 3..3, 4..10], [0..1, 1..3, 3..3]);
            let blocks = [(&mut a[..], &of_a[..]), (&mut b[..], &of_b[..])];
            let mut workers = vec![(); threads];
            crew.for_each_part_of_two(
                &mut workers,
                &mut [1, 2, 3],
                blocks,
                |(), _, item, parts| {
                    parts.into_iter().for_each(|part| part.fill(*item));
                },
            );
            assert_eq!((a, b), ([1, 1, 1, 0, 3, 3, 3, 3, 3, 3], [1, 2, 2, 0]));
        }
    }

    #[test]
    fn chunks_of_two_blocks_go_side_by_side() {
        for threads in [1, 3] {
            let mut crew = Crew::new(threads);
            let (mut a, mut b) = ([0; 10], [0_u8; 3]);
            let mut workers = vec![(); threads];
            crew.for_each_chunk(&mut workers, (&mut a, 4), (&mut b, 2), |(), index, a, b| {
                a.fill(index);
                b.fill(a.len() as u8);
            });
            assert_eq!((a, b), ([0, 0, 0, 0, 1, 1, 1, 1, 2, 2], [4, 4, 4]));
        }
    }

    #[test]
    #[should_panic(expected = "parts follow one another")]
    fn overlapping_parts_are_refused() {
        let mut crew = Crew::new(1);
        crew.for_each_part(&mut [()], &mut [1, 2], &mut [0; 4], &[0..3, 2..4], |(), _, _, _| {});
    }

    #[test]
    fn sleeping_hands_wake() {
        let mut crew = Crew::new(3);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let mut items = [0; 64];
            crew.for_each(&mut [(), (), ()], &mut items, |(), _, item| *item = 1);
            assert_eq!(items, [1; 64]);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_goes_on() {
        let mut crew = Crew::new(2);
        let mut items = [0; 8];
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            crew.for_each(&mut [(), ()], &mut items, |(), index, _| assert!(index != 3, "item 3"));
        }));
        assert!(outcome.is_err());
        crew.for_each(&mut [(), ()], &mut items, |(), _, item| *item = 1);
        assert_eq!(items, [1; 8]);
    }

    #[test]
    fn a_panic_on_every_thread_leaves_nothing_behind() {
        let mut crew = Crew::new(2);
        // Each thread holds one item when both panic.
        let both = std::sync::Barrier::new(2);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            crew.for_each(&mut [(), ()], &mut [0; 2], |(), index, _| {
                both.wait();
                panic!("item {index}");
            });
        }));
        assert!(outcome.is_err());
        let mut items = [0; 8];
        crew.for_each(&mut [(), ()], &mut items, |(), _, item| *item = 1);
        assert_eq!(items, [1; 8]);
    }
}
