//! Draws the pictures in `tests/pictures` anew: `cargo run -p percept-data --example draw_test_pictures`, from this crate's folder.

use std::io;
use std::path::Path;

use image::{ExtendedColorType, save_buffer};

#[path = "../tests/drawing/mod.rs"]
mod drawing;

fn main() -> io::Result<()> {
    for (name, digit, style) in drawing::kept() {
        let picture = drawing::draw(digit, &style);
        let (width, height) = (style.width as u32, style.height as u32);
        let path = Path::new("tests/pictures").join(name);
        save_buffer(path, picture.pixels(), width, height, ExtendedColorType::L8)
            .map_err(io::Error::other)?;
    }
    Ok(())
}
