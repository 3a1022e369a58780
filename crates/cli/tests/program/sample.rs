//! A small data set, a small network, and a model trained with them.

use crate::program;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use percept::data::sources::idx;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

pub(crate) const SIDE: usize = 8;
const CLASSES: usize = 3;
const TRAIN: usize = 160;
const TEST: usize = 60;

/// Settings with every kind of state that a run has: running statistics, momentum, an average, dropout, augmentation.
const CONFIG: &str = r#"
data = "data"
epochs = 3
batch_size = 32
chunk_size = 8
lanes = 4
validation = 40
seed = 5
optimizer = { kind = "muon" }
schedule = { kind = "linear", warm_up = { length = 0.2, start = 0.1 } }
loss = { label_smoothing = 0.05 }
average = { every = 2, decay = 0.9 }
augmentation = { shift = 1.0, rotation = 5.0 }

[network]
name = "small"
input = [8, 8, 1]
layers = [
    { kind = "conv", out_channels = 8, kernel_size = 3, padding = 1 },
    { kind = "batch_norm" },
    { kind = "relu" },
    { kind = "conv", out_channels = 8, kernel_size = 3, stride = 2 },
    { kind = "relu" },
    { kind = "dropout", rate = 0.1 },
    { kind = "flatten" },
    { kind = "dense", out_features = 3 },
]
"#;

/// A folder with `data/` and `small.toml`.
pub(crate) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("data")).expect("made");
    for (part, count) in [("train", TRAIN), ("t10k", TEST)] {
        write_part(&folder.path().join("data"), part, count, CLASSES);
    }
    fs::write(folder.path().join("small.toml"), CONFIG).expect("written");
    folder
}

/// Writes `two/`, so many images of the first two classes to learn from, and as many to test with as in `data/`.
pub(crate) fn write_two_classes(folder: &Path, count: usize) {
    let folder = folder.join("two");
    fs::create_dir(&folder).expect("made");
    write_part(&folder, "train", count, 2);
    write_part(&folder, "t10k", TEST, 2);
}

fn write_part(folder: &Path, part: &str, count: usize, classes: usize) {
    let pixels: Vec<u8> =
        (0..count).flat_map(|example| image(example % classes, example)).collect();
    let labels: Vec<u8> = (0..count).map(|example| (example % classes) as u8).collect();
    let write =
        |name: String, bytes: Vec<u8>| fs::write(folder.join(name), bytes).expect("written");
    write(format!("{part}-images-idx3-ubyte"), idx::encode_images(SIDE, SIDE, &pixels));
    write(format!("{part}-labels-idx1-ubyte"), idx::encode_labels(&labels));
}

/// A bright bar, standing, lying or sloping, somewhere, over noise.
pub(crate) fn image(class: usize, variant: usize) -> Vec<u8> {
    let place = 2 + variant / CLASSES % 4;
    let ink = |y: usize, x: usize| match class {
        0 => x == place,
        1 => y == place,
        _ => (x + y) % SIDE == place,
    };
    let noise = |at: usize| ((variant * 64 + at).wrapping_mul(2_654_435_761) >> 7 & 31) as u8;
    let level = |at: usize| if ink(at / SIDE, at % SIDE) { 220 + noise(at) } else { noise(at) };
    (0..SIDE * SIDE).map(level).collect()
}

/// A folder with a model trained once for all tests: `run/model.safetensors` in it.
pub(crate) fn trained() -> &'static Path {
    static TRAINED: OnceLock<TempDir> = OnceLock::new();
    let train = || {
        let folder = folder();
        program::line(folder.path(), "train --config small.toml --epochs 8 --out run --quiet")
            .well();
        folder
    };
    TRAINED.get_or_init(train).path()
}

/// The model of [`trained`].
pub(crate) fn model() -> PathBuf {
    trained().join("run/model.safetensors")
}

/// Says loudly that a test did not run: past the test harness, which keeps quiet about tests that pass.
pub(crate) fn skip(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// A black picture of one bit a pixel.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::best());
    let row = vec![0; 1 + width.div_ceil(8) as usize];
    (0..height).for_each(|_| pixels.write_all(&row).expect("compressed"));
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    let pixels = pixels.finish().expect("compressed");
    let chunks = [chunk(b"IHDR", &header), chunk(b"IDAT", &pixels), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat()
}
