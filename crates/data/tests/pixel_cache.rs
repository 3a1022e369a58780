//! Decoded pixels that are kept on the disk: what comes from there is what would be decoded, whatever happened to the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use image::ImageFormat;
use percept_data::pixel_cache::PixelCache;
use percept_data::{Dataset, Decoding, Doing, Fit, ImageShape, Progress, Sizing};
use tempfile::TempDir;

mod pictures_made;
use pictures_made::{encoded, recognise, write};

const SIZING: Sizing = Sizing { input: ImageShape::colour(6, 5), fit: Fit::Stretch };
/// What is known of a file by its times is believed when they lie two seconds back.
const SETTLED: Duration = Duration::from_millis(2100);

/// A data set and a cache beside it.
struct Place {
    folder: TempDir,
    most_bytes: u64,
}

/// What came of a reading.
struct Read {
    data: Dataset,
    /// How many pictures were decoded or copied; none where the cache had all.
    made: usize,
}

impl Place {
    /// 40 pictures in two classes, all different, one of them unreadable.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for at in 0..40u8 {
            let class = ["ant", "bee"][usize::from(at % 2)];
            write(folder.path(), &format!("set/{class}/{at:02}.bmp"), picture(at));
        }
        write(folder.path(), "set/ant/20.bmp", "no picture");
        Self { folder, most_bytes: 1 << 30 }
    }

    fn set(&self) -> PathBuf {
        self.folder.path().join("set")
    }

    fn cache(&self) -> PixelCache {
        PixelCache { folder: self.folder.path().join("cache/pixels"), most_bytes: self.most_bytes }
    }

    fn read_sized(&self, sizing: Sizing) -> Read {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let watcher = move |progress: &Progress| {
            if progress.doing == Doing::Decoding {
                count.fetch_max(progress.done, Ordering::Relaxed);
            }
        };
        let decoding =
            Decoding { threads: 2, cache: Some(self.cache()), watcher: Some(Arc::new(watcher)) };
        let data = recognise(&self.set()).unwrap().train(Some(sizing), decoding).unwrap().dataset;
        Read { data, made: made.load(Ordering::Relaxed) }
    }

    /// Reads the set by way of the cache, and holds what comes of it against what decoding alone gives.
    fn read(&self) -> Read {
        let read = self.read_sized(SIZING);
        let plain = recognise(&self.set()).unwrap().train(Some(SIZING), 1).unwrap().dataset;
        assert!(read.data.images() == plain.images(), "other pixels");
        assert_eq!(read.data.labels(), plain.labels());
        assert_eq!(read.data.class_names(), plain.class_names());
        assert_eq!(read.data.fingerprint(), plain.fingerprint());
        let (origin, expected) = (read.data.origin(), plain.origin());
        assert_eq!((&origin.files, &origin.skipped), (&expected.files, &expected.skipped));
        assert_eq!((origin.fit, origin.turned), (expected.fit, expected.turned));
        read
    }

    /// Fails the test unless the cache has all.
    fn found(&self) {
        let read = self.read();
        assert_eq!((read.made, &read.data.origin().notes[..]), (0, &[][..]));
    }

    /// Fails the test unless the pixels are made anew.
    fn made(&self) -> Vec<String> {
        let read = self.read();
        assert!(read.made > 0, "taken from the cache: {:?}", read.data.origin());
        read.data.origin().notes.clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache().folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The only file.
    fn file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

fn picture(at: u8) -> Vec<u8> {
    encoded(9, 7, [at, 255 - at, at.wrapping_mul(7)], ImageFormat::Bmp)
}

/// A set that is in the cache, and whose files have not been changed for a while.
fn settled() -> Place {
    let place = Place::new();
    sleep(SETTLED);
    assert_eq!(place.made(), [""; 0]);
    place.found();
    place
}

#[test]
fn what_was_read_once_is_found() {
    let place = settled();
    let name = place.file().file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.starts_with("set-") && name.ends_with(".pixels"), "{name}");
    let [cached] = &place.cache().list().unwrap()[..] else { panic!("not one file") };
    let about = cached.about.clone().unwrap();
    assert!(about.ends_with("set (all pictures), 6x5x3"), "{about}");
    assert_eq!((cached.images, cached.bytes), (39, fs::metadata(&cached.path).unwrap().len()));
    // Another size is another file, and the first is as it was.
    let other = Sizing { input: ImageShape::grey(3, 3), ..SIZING };
    assert_eq!(place.read_sized(other).made, 40);
    assert_eq!((place.read_sized(other).made, place.files().len()), (0, 2));
    place.found();
    let bytes: u64 = place.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(place.cache().clear().unwrap(), (2, bytes));
    assert_eq!((place.cache().list().unwrap(), place.cache().clear().unwrap()), (vec![], (0, 0)));
}

