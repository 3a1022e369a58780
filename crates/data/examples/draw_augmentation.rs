//! Draws what each kind of augmentation does to a picture:
//! `cargo run --release -p percept-data --example draw_augmentation -- docs/images/augmentation-kinds.png`.

use std::io;
use std::path::Path;
use std::sync::Arc;

use image::{RgbImage, imageops};
use percept_data::contact_sheet::{self, Sheet};
use percept_data::{
    Augmentation, Dataset, Error, ImageShape, Loader, Mirror, Normalisation, Outside, Part,
};

const SIDE: usize = 48;

fn main() -> io::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "augmentation-kinds.png".to_owned());
    let sheets: Result<Vec<RgbImage>, Error> = kinds().into_iter().map(sheet).collect();
    let sheets = sheets.map_err(io::Error::other)?;
    let (width, height) = (sheets[0].width(), sheets.iter().map(RgbImage::height).sum());
    let mut page = RgbImage::new(width, height);
    let mut top = 0;
    for sheet in &sheets {
        imageops::replace(&mut page, sheet, 0, top);
        top += i64::from(sheet.height());
    }
    page.save(Path::new(&path)).map_err(io::Error::other)
}

/// Settings as they are written in a file, and what they mean.
fn kinds() -> Vec<(&'static str, Augmentation)> {
    let off = Augmentation { outside: Outside::Reflect, ..Augmentation::default() };
    vec![
        ("mirror alternating", Augmentation { mirror: Mirror::Alternating, ..off }),
        ("crop 8  outside reflect", Augmentation { crop: 8, ..off }),
        ("crop 8  outside black", Augmentation { crop: 8, outside: Outside::Black, ..off }),
        ("rotation 20", Augmentation { rotation: 20.0, ..off }),
        ("scale 0.3", Augmentation { scale: 0.3, ..off }),
        ("shear 0.3", Augmentation { shear: 0.3, ..off }),
        (
            "elastic-strength 60  elastic-smoothness 4",
            Augmentation { elastic_strength: 60.0, elastic_smoothness: 4.0, ..off },
        ),
        ("erase 16", Augmentation { erase: 16, ..off }),
        ("brightness 0.5", Augmentation { brightness: 0.5, ..off }),
        ("contrast 0.7", Augmentation { contrast: 0.7, ..off }),
        ("saturation 0.9", Augmentation { saturation: 0.9, ..off }),
        ("hue 0.2", Augmentation { hue: 0.2, ..off }),
        (
            "operations 2  operations-magnitude 9",
            Augmentation { operations: 2, operations_magnitude: 9, ..off },
        ),
        ("mixup 1", Augmentation { mixup: 1.0, ..off }),
        ("cutmix 1", Augmentation { cutmix: 1.0, ..off }),
    ]
}

/// One row, or two where images are mixed with each other.
fn sheet((name, augmentation): (&str, Augmentation)) -> Result<RgbImage, Error> {
    let shape = ImageShape::colour(SIDE, SIDE);
    let images: Vec<u8> =
        [house as fn(f32, f32) -> [u8; 3], boat].into_iter().flat_map(picture).collect();
    let names = [name, "(the other one)"].map(str::to_owned).to_vec();
    let data = Dataset::new("drawn", shape, images, vec![0, 1], names)?;
    let examples = if augmentation.mixes() { vec![0, 1] } else { vec![0] };
    let part = Part { dataset: Arc::new(data), examples };
    let normalisation = Normalisation { mean: vec![0.5; 3], std: vec![0.25; 3] };
    let loader = Loader::new(part, augmentation, normalisation, 3)?;
    contact_sheet::draw(&loader, &Sheet { examples: 2, versions: 7, zoom: 2 })
}

/// The pixels of a drawing, whose coordinates go from 0 to 1.
fn picture(colour: fn(f32, f32) -> [u8; 3]) -> Vec<u8> {
    let at = |cell: usize| cell as f32 / SIDE as f32;
    (0..SIDE * SIDE).flat_map(|cell| colour(at(cell % SIDE), at(cell / SIDE))).collect()
}

fn within(x: f32, y: f32, [left, top, right, bottom]: [f32; 4]) -> bool {
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

/// A house with a red roof under the sun, and a tree on its right.
fn house(x: f32, y: f32) -> [u8; 3] {
    let near = |cx: f32, cy: f32, r: f32| (x - cx).hypot(y - cy) < r;
    match () {
        () if near(0.14, 0.15, 0.09) => [250, 205, 60],
        () if near(0.82, 0.45, 0.14) => [40, 120, 50],
        () if within(x, y, [0.79, 0.55, 0.85, 0.8]) => [100, 70, 40],
        () if within(x, y, [0.4, 0.6, 0.52, 0.8]) => [90, 50, 30],
        () if within(x, y, [0.25, 0.52, 0.35, 0.62]) => [150, 200, 230],
        () if within(x, y, [0.18, 0.46, 0.62, 0.8]) => [230, 215, 190],
        () if y < 0.46 && y > 0.2 + (x - 0.4).abs() * 0.95 => [175, 55, 45],
        () if y > 0.78 => [95, 150, 70],
        () => [110 + (90.0 * y) as u8, 165 + (60.0 * y) as u8, 235],
    }
}

/// A boat with a white sail on the sea in the evening.
fn boat(x: f32, y: f32) -> [u8; 3] {
    match () {
        () if within(x, y, [0.5, 0.15, 0.53, 0.65]) => [80, 55, 35],
        () if x < 0.49 && y < 0.6 && y > 0.95 - x * 1.5 => [245, 245, 240],
        () if x > 0.54 && y < 0.6 && y > 0.2 + (x - 0.54) * 1.6 => [225, 90, 60],
        () if y > 0.65 && y < 0.78 && (x - 0.5).abs() < 0.35 - (y - 0.65) => [120, 70, 45],
        () if y > 0.7 => [25, 70 + (60.0 * (1.0 - y)) as u8, 120],
        () => [240, 150 + (70.0 * y) as u8, 90 + (100.0 * (1.0 - y)) as u8],
    }
}
