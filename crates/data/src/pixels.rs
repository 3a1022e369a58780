//! Where the pixels of a data set are: in memory, or in a file that is mapped into it.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

/// The pixels of a data set. Those of a mapped file take no memory of the process's own: the operating system reads them when they
/// are looked at, and may let go of them again.
#[derive(Clone, Debug)]
pub struct Pixels(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Cow<'static, [u8]>),
    /// The first so many bytes of a file.
    Mapped(Arc<Mmap>, usize),
}

impl Pixels {
    /// The first `len` bytes of a file of this crate's own, which nothing may change any more (it may grow).
    pub(crate) fn map(file: &File, len: usize) -> io::Result<Self> {
        let mapped = mapped(file)?;
        match len <= mapped.len() {
            true => Ok(Self(Place::Mapped(Arc::new(mapped), len))),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A whole file. Only files of the pixel cache are mapped.
#[allow(unsafe_code)]
pub(crate) fn mapped(file: &File) -> io::Result<Mmap> {
    // SAFETY: a mapping is sound as long as the mapped bytes stay what they are. percept writes a cache file under a name of its own
    // that only its writer knows, maps only what is written for good (bytes are added behind it, none is changed), and afterwards
    // replaces the file by renaming or removes its name, both of which leave the mapped one as it is. The folder and the files belong
    // to the user alone (modes 700 and 600); one who writes into them by other means breaks what every mapped file relies on.
    unsafe { Mmap::map(file) }
}

impl Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Place::Memory(pixels) => pixels,
            Place::Mapped(file, len) => &file[..*len],
        }
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(pixels: Vec<u8>) -> Self {
        Self(Place::Memory(pixels.into()))
    }
}

impl From<&'static [u8]> for Pixels {
    fn from(pixels: &'static [u8]) -> Self {
        Self(Place::Memory(pixels.into()))
    }
}

impl From<Cow<'static, [u8]>> for Pixels {
    fn from(pixels: Cow<'static, [u8]>) -> Self {
        Self(Place::Memory(pixels))
    }
}
