//! A sheet of examples before and after augmentation, as a PNG, for a person to look at.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

pub mod font;

use crate::{Error, ImageShape, Loader, LoaderScratch};

/// Pixels between cells, and around a caption.
const GAP: usize = 4;
const BACKGROUND: [u8; 3] = [236, 236, 236];
const CAPTION: [u8; 3] = [30, 30, 30];
/// Pixels that a letter takes on a line.
const LETTER: usize = font::WIDTH + 1;
/// Dots in the place of letters that there is no room for.
const DOTS: usize = 3;

/// What a sheet shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// How many examples (rows), taken from the front of the loader's order.
    pub examples: usize,
    /// How many augmented versions of each, one an epoch.
    pub versions: usize,
    /// Each pixel becomes a square of this side; at least 1.
    pub zoom: usize,
}

impl Default for Sheet {
    fn default() -> Self {
        Self { examples: 10, versions: 8, zoom: 3 }
    }
}

/// Draws a sheet: on each row an example as it is, then as the network gets it in epochs 0, 1, 2, ...; above, its class.
/// Where images are mixed, they are with others of the sheet.
///
/// # Errors
/// [`Error::Setting`] when the sheet would have no or more than 100 million pixels.
pub fn draw(loader: &Loader, sheet: &Sheet) -> Result<RgbImage, Error> {
    let shape = loader.dataset().shape();
    let examples: Vec<u32> = loader.order(0).into_iter().take(sheet.examples).collect();
    let cell = [shape.width * sheet.zoom + GAP, shape.height * sheet.zoom + GAP + font::HEIGHT];
    let width = cell[0] * (sheet.versions + 1) + GAP;
    let height = cell[1] * examples.len() + GAP + font::HEIGHT + GAP;
    if examples.is_empty() || sheet.zoom == 0 || width.saturating_mul(height) > 100_000_000 {
        let found = format!("{width}x{height} with {} examples", examples.len());
        return Err(Error::setting("the contact sheet", "1 to 100 million pixels", found));
    }
    let mut canvas = Canvas::new(width, height);
    for (column, title) in titles(sheet.versions).enumerate() {
        canvas.text(GAP + column * cell[0], GAP, &title);
    }
    let mut scratch = LoaderScratch::default();
    for (row, &example) in examples.iter().enumerate() {
        let y = GAP + font::HEIGHT + row * cell[1];
        let class =
            &loader.dataset().class_names()[loader.dataset().label(example as usize) as usize];
        canvas.text(GAP, y + GAP / 2, class);
        let y = y + font::HEIGHT;
        let original = loader.dataset().image(example as usize).to_vec();
        let augmented = (0..sheet.versions)
            .map(|epoch| augmented(loader, epoch as u32, &examples, row, &mut scratch));
        for (column, image) in std::iter::once(original).chain(augmented).enumerate() {
            canvas.image(GAP + column * cell[0], y + GAP / 2, &image, shape, sheet.zoom);
        }
    }
    Ok(canvas.0)
}

/// Columns of a grid.
const COLUMNS: usize = 10;

/// Images of one shape side by side under a title, in rows of ten.
pub(crate) fn grid(title: &str, images: &[Vec<u8>], shape: ImageShape) -> RgbImage {
    let cell = [shape.width + GAP, shape.height + GAP];
    let columns = images.len().clamp(1, COLUMNS);
    let top = GAP + font::HEIGHT;
    let height = top + images.len().div_ceil(columns) * cell[1] + GAP;
    let words = (font::glyphs(title).len() * LETTER).min(COLUMNS * cell[0]);
    let mut canvas = Canvas::new((columns * cell[0]).max(words + GAP) + GAP, height);
    canvas.text(GAP, GAP, title);
    for (at, image) in images.iter().enumerate() {
        let (row, column) = (at / columns, at % columns);
        canvas.image(GAP + column * cell[0], top + row * cell[1], image, shape, 1);
    }
    canvas.0
}

