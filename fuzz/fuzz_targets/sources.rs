//! Image sets in one file (NPZ, tar shards, tables, Parquet), CIFAR's batches and SVHN's MATLAB files: no panic, and memory
//! bounded by the file's size.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percept_data::sources::{self, Format, Reading, Source, npy};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{fs, process};

/// Readers take paths: a folder in memory where there is one.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = folder.join(format!("percept-fuzz-sources-{}", process::id()));
    for name in ["cifar", "svhn"] {
        fs::create_dir_all(folder.join(name)).expect("a folder in memory");
    }
    folder
});

fuzz_target!(|bytes: &[u8]| {
    // What a packed array may unpack to, and a buffer that doubles.
    let limit = (1 << 20) + 3 * ((64 << 20) + 100 * bytes.len());
    let _ = percept_fuzz::within(limit, || npy::read_array(bytes, "fuzz"));
    let files = [
        ("x.npz", Format::Npz),
        ("x.tar", Format::Shards),
        ("x.csv", Format::Table),
        ("x.parquet", Format::Parquet),
    ];
    for (name, format) in files {
        let path = FOLDER.join(name);
        fs::write(&path, bytes).expect("a file in memory");
        percept_fuzz::within(limit, || read(&path, format));
    }
    for (folder, name, format) in
        [("cifar", "test_batch.bin", Format::Cifar), ("svhn", "test_32x32.mat", Format::Svhn)]
    {
        let folder = FOLDER.join(folder);
        fs::write(folder.join(name), bytes).expect("a file in memory");
        percept_fuzz::within(limit, || read(&folder, format));
    }
});

/// Reads all there is to read but pictures, which have a target of their own.
fn read(path: &Path, format: Format) {
    let reading = Reading { format: Some(format), ..Reading::default() };
    let Ok(source) = sources::recognise(path, &reading) else { return };
    if let Source::Pictures(_) = source {
        return;
    }
    let _ = source.train(None, 1);
    if let Ok(Some(test)) = source.test(None, 1) {
        let _ = test.open();
    }
}