#[cfg(unix)]
#[test]
fn only_the_user_may_look_at_it() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.made();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place.cache().folder), mode(&place.file())), (0o700, 0o600));
}

/// Whatever is cut off or changed, the pixels are made anew, and a note says why.
#[test]
fn a_damaged_file_is_never_believed() {
    let place = settled();
    let file = place.file();
    let whole = fs::read(&file).unwrap();
    let damaged = |bytes: &[u8]| {
        // As other programs would: under a name of its own first, for the file may still be mapped.
        let aside = file.with_extension("aside");
        fs::write(&aside, bytes).unwrap();
        fs::rename(aside, &file).unwrap();
        let notes = place.made();
        assert!(notes.len() == 1 && notes[0].contains("is made anew: "), "{notes:?}");
        assert!(fs::read(&file).unwrap() == whole, "not the file that it was");
        place.found();
    };
    for len in [0, 1, 100, whole.len() / 2, whole.len() - 200, whole.len() - 1] {
        damaged(&whole[..len]);
    }
    damaged(&[&whole[..], b"x"].concat());
    // Pixels, records, checksums, description, every part of the trailer.
    for at in (0..whole.len()).step_by(97).chain(whole.len() - 184..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        damaged(&bytes);
    }
    // A sound file of something else.
    let other = Place::new();
    other.made();
    damaged(&fs::read(other.file()).unwrap());
}

#[test]
fn what_changed_is_read_again() {
    let place = settled();
    let path = place.set().join("bee/05.bmp");
    let (time, length) = {
        let metadata = fs::metadata(&path).unwrap();
        (metadata.modified().unwrap(), metadata.len())
    };
    // The same length and time of change, as `cp -p` or an archive may leave them.
    let replacement = picture(105);
    assert_eq!(replacement.len() as u64, length);
    fs::write(&path, replacement).unwrap();
    fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    #[cfg(unix)]
    {
        place.made();
        // And once more before the clock has gone on.
        fs::write(&path, picture(205)).unwrap();
        place.made();
    }
    // More, fewer, others in another order.
    write(&place.set(), "ant/00a.bmp", picture(99));
    place.made();
    fs::remove_file(place.set().join("ant/02.bmp")).unwrap();
    place.made();
    fs::rename(place.set().join("ant/04.bmp"), place.set().join("bee/04.bmp")).unwrap();
    place.made();
    // What could not be read now can.
    write(&place.set(), "ant/20.bmp", picture(20));
    place.made();
    fs::rename(place.set().join("ant"), place.set().join("cat")).unwrap();
    place.made();
    sleep(SETTLED);
    place.made();
    place.found();
}

/// Files with new times and old content are read, but not decoded: the file may be turned into one that cannot be decoded.
/// Somebody corrects two class folders whose names were swapped. All files have one length and, written together, one time.
#[cfg(unix)]
#[test]
fn folders_that_change_places_are_told_apart() {
    let place = Place::new();
    let set = place.set();
    for class in ["ant", "bee"] {
        for at in 0..10 {
            fs::rename(
                set.join(format!("{class}/{:02}.bmp", 2 * at + usize::from(class == "bee"))),
                set.join(format!("{class}/same-{at}.bmp")),
            )
            .unwrap();
        }
    }
    sleep(SETTLED);
    place.made();
    place.found();
    for [from, to] in [["ant", "cow"], ["bee", "ant"], ["cow", "bee"]] {
        fs::rename(set.join(from), set.join(to)).unwrap();
    }
    place.made();
}

/// Where others may change files, what is mapped could change under the program.
#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let folder = place.cache().folder;
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let notes = place.made();
    assert!(notes.len() == 1 && notes[0].contains("others may write to"), "{notes:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn touched_files_are_told_by_their_content() {
    let place = settled();
    let now = std::time::SystemTime::now();
    for class in ["ant", "bee"] {
        for entry in fs::read_dir(place.set().join(class)).unwrap() {
            let file = fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(now - Duration::from_secs(1000)).unwrap();
        }
    }
    sleep(SETTLED);
    place.made();
    place.found();
}

