//! Decoding many pictures on several threads. What comes of it does not depend on their number.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use super::listing::{Entry, Pictures};
use crate::{Error, Origin, Sizing, Skipped};

/// Pictures that a thread takes at once.
const BLOCK: usize = 16;

/// How work is spread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    threads: usize,
}

impl Spread {
    /// Over so many threads; 0 means one per processor.
    pub(crate) fn over(threads: usize) -> Self {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        Self { threads: if threads == 0 { processors() } else { threads } }
    }

    /// Does `work` on every item, in any order, on all threads.
    pub(crate) fn each<I: Iterator + Send>(&self, items: I, work: impl Fn(I::Item) + Sync) {
        let items = Mutex::new(items);
        let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
        let run = || {
            while let Some(item) = next() {
                work(item);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(run);
            }
            run();
        });
    }

    /// What `work` makes of every entry, in their order.
    pub(crate) fn map<T: Send>(
        &self,
        entries: &[Entry],
        work: impl Fn(&Entry) -> T + Sync,
    ) -> Vec<T> {
        let mut results: Vec<Option<T>> = entries.iter().map(|_| None).collect();
        let blocks = entries.chunks(BLOCK).zip(results.chunks_mut(BLOCK));
        self.each(blocks, |(entries, results)| {
            for (entry, result) in entries.iter().zip(results) {
                *result = Some(work(entry));
            }
        });
        results.into_iter().flatten().collect()
    }
}

/// Pictures decoded to images of one size.
#[derive(Debug)]
pub(super) struct Decoded {
    /// [N, height, width, channels].
    pub images: Vec<u8>,
    pub labels: Vec<u32>,
    pub origin: Origin,
    /// How many images there are up to the end of each part.
    pub ends: Vec<usize>,
}

/// Decodes the pictures of some parts, one behind the other. Those that cannot be read are left out and listed.
pub(super) fn decode(
    parts: &[&Pictures],
    sizing: Sizing,
    spread: &Spread,
) -> Result<Decoded, Error> {
    sizing.check()?;
    let entries: Vec<&Entry> = parts.iter().flat_map(|part| &part.entries).collect();
    let size = sizing.input.len();
    let mut images = zeros(entries.len(), sizing)?;
    // Whether the picture was turned, or why it cannot be read.
    let mut outcomes: Vec<Result<bool, String>> = vec![Ok(false); entries.len()];
    let blocks = entries.chunks(BLOCK).zip(images.chunks_mut(BLOCK * size));
    spread.each(blocks.zip(outcomes.chunks_mut(BLOCK)), |((entries, images), outcomes)| {
        let rooms = images.chunks_exact_mut(size).zip(outcomes);
        for (entry, (image, outcome)) in entries.iter().zip(rooms) {
            *outcome =
                prepare(entry, sizing, image).map_err(|error| reason(&error, &entry.place.name()));
        }
    });
    Ok(gather(parts, images, outcomes, sizing))
}

/// Memory for so many images, or an error instead of an abort.
fn zeros(count: usize, sizing: Sizing) -> Result<Vec<u8>, Error> {
    let bytes = count.saturating_mul(sizing.input.len());
    let mut images = Vec::new();
    images.try_reserve_exact(bytes).map_err(|_| {
        let expected = format!("so small that {count} images fit into memory");
        let found = format!("{} ({} MiB in all)", sizing.input, bytes >> 20);
        Error::setting("the input shape", expected, found)
    })?;
    images.resize(bytes, 0);
    Ok(images)
}

fn prepare(entry: &Entry, sizing: Sizing, image: &mut [u8]) -> Result<bool, Error> {
    let stored = entry.place.picture()?;
    image.copy_from_slice(&sizing.prepare(&stored.picture)?);
    Ok(stored.turned)
}

/// Moves the images that could be read together.
fn gather(
    parts: &[&Pictures],
    mut images: Vec<u8>,
    outcomes: Vec<Result<bool, String>>,
    sizing: Sizing,
) -> Decoded {
    let size = sizing.input.len();
    let mut origin = Origin { fit: sizing.fit, ..Origin::default() };
    let (mut labels, mut ends) = (Vec::with_capacity(outcomes.len()), Vec::new());
    let mut outcomes = outcomes.into_iter().enumerate();
    for part in parts {
        origin.skipped.extend_from_slice(&part.skipped);
        for (entry, (at, outcome)) in part.entries.iter().zip(outcomes.by_ref()) {
            match outcome {
                Ok(turned) => {
                    images.copy_within(at * size..(at + 1) * size, labels.len() * size);
                    labels.push(entry.label);
                    origin.files.push(entry.place.name().into());
                    origin.turned += usize::from(turned);
                }
                Err(reason) => origin.skipped.push(Skipped { file: entry.place.name(), reason }),
            }
        }
        ends.push(labels.len());
    }
    images.truncate(labels.len() * size);
    Decoded { images, labels, origin, ends }
}

/// An error with its causes, without the name of its file, which stands beside it.
pub(crate) fn reason(error: &Error, name: &str) -> String {
    let text = error.to_string();
    let rest = text.strip_prefix(&format!("`{name}`: ")).unwrap_or(&text);
    let mut text = rest.replace(&format!(" `{name}`"), "");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
