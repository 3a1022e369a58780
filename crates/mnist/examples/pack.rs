//! Makes `data/train.bin` and `data/test.bin` from the four files of MNIST, unpacked:
//! `cargo run --release -p percept-mnist --example pack -- FOLDER`, from this crate's folder.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: pack FOLDER"))?;
    let read = |name: &str, header: usize| {
        fs::read(Path::new(&folder).join(name)).map(|bytes| bytes[header..].to_vec())
    };
    for (part, name) in [("train", "data/train.bin"), ("t10k", "data/test.bin")] {
        let images = read(&format!("{part}-images-idx3-ubyte"), 16)?;
        let labels = read(&format!("{part}-labels-idx1-ubyte"), 8)?;
        fs::write(name, percept_mnist::pack(&images, &labels))?;
    }
    Ok(())
}
