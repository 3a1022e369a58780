//! Pixels of formats that are arrays of pixels already, read piece by piece: in memory, or in a file when they are many.

use std::io;

use crate::pixel_cache::{PixelCache, Unfinished};
use crate::{Dataset, Error, ImageShape, Origin, Pixels};

/// So many bytes are held in memory; what is more goes to a file in the folder of the pixel cache, which vanishes with the run.
const MOST_IN_MEMORY: usize = 64 << 20;
/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;

/// The pixels so far.
pub(crate) struct Growing<'a> {
    /// Where a file may be made. Without it, all pixels are held in memory.
    cache: Option<&'a PixelCache>,
    most_in_memory: usize,
    file: Option<Unfinished>,
    in_file: usize,
    /// What is not in the file.
    memory: Vec<u8>,
    note: Option<String>,
}

impl<'a> Growing<'a> {
    pub(crate) fn new(cache: Option<&'a PixelCache>) -> Self {
        let (file, memory, note) = (None, Vec::new(), None);
        Self { cache, most_in_memory: MOST_IN_MEMORY, file, in_file: 0, memory, note }
    }

    /// Appends up to `count` bytes, which `take` reads a piece at a time, and gives their number: less where there are no more. What is
    /// allocated grows with what was really read.
    ///
    /// # Errors
    /// Those of `take` and of [`extend`](Self::extend).
    pub(crate) fn fill(
        &mut self,
        count: u64,
        mut take: impl FnMut(u64) -> Result<Vec<u8>, Error>,
    ) -> Result<u64, Error> {
        let mut left = count;
        while left > 0 {
            let piece = take(left.min(PIECE))?;
            if piece.is_empty() {
                break;
            }
            self.extend(&piece)?;
            left -= piece.len() as u64;
        }
        Ok(count - left)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Setting`] when memory is not enough, where no file may be made; [`Error::Io`] when a file cannot be read back.
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.memory.len() + bytes.len() > self.most_in_memory {
            self.move_out()?;
        }
        self.memory.try_reserve(bytes.len()).map_err(|_| {
            let expected = "given, so that pixels that do not fit into memory lie in a file";
            let found = format!("no room for more than the first {} MiB", self.memory.len() >> 20);
            Error::setting("a folder for the cache", expected, found)
        })?;
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    /// Moves what is in memory to the file. Where that fails, everything is held in memory from now on.
    fn move_out(&mut self) -> Result<(), Error> {
        let Some(cache) = self.cache else { return Ok(()) };
        let Err(error) = self.write(cache) else { return Ok(()) };
        if let Some(file) = self.file.take() {
            self.read_back(&file)
                .map_err(|source| in_folder("read pixels back from", cache, source))?;
        }
        self.cache = None;
        self.note = Some(format!(
            "the pixels are held in memory, because they cannot be put into {}: {error}",
            cache.folder.display()
        ));
        Ok(())
    }

    fn write(&mut self, cache: &PixelCache) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(cache.begin(1)?),
        };
        file.write(self.in_file, &self.memory);
        if let Some(error) = file.failure() {
            return Err(error);
        }
        self.in_file += self.memory.len();
        self.memory.clear();
        Ok(())
    }

    fn read_back(&mut self, file: &Unfinished) -> io::Result<()> {
        let written = file.pixels(self.in_file)?;
        let mut all = Vec::new();
        all.try_reserve_exact(written.len() + self.memory.len())?;
        all.extend_from_slice(&written);
        all.append(&mut self.memory);
        (self.memory, self.in_file) = (all, 0);
        Ok(())
    }

    fn pixels(&mut self) -> Result<Pixels, Error> {
        if self.file.is_some() {
            self.move_out()?;
        }
        match (&self.file, self.cache) {
            (Some(file), Some(cache)) => file
                .pixels(self.in_file)
                .map_err(|source| in_folder("map a file in", cache, source)),
            _ => Ok(std::mem::take(&mut self.memory).into()),
        }
    }

    /// The data set of these pixels.
    ///
    /// # Errors
    /// As [`Dataset::new`]; [`Error::Io`] when the file cannot be mapped or read back.
    pub(crate) fn dataset(
        mut self,
        description: impl Into<String>,
        shape: ImageShape,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Dataset, Error> {
        let pixels = self.pixels()?;
        let notes = self.note.take().into_iter().collect();
        let dataset = Dataset::new(description, shape, pixels, labels, class_names)?;
        dataset.with_origin(Origin { notes, ..Origin::default() })
    }
}

fn in_folder(doing: &'static str, cache: &PixelCache, source: io::Error) -> Error {
    Error::Io { doing, path: cache.folder.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn numbers(count: usize) -> Vec<u8> {
        (0..count).map(|at| (at * 7 % 251) as u8).collect()
    }

    fn grown(cache: Option<&PixelCache>, count: usize) -> Growing<'_> {
        let mut growing = Growing { most_in_memory: 1000, ..Growing::new(cache) };
        let all = numbers(count);
        let (start, mut rest) = all.split_at(count / 3);
        growing.extend(start).unwrap();
        let take = |most: u64| {
            let piece = rest.split_off(..rest.len().min(most as usize)).unwrap();
            Ok(piece.to_vec())
        };
        assert_eq!(growing.fill(u64::MAX, take).unwrap(), (count - count / 3) as u64);
        assert_eq!(growing.in_file + growing.memory.len(), count);
        growing
    }

    #[test]
    fn many_pixels_lie_in_a_file_that_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PixelCache { folder: folder.path().join("pixels"), most_bytes: 1 };
        for count in [999, 1001, 3000, 5 * PIECE as usize + 3] {
            let growing = grown(Some(&cache), count);
            assert_eq!(growing.file.is_some(), count > 1000, "{count}");
            let names = vec!["one".to_owned()];
            let dataset =
                growing.dataset("numbers", ImageShape::grey(1, 1), vec![0; count], names).unwrap();
            assert!(*dataset.images() == numbers(count), "{count}");
            assert_eq!(dataset.origin().notes, Vec::<String>::new());
        }
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 0);
    }

    #[test]
    fn pixels_are_held_in_memory_where_there_is_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "in the way").unwrap();
        let cache = PixelCache { folder: folder.path().join("file"), most_bytes: 1 };
        for (cache, said) in [(None, false), (Some(&cache), true)] {
            let growing = grown(cache, 3000);
            let dataset = growing
                .dataset("numbers", ImageShape::grey(1, 1), vec![0; 3000], vec!["one".into()])
                .unwrap();
            assert!(*dataset.images() == numbers(3000));
            let notes = &dataset.origin().notes;
            assert_eq!(notes.iter().any(|note| note.contains("held in memory")), said, "{notes:?}");
        }
    }

    /// As a disk that is full: what lies in the file is read back.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_held_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let cache = PixelCache { folder: folder.path().join("pixels"), most_bytes: 1 };
        let mut growing = grown(Some(&cache), 3000);
        growing.file.as_mut().unwrap().refuse_writes().unwrap();
        growing.extend(&numbers(5000)[3000..]).unwrap();
        assert!(growing.file.is_none());
        assert!(*growing.pixels().unwrap() == numbers(5000));
        assert!(growing.note.unwrap().contains("held in memory"));
    }
}
