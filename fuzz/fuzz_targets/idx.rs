//! IDX files, plain and compressed: no panic, bounded memory, and what is read is written back to the same bytes.

#![no_main]

use flate2::Crc;
use flate2::read::MultiGzDecoder;
use libfuzzer_sys::fuzz_target;
use percept_data::sources::idx::{self, IdxImages};
use std::io::Read;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::{fs, process};

/// The reader takes paths: a file in memory where there is one.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("percept-fuzz-idx-{}", process::id()))
});

fuzz_target!(|bytes: &[u8]| {
    check(bytes, bytes.starts_with(&[0x1f, 0x8b]));
    // Damaged streams are the input's own business: here a whole one, so that the reader behind it sees everything.
    check(&store(bytes), true);
});

fn check(bytes: &[u8], compressed: bool) {
    fs::write(&*FILE, bytes).expect("a file in memory");
    // The documented bound of what a gzip file may unpack to, and a buffer that doubles.
    let held = if compressed { (64 << 20) + 100 * bytes.len() } else { bytes.len() };
    let limit = (512 << 10) + 3 * held;
    if let Ok(IdxImages { rows, columns, pixels }) =
        percept_fuzz::within(limit, || idx::read_images(&FILE))
    {
        assert_eq!(idx::encode_images(rows, columns, &pixels), unpacked(bytes, compressed));
    }
    if let Ok(labels) = percept_fuzz::within(limit, || idx::read_labels(&FILE)) {
        assert_eq!(idx::encode_labels(&labels), unpacked(bytes, compressed));
    }
}

/// A gzip file that holds the bytes as they are, in one stored block: cheap to make.
fn store(bytes: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let len = u16::try_from(bytes.len()).expect("inputs are short");
    let mut crc = Crc::new();
    crc.update(bytes);
    let block = [&[1][..], &len.to_le_bytes(), &(!len).to_le_bytes(), bytes].concat();
    [&HEADER[..], &block, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}

fn unpacked(bytes: &[u8], compressed: bool) -> Vec<u8> {
    if !compressed {
        return bytes.to_vec();
    }
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut out).expect("the reader could unpack it");
    out
}
