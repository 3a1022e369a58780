//! Small pictures, written for a test.
#![allow(dead_code, reason = "each test uses some of these")]

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageFormat, RgbImage};
use percept_data::Error;
use percept_data::sources::{self, Reading, Source};

/// The bytes of a picture of one colour.
pub fn encoded(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_pixel(width, height, colour.into());
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The bytes of a PNG of 4x4 pixels of one colour.
pub fn png(colour: [u8; 3]) -> Vec<u8> {
    encoded(4, 4, colour, ImageFormat::Png)
}

/// Writes a file, and the folders that it is in.
pub fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes one red picture a name.
pub fn write_pictures(folder: &Path, names: &[&str]) {
    names.iter().for_each(|name| write(folder, name, png([200, 0, 0])));
}

/// Recognises a set with nothing decided beforehand.
pub fn recognise(path: &Path) -> Result<Source, Error> {
    sources::recognise(path, &Reading::default())
}

/// What is said of a set that is refused, when it is recognised or at the latest when it is read.
pub fn refusal(path: &Path) -> String {
    let read = |source: Source| source.check_learnable().and_then(|()| source.train(None, 1));
    match recognise(path).and_then(read) {
        Ok(training) => panic!("read as {:?}", training.dataset),
        Err(error) => error.to_string(),
    }
}
