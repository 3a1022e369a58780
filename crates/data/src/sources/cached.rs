//! Images of pictures by way of the pixel cache: found there, or decoded and put there.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::decode::{BLOCK, Images, Job, Kept, New, Outcome, prepare, reason};
use super::listing::Entry;
use crate::pixel_cache::{
    CacheFile, Facts, PixelCache, Record, Short, Stamp, State, Unfinished, content, mark_used,
    short,
};
use crate::{Dataset, Decoding, Doing, Error, Pixels};

/// To be raised by whoever changes what decoding or sizing makes of a picture: pixels made before are then not used any more.
/// A test holds it against pictures and their pixels.
const MADE_AS: u32 = 1;

/// The images of a job.
///
/// # Errors
/// What keeps the cache from being used.
pub(super) fn images(job: &Job<'_>, cache: &PixelCache) -> io::Result<Images> {
    cache.check_private()?;
    let (key, root) = (key(job), root(job.path));
    let path = cache.path(&stem(job.path), &key);
    let entries = job.entries();
    let stamps =
        job.decoding.map(Doing::Comparing, &entries, |entry| Stamp::of(&entry.place, root));
    let (old, note) = match open(&path, &key, job) {
        Ok(old) => (old, None),
        Err(damage) => (None, Some(format!("{} is made anew: {damage}", path.display()))),
    };
    if let Some(old) = &old
        && let Some(outcomes) = unchanged(old, &entries, &stamps, job)
    {
        mark_used(&path);
        let kept = Kept::Found(old.facts.clone());
        return Ok(Images { pixels: old.pixels()?, outcomes, kept, note });
    }
    make(
        job,
        cache,
        Making { path, key, entries: &entries, stamps: &stamps, old: old.as_ref(), note },
    )
}

/// Which data set, part and sizing it is, and which percept made it.
fn key(job: &Job<'_>) -> Short {
    let path = job.path.canonicalize().unwrap_or_else(|_| job.path.to_owned());
    let about = format!("{MADE_AS} {} {} {:?} ", env!("CARGO_PKG_VERSION"), job.part, job.sizing);
    let hash = Sha256::new_with_prefix(about).chain_update(path.as_os_str().as_encoded_bytes());
    short(hash)
}

/// What the names of the pictures count from, however the path to it was spelt.
fn root(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}

fn stem(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// An earlier cache file, if there is one; it is sound.
fn open(path: &Path, key: &Short, job: &Job<'_>) -> Result<Option<CacheFile>, &'static str> {
    let Some(file) = CacheFile::open(path)? else { return Ok(None) };
    if file.facts.key != *key || file.facts.image != job.sizing.input.len() {
        return Err("it is another data set's");
    }
    match file.is_sound(job.decoding) {
        true => Ok(Some(file)),
        false => Err("its pixels do not match their checksums"),
    }
}

/// What came of the pictures, if the file holds just these and nothing has changed. Pictures that could not be read are tried
/// again, for the reason may be gone.
fn unchanged(
    old: &CacheFile,
    entries: &[&Entry],
    stamps: &[Option<Stamp>],
    job: &Job<'_>,
) -> Option<Vec<Outcome>> {
    if old.len() != entries.len() {
        return None;
    }
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut unread = Vec::new();
    for (at, ((record, _), stamp)) in old.records().zip(stamps).enumerate() {
        match record.state {
            State::Unreadable => unread.push(at),
            _ if stamp.is_none_or(|stamp| stamp.hash != record.stamp) => return None,
            _ => {}
        }
        outcomes.push(Ok(record.state == State::Turned));
    }
    let reasons = job.decoding.map(Doing::Comparing, &unread, |&at| unreadable(entries[at], job));
    for (at, reason) in unread.into_iter().zip(reasons) {
        outcomes[at] = Err(reason?);
    }
    Some(outcomes)
}

/// Why a picture still cannot be read; `None` when it can.
fn unreadable(entry: &Entry, job: &Job<'_>) -> Option<String> {
    let mut image = vec![0; job.sizing.input.len()];
    let bytes = entry.place.read();
    let error = bytes.and_then(|bytes| prepare(entry, &bytes, job.sizing, &mut image)).err()?;
    Some(reason(&error, &entry.place.name()))
}

/// What a new file is made of.
struct Making<'a> {
    path: PathBuf,
    key: Short,
    entries: &'a [&'a Entry],
    stamps: &'a [Option<Stamp>],
    old: Option<&'a CacheFile>,
    note: Option<String>,
}

