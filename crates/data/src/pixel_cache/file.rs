//! A cache file: pixels, then what is known of each picture's file, then checksums of all of it.
//!
//! | part | bytes |
//! |---|---|
//! | pixels of the pictures that could be read, in the order of the records | slots x image |
//! | records: stamp 16, content 16, state 1 | records x 33 |
//! | CRC-32 of each MiB of the pixels | 4 each |
//! | what it is, for people (UTF-8) | about |
//! | trailer: magic 8, key 16, labelling 32, fingerprint 64, image 8, slots 8, records 8, about 8, SHA-256 from the records to here 32 | 184 |
//!
//! Numbers are little-endian. The trailer comes last, so a file that was cut off has none.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use memmap2::Mmap;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::stamp::Short;
use crate::pixels::mapped;
use crate::{Decoding, Doing, Pixels};

const MAGIC: &[u8; 8] = b"prcptpx1";
const BLOCK: usize = 1 << 20;
const RECORD: usize = 33;
const CHECKSUM: usize = 4;
const HASH: usize = 32;
const TRAILER: usize = 8 + 16 + HASH + 2 * HASH + 4 * 8 + HASH;

/// What is known of a picture's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its stamp's hash; zeros where it will not do.
    pub stamp: Short,
    /// The hash of its bytes.
    pub content: Short,
    pub state: State,
}

/// What came of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It could not be read, and has no pixels here.
    Unreadable,
    Upright,
    /// Its EXIF data turned it.
    Turned,
}

/// What stands at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Which data set, part and sizing the pixels are of.
    pub key: Short,
    /// A hash of the labels and class names that `fingerprint` is for.
    pub labelling: [u8; HASH],
    /// The data set's fingerprint, 64 hexadecimal digits.
    pub fingerprint: String,
    /// For people: the data set and the size.
    pub about: String,
    /// Bytes of an image.
    pub image: usize,
}

/// A cache file, opened; its end is sound.
#[derive(Debug)]
pub(crate) struct CacheFile {
    /// Kept open, so that what is mapped for the data set is this very file.
    file: File,
    map: Mmap,
    pub facts: Facts,
    slots: usize,
    records: usize,
}

impl CacheFile {
    /// Opens a file; `Ok(None)` where there is none.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, &'static str> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err("it cannot be opened"),
        };
        if !file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
            return Err("it is empty");
        }
        let map = mapped(&file).map_err(|_| "it cannot be mapped")?;
        Self::parse(file, map).map(Some)
    }

    fn parse(file: File, map: Mmap) -> Result<Self, &'static str> {
        const CUT: &str = "it is cut off";
        let start = map.len().checked_sub(TRAILER).ok_or(CUT)?;
        let (magic, rest) = map[start..].split_at(8);
        if magic != MAGIC {
            return Err(CUT);
        }
        let (key, rest) = rest.split_at(16);
        let (labelling, rest) = rest.split_at(HASH);
        let (fingerprint, rest) = rest.split_at(2 * HASH);
        let (numbers, hash) = rest.split_at(4 * 8);
        let mut sizes = numbers.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut next = || sizes.next().and_then(|size| usize::try_from(size).ok()).ok_or(CUT);
        let (image, slots, records, about) = (next()?, next()?, next()?, next()?);
        let pixels = slots.checked_mul(image).ok_or(CUT)?;
        let parts = [
            Some(pixels),
            records.checked_mul(RECORD),
            pixels.div_ceil(BLOCK).checked_mul(CHECKSUM),
            Some(about),
        ];
        let len = parts.into_iter().try_fold(0usize, |sum, part| sum.checked_add(part?));
        if len != Some(start) {
            return Err(CUT);
        }
        if Sha256::digest(&map[pixels..map.len() - HASH]).as_slice() != hash {
            return Err("its end does not match its checksum");
        }
        let mut facts = Facts {
            key: Short::default(),
            labelling: [0; HASH],
            fingerprint: String::from_utf8_lossy(fingerprint).into_owned(),
            about: String::from_utf8_lossy(&map[start - about..start]).into_owned(),
            image,
        };
        facts.key.copy_from_slice(key);
        facts.labelling.copy_from_slice(labelling);
        Ok(Self { facts, slots, records, file, map })
    }

    /// Holds the pixels against their checksums.
    pub(crate) fn is_sound(&self, decoding: &Decoding) -> bool {
        let pixels = &self.map[..self.slots * self.facts.image];
        let start = pixels.len() + self.records * RECORD;
        let expected = &self.map[start..][..pixels.len().div_ceil(BLOCK) * CHECKSUM];
        checksums(pixels, decoding)
            .iter()
            .flat_map(|sum| sum.to_le_bytes())
            .eq(expected.iter().copied())
    }

    /// How many pictures there were.
    pub(crate) fn len(&self) -> usize {
        self.records
    }

    /// How many of them have pixels.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// What is known of the pictures' files, each with its place among the pixels.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Record, usize)> {
        let start = self.slots * self.facts.image;
        let (records, _) = self.map[start..][..self.records * RECORD].as_chunks::<RECORD>();
        let mut slot = 0;
        records.iter().map(move |bytes| {
            let record = Record::from_bytes(bytes);
            let at = slot;
            slot += usize::from(record.state != State::Unreadable);
            (record, at)
        })
    }

    /// The pixels at a place.
    pub(crate) fn image(&self, slot: usize) -> &[u8] {
        &self.map[slot * self.facts.image..][..self.facts.image]
    }

    /// All pixels.
    pub(crate) fn pixels(&self) -> io::Result<Pixels> {
        Pixels::map(&self.file, self.slots * self.facts.image)
    }
}