#[test]
fn the_oldest_go_when_there_is_no_room() {
    let mut place = Place::new();
    let sized = |side| Sizing { input: ImageShape::colour(side, side), ..SIZING };
    // 39 images of 10,800 bytes and more.
    place.most_bytes = 1_000_000;
    for _ in 0..2 {
        place.read_sized(sized(60));
        sleep(Duration::from_millis(20));
    }
    let first = place.file();
    place.read_sized(sized(61));
    assert_eq!(place.files().len(), 2);
    let total = || place.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>();
    sleep(Duration::from_millis(20));
    place.read_sized(sized(62));
    assert!(place.files().len() == 2 && !first.exists(), "{:?}", place.files());
    assert!(total() <= 1_000_000, "{}", total());
    // A smaller limit holds from the next file on.
    place.most_bytes = 20_000;
    place.read_sized(sized(3));
    let [kept] = &place.files()[..] else { panic!("{:?}", place.files()) };
    // What is larger than all that there may be is not kept, and can be used all the same.
    place.most_bytes = 1000;
    let notes = place.made();
    assert!(notes[0].contains("they are not kept for the next time"), "{notes:?}");
    assert_eq!(place.file(), *kept);
}

#[test]
fn without_a_folder_pixels_are_held_in_memory() {
    let place = Place::new();
    write(place.folder.path(), "cache", "a file in the way");
    let notes = place.made();
    assert!(notes.len() == 1 && notes[0].starts_with("the pixels are held in memory"), "{notes:?}");
}

#[test]
fn what_killed_processes_left_is_removed() {
    let place = Place::new();
    place.made();
    let folder = place.cache().folder;
    write(&folder, ".partial-left", "half");
    let writing = fs::File::create(folder.join(".partial-used")).unwrap();
    writing.lock().unwrap();
    write(&place.set(), "ant/new.bmp", picture(77));
    place.made();
    let left = |name: &str| folder.join(name).exists();
    assert_eq!((left(".partial-left"), left(".partial-used")), (false, true));
}

/// Two at once, as when somebody starts two trainings: both get what they should, and a whole file stays.
#[test]
fn two_may_write_at_once() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place.read());
        }
    });
    place.file();
    assert_eq!(place.cache().list().unwrap()[0].images, 39);
}

/// Nothing but unreadable files: an error, and nothing is kept.
#[test]
fn nothing_readable_is_an_error() {
    let place = Place::new();
    let set = place.folder.path().join("other");
    for name in ["a/1.bmp", "b/1.bmp"] {
        write(&set, name, "text");
    }
    let decoding = Decoding { cache: Some(place.cache()), ..Decoding::default() };
    let error = recognise(&set).unwrap().train(Some(SIZING), decoding).unwrap_err().to_string();
    assert!(error.contains("2 that cannot"), "{error}");
    assert_eq!(place.files().len(), 0);
}

const JPEG: &str =
    "cmyk colour grey progressive turned-2 turned-3 turned-4 turned-5 turned-6 turned-7 turned-8";
const OTHER: &str = "animated.gif animated.webp colour-alpha.png colour.ppm colour.tiff grey-16.png grey-16.tiff grey-alpha.png \
                     grey.png one-bit.png palette-transparent.png palette.bmp palette.gif palette.png";

/// When this fails because pictures are decoded or sized otherwise than before, pixels that are kept anywhere are out of date: raise
/// `MADE_AS` in `sources/cached.rs`, and put the new fingerprints here.
#[test]
fn what_is_kept_is_what_would_be_made_today() {
    let folder = TempDir::new().unwrap();
    let modes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modes");
    let jpeg = JPEG.split(' ').map(|name| ("jpeg", format!("{name}.jpg")));
    for (class, name) in jpeg.chain(OTHER.split(' ').map(|name| ("other", name.to_owned()))) {
        write(folder.path(), &format!("{class}/{name}"), fs::read(modes.join(name)).unwrap());
    }
    for (fit, fingerprint) in [
        (Fit::Crop, "adc1c6397f268683571d2dae4192c7e25c9bd99bebbac2c933d5b8757d5e4a45"),
        (Fit::Stretch, "f2d67895703e56325cdef79b7371ca0b3b5c6da46f0c37120c049f65131082d4"),
        (Fit::Letterbox, "a346c46539cdb0f28192f166de45b479cc005463870e8612526f0807c31ff559"),
    ] {
        let sizing = Sizing { input: ImageShape::colour(20, 24), fit };
        let data = recognise(folder.path()).unwrap().train(Some(sizing), 2).unwrap().dataset;
        assert_eq!((data.fingerprint(), data.origin().skipped.len()), (fingerprint, 0), "{fit:?}");
    }
}