/// Makes a file of the pictures; those that an earlier one has are copied from there.
fn make(job: &Job<'_>, cache: &PixelCache, making: Making<'_>) -> io::Result<Images> {
    let Making { path, key, entries, stamps, old, mut note } = making;
    let image = job.sizing.input.len();
    let started = SystemTime::now();
    let bytes = bytes_of(image, entries.len());
    let is_kept = cache.has_room_for(bytes);
    let file = cache.begin(image)?;
    if is_kept {
        cache.make_room(bytes, &path)?;
    } else {
        note = Some(format!(
            "the {} MiB of pixels are more than the {} MiB that {} may have: they are not kept for the next time",
            bytes >> 20,
            cache.most_bytes >> 20,
            cache.folder.display()
        ));
    }
    let known = old.map(Known::of);
    let source = Source { job, file: &file, known: known.as_ref() };
    let counter = job.decoding.counter(Doing::Decoding, entries.len());
    let mut made: Vec<(Record, Option<String>)> = vec![(NOTHING, None); entries.len()];
    let blocks = entries.chunks(BLOCK).zip(stamps.chunks(BLOCK)).zip(made.chunks_mut(BLOCK));
    job.decoding.each(blocks.enumerate(), |(at, ((entries, stamps), made))| {
        if !file.has_failed() {
            source.block(at * BLOCK, entries, stamps, started, made);
            counter.add(entries.len());
        }
    });
    if let Some(error) = file.failure() {
        return Err(error);
    }
    let (records, reasons): (Vec<Record>, Vec<Option<String>>) = made.into_iter().unzip();
    let is_there: Vec<bool> =
        records.iter().map(|record| record.state != State::Unreadable).collect();
    let slots = file.close_gaps(&is_there)?;
    let pixels = file.pixels(slots)?;
    let outcomes = records.iter().zip(reasons).map(|(record, reason)| match reason {
        Some(reason) => Err(reason),
        None => Ok(record.state == State::Turned),
    });
    let outcomes = outcomes.collect();
    let about = format!("{}, {}", job.describe(), job.sizing.input);
    let facts = Facts { key, labelling: [0; 32], fingerprint: String::new(), about, image };
    let kept = match is_kept {
        true => Kept::New(Box::new(New { file, path, records, facts })),
        false => Kept::No,
    };
    Ok(Images { pixels, outcomes, kept, note })
}

/// The size of a file of so many images of so many bytes, about.
fn bytes_of(image: usize, pictures: usize) -> u64 {
    (image as u64 + 64).saturating_mul(pictures as u64)
}

/// A picture that has not been looked at.
const NOTHING: Record = Record { stamp: [0; 16], content: [0; 16], state: State::Unreadable };

/// The pictures of an earlier file, by what tells them.
struct Known<'a> {
    file: &'a CacheFile,
    by_stamp: HashMap<Short, (Record, usize)>,
    by_content: HashMap<Short, (Record, usize)>,
}

impl<'a> Known<'a> {
    fn of(file: &'a CacheFile) -> Self {
        let readable = || file.records().filter(|(record, _)| record.state != State::Unreadable);
        let stamped = readable().filter(|(record, _)| record.stamp != Short::default());
        Self {
            file,
            by_stamp: stamped.map(|known| (known.0.stamp, known)).collect(),
            by_content: readable().map(|known| (known.0.content, known)).collect(),
        }
    }
}

/// Where the images of new files come from.
struct Source<'a> {
    job: &'a Job<'a>,
    file: &'a Unfinished,
    known: Option<&'a Known<'a>>,
}

impl Source<'_> {
    /// Makes the images of some pictures and writes them to the file, from a place on.
    fn block(
        &self,
        place: usize,
        entries: &[&Entry],
        stamps: &[Option<Stamp>],
        started: SystemTime,
        made: &mut [(Record, Option<String>)],
    ) {
        let size = self.job.sizing.input.len();
        let mut images = vec![0; entries.len() * size];
        let rooms = images.chunks_exact_mut(size).zip(made);
        for ((entry, stamp), (image, made)) in entries.iter().zip(stamps).zip(rooms) {
            let hash = stamp.map_or(NOTHING.stamp, |stamp| stamp.hash);
            *made = match self.image(entry, &hash, image) {
                Ok(record) => {
                    let settled = stamp.is_some_and(|stamp| stamp.is_settled(started));
                    (Record { stamp: if settled { hash } else { NOTHING.stamp }, ..record }, None)
                }
                Err(error) => (NOTHING, Some(reason(&error, &entry.place.name()))),
            };
        }
        self.file.write(place, &images);
    }

    fn image(&self, entry: &Entry, stamp: &Short, image: &mut [u8]) -> Result<Record, Error> {
        let copy = |(record, slot): &(Record, usize), file: &CacheFile, image: &mut [u8]| {
            image.copy_from_slice(file.image(*slot));
            *record
        };
        if let Some(known) = self.known
            && let Some(found) = known.by_stamp.get(stamp)
        {
            return Ok(copy(found, known.file, image));
        }
        let bytes = entry.place.read()?;
        let content = content(&bytes);
        if let Some(known) = self.known
            && let Some(found) = known.by_content.get(&content)
        {
            return Ok(copy(found, known.file, image));
        }
        let state = match prepare(entry, &bytes, self.job.sizing, image)? {
            true => State::Turned,
            false => State::Upright,
        };
        Ok(Record { stamp: NOTHING.stamp, content, state })
    }
}

/// Ends a new file, now that the data set is known.
pub(super) fn keep(
    new: New,
    pixels: &Pixels,
    dataset: &Dataset,
    decoding: &Decoding,
) -> io::Result<()> {
    let New { file, path, records, mut facts } = new;
    // Others may have written meanwhile.
    if let Some(cache) = &decoding.cache {
        cache.make_room(bytes_of(facts.image, records.len()), &path)?;
    }
    facts.labelling = dataset.labelling().finalize().into();
    dataset.fingerprint().clone_into(&mut facts.fingerprint);
    file.finish(&path, pixels, &records, &facts, decoding)
}

/// The data set with the fingerprint that was computed when the file was made, if the labels are those that they were.
pub(super) fn with_fingerprint(dataset: Dataset, facts: &Facts) -> Dataset {
    let labelling: [u8; 32] = dataset.labelling().finalize().into();
    match labelling == facts.labelling {
        true => dataset.with_fingerprint(&facts.fingerprint),
        false => dataset,
    }
}