impl Record {
    fn from_bytes(bytes: &[u8; RECORD]) -> Self {
        let mut record = Self { stamp: [0; 16], content: [0; 16], state: State::Unreadable };
        record.stamp.copy_from_slice(&bytes[..16]);
        record.content.copy_from_slice(&bytes[16..32]);
        record.state = match bytes[32] {
            1 => State::Upright,
            2 => State::Turned,
            _ => State::Unreadable,
        };
        record
    }

    fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..16].copy_from_slice(&self.stamp);
        bytes[16..32].copy_from_slice(&self.content);
        bytes[32] = match self.state {
            State::Unreadable => 0,
            State::Upright => 1,
            State::Turned => 2,
        };
        bytes
    }
}

fn checksums(pixels: &[u8], decoding: &Decoding) -> Vec<u32> {
    let blocks: Vec<&[u8]> = pixels.chunks(BLOCK).collect();
    decoding.map(Doing::Verifying, &blocks, |block| crc32fast::hash(block))
}

/// A cache file that is being written, under a name that nobody else knows. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: NamedTempFile,
    /// Why something could not be written.
    failure: Mutex<Option<io::Error>>,
    failed: AtomicBool,
    image: usize,
}

impl Unfinished {
    pub(super) fn new(file: NamedTempFile, image: usize) -> Self {
        Self { file, failure: Mutex::new(None), failed: AtomicBool::new(false), image }
    }

    /// Writes images one behind the other, from a place on, from any thread.
    pub(crate) fn write(&self, place: usize, images: &[u8]) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.file.as_file();
        let offset = place as u64 * self.image as u64;
        if let Err(error) = file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(images))
        {
            *failure = Some(error);
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// From now on nothing can be written, as on a disk that is full.
    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn refuse_writes(&mut self) -> io::Result<()> {
        *self.file.as_file_mut() = File::open(self.file.path())?;
        Ok(())
    }

    /// Whether something could not be written.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Why something could not be written.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Moves the images of all places that `is_there` together, and ends the file behind them. Gives their number.
    pub(crate) fn close_gaps(&self, is_there: &[bool]) -> io::Result<usize> {
        let (mut place, mut slots) = (0, 0);
        for run in is_there.chunk_by(|a, b| a == b) {
            if run[0] {
                self.move_down(place, slots, run.len())?;
                slots += run.len();
            }
            place += run.len();
        }
        self.file.as_file().set_len(slots as u64 * self.image as u64)?;
        Ok(slots)
    }

    fn move_down(&self, from: usize, to: usize, images: usize) -> io::Result<()> {
        if from == to {
            return Ok(());
        }
        let mut file = self.file.as_file();
        let [mut from, mut to, mut left] = [from, to, images].map(|at| (at * self.image) as u64);
        let mut buffer = vec![0; BLOCK];
        while left > 0 {
            let piece = &mut buffer[..left.min(BLOCK as u64) as usize];
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(piece)?;
            file.seek(SeekFrom::Start(to))?;
            file.write_all(piece)?;
            let moved = piece.len() as u64;
            (from, to, left) = (from + moved, to + moved, left - moved);
        }
        Ok(())
    }

    /// The pixels, which must not change any more.
    pub(crate) fn pixels(&self, slots: usize) -> io::Result<Pixels> {
        match slots {
            0 => Ok(Pixels::from(Vec::new())),
            _ => Pixels::map(self.file.as_file(), slots * self.image),
        }
    }

    /// Adds what stands behind the pixels and gives the file its name.
    pub(crate) fn finish(
        self,
        path: &Path,
        pixels: &Pixels,
        records: &[Record],
        facts: &Facts,
        decoding: &Decoding,
    ) -> io::Result<()> {
        let mut end: Vec<u8> = records.iter().flat_map(|record| record.to_bytes()).collect();
        end.extend(checksums(pixels, decoding).iter().flat_map(|sum| sum.to_le_bytes()));
        end.extend(facts.about.as_bytes());
        end.extend(MAGIC);
        end.extend(facts.key);
        end.extend(facts.labelling);
        end.extend(facts.fingerprint.as_bytes());
        let slots = pixels.len() / self.image;
        for number in [self.image, slots, records.len(), facts.about.len()] {
            end.extend((number as u64).to_le_bytes());
        }
        let hash = Sha256::digest(&end);
        end.extend(hash);
        let mut file = self.file.as_file();
        file.seek(SeekFrom::Start(pixels.len() as u64))?;
        file.write_all(&end)?;
        self.file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}
