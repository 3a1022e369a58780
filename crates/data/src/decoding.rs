//! How pictures are read: on how many threads, through which cache, and who is told how far it is.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::pixel_cache::PixelCache;

/// Items that a thread takes at once.
const BLOCK: usize = 16;

/// How pictures are read. A number of threads alone is a `Decoding` without cache that tells nobody.
#[derive(Clone, Default)]
pub struct Decoding {
    /// Threads at work; 0 means one per processor. What is read does not depend on their number.
    pub threads: usize,
    /// Where pixels are kept for the next time. Without a cache they are held in memory.
    pub cache: Option<PixelCache>,
    /// Who is told how far the work is, often and from any thread.
    pub watcher: Option<Watcher>,
}

/// Is told how far the work is.
pub type Watcher = Arc<dyn Fn(&Progress) + Send + Sync>;

/// How far some work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The work.
    pub doing: Doing,
    /// How much is done.
    pub done: usize,
    /// How much there is in all.
    pub total: usize,
}

/// What is being done while data are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// Class folders, or the files of a table, are listed.
    Listing,
    /// Some pictures are looked at, to decide the size of the images.
    Looking,
    /// Pictures are decoded.
    Decoding,
    /// Pictures of the cache are compared with their files.
    Comparing,
    /// MiB of the cache are held against their checksums.
    Verifying,
}

impl fmt::Debug for Decoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, cache, watcher } = self;
        let mut all = f.debug_struct("Decoding");
        all.field("threads", threads).field("cache", cache);
        all.field("watcher", &watcher.as_ref().map(|_| "..")).finish()
    }
}

impl From<usize> for Decoding {
    fn from(threads: usize) -> Self {
        Self { threads, ..Self::default() }
    }
}

impl From<&Decoding> for Decoding {
    fn from(decoding: &Decoding) -> Self {
        decoding.clone()
    }
}

impl Decoding {
    /// Does `work` on every item, in any order, on all threads.
    pub(crate) fn each<I: Iterator + Send>(&self, items: I, work: impl Fn(I::Item) + Sync) {
        let items = Mutex::new(items);
        let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = || {
            while let Some(item) = next() {
                work(item);
            }
        };
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let threads = if self.threads == 0 { processors() } else { self.threads };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(run);
            }
            run();
        });
    }

    /// What `work` makes of every item, in their order.
    pub(crate) fn map<'i, I: Sync, T: Send>(
        &self,
        doing: Doing,
        items: &'i [I],
        work: impl Fn(&'i I) -> T + Sync,
    ) -> Vec<T> {
        let counter = self.counter(doing, items.len());
        let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
        let blocks = items.chunks(BLOCK).zip(results.chunks_mut(BLOCK));
        self.each(blocks, |(items, results)| {
            for (item, result) in items.iter().zip(results) {
                *result = Some(work(item));
                counter.add(1);
            }
        });
        results.into_iter().flatten().collect()
    }

    /// Counts work that is done, for the watcher.
    pub(crate) fn counter(&self, doing: Doing, total: usize) -> Counter<'_> {
        Counter { watcher: self.watcher.as_ref(), doing, total, done: AtomicUsize::new(0) }
    }
}

/// See [`Decoding::counter`].
pub(crate) struct Counter<'a> {
    watcher: Option<&'a Watcher>,
    doing: Doing,
    total: usize,
    done: AtomicUsize,
}

impl Counter<'_> {
    pub(crate) fn add(&self, count: usize) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        if let Some(watcher) = self.watcher {
            watcher(&Progress { doing: self.doing, done, total: self.total });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_the_watcher_sees_the_end() {
        let last = Arc::new(AtomicUsize::new(0));
        let seen = last.clone();
        let watcher: Watcher = Arc::new(move |progress: &Progress| {
            assert_eq!((progress.doing, progress.total), (Doing::Looking, 100));
            seen.fetch_max(progress.done, Ordering::Relaxed);
        });
        let decoding = Decoding { threads: 3, watcher: Some(watcher), cache: None };
        let items: Vec<u32> = (0..100).collect();
        let squares = decoding.map(Doing::Looking, &items, |item| item * item);
        assert_eq!(squares, items.iter().map(|item| item * item).collect::<Vec<_>>());
        assert_eq!(last.load(Ordering::Relaxed), 100);
    }
}