/// Draws a sheet into a PNG file.
///
/// # Errors
/// As [`draw`], and [`Error::Io`].
pub fn write(loader: &Loader, sheet: &Sheet, path: &Path) -> Result<(), Error> {
    let image = draw(loader, sheet)?;
    let io = |source| Error::Io { doing: "write", path: path.to_owned(), source };
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|source| io(std::io::Error::other(source)))?;
    std::fs::write(path, bytes.into_inner()).map_err(io)
}

fn titles(versions: usize) -> impl Iterator<Item = String> {
    std::iter::once("image".to_owned()).chain((0..versions).map(|epoch| format!("epoch {epoch}")))
}

/// An example of a batch as the network gets it in one epoch, back in grey levels.
fn augmented(
    loader: &Loader,
    epoch: u32,
    batch: &[u32],
    position: usize,
    scratch: &mut LoaderScratch,
) -> Vec<u8> {
    let shape = loader.dataset().shape();
    let mut pixels = vec![0.0; shape.len()];
    loader.fill(epoch, batch, position..position + 1, scratch, &mut pixels);
    let grey = |(at, value): (usize, &f32)| {
        let (factor, offset) = loader.normalisation().factor_and_offset(at % shape.channels);
        ((value - offset) / factor).round() as u8
    };
    pixels.iter().enumerate().map(grey).collect()
}

/// The letters of a text, or the first of them and three dots where there is room for so many only.
fn fitting(text: &str, room: usize) -> Vec<font::Glyph> {
    let mut glyphs = font::glyphs(text);
    if glyphs.len() > room {
        glyphs.truncate(room.saturating_sub(DOTS));
        glyphs.extend([font::glyph('.'); DOTS].into_iter().take(room));
    }
    glyphs
}

struct Canvas(RgbImage);

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self(RgbImage::from_pixel(width as u32, height as u32, BACKGROUND.into()))
    }

    /// Draws text on one line. What there is no room for is left out, with dots in its place.
    fn text(&mut self, left: usize, top: usize, text: &str) {
        let room = (self.0.width() as usize).saturating_sub(left + GAP) / LETTER;
        for (at, glyph) in fitting(text, room).into_iter().enumerate() {
            for (y, row) in glyph.into_iter().enumerate() {
                for x in (0..font::WIDTH).filter(|x| row >> (font::WIDTH - 1 - x) & 1 == 1) {
                    self.set(left + at * LETTER + x, top + y, CAPTION);
                }
            }
        }
    }

    fn image(&mut self, left: usize, top: usize, pixels: &[u8], shape: ImageShape, zoom: usize) {
        for (at, pixel) in pixels.chunks_exact(shape.channels).enumerate() {
            let colour = if let [r, g, b] = *pixel { [r, g, b] } else { [pixel[0]; 3] };
            let (y, x) = (at / shape.width * zoom, at % shape.width * zoom);
            for (dy, dx) in (0..zoom).flat_map(|dy| (0..zoom).map(move |dx| (dy, dx))) {
                self.set(left + x + dx, top + y + dy, colour);
            }
        }
    }

    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if let Some(pixel) = self.0.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = colour.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_with_dots() {
        assert_eq!(fitting("daisies", 7), font::glyphs("daisies"));
        assert_eq!(fitting("daisies", 6), font::glyphs("dai..."));
        assert_eq!(fitting("daisies", 2), font::glyphs(".."));
        assert_eq!(fitting("daisies", 0), font::glyphs(""));
    }

    #[test]
    fn a_long_title_stays_on_its_sheet() {
        let shape = ImageShape::grey(8, 8);
        let sheet = grid(&"M".repeat(120), &vec![vec![0; 64]; 3], shape);
        assert_eq!(sheet.width() as usize, COLUMNS * (8 + GAP) + 2 * GAP);
        let edge =
            (0..sheet.height()).all(|y| sheet.get_pixel(sheet.width() - 1, y).0 == BACKGROUND);
        assert!(edge, "letters at the edge");
    }
}
