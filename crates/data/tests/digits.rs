//! A person's picture of a digit is prepared as MNIST was.

use std::path::Path;

use percept_data::sources::idx;
use percept_data::{Error, ImageShape, Picture, Preprocessing};
use percept_kernels::random::{Draws, Purpose};

mod drawing;
mod real_data;
use drawing::Style;

const PLAIN: Style =
    Style { width: 200, height: 200, at: (50.0, 30.0), size: 140.0, pen: 16.0, ink: 0, paper: 255 };

fn prepare(picture: &Picture) -> Vec<u8> {
    Preprocessing::mnist().prepare(picture).unwrap()
}

/// The cosine of the angle between two prepared pictures: 1 when they are alike.
fn likeness(a: &[u8], b: &[u8]) -> f32 {
    let dot = |a: &[u8], b: &[u8]| -> f32 {
        a.iter().zip(b).map(|(&a, &b)| f32::from(a) * f32::from(b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn print(pixels: &[u8]) -> String {
    pixels
        .chunks(28)
        .map(|row| row.iter().map(|&p| b" .:*#"[usize::from(p) / 52] as char).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Longest side 20 (one more where it falls between pixels), centre of mass at 14, brightest white.
fn assert_like_mnist(pixels: &[u8], what: &str) {
    let ink = |at: &usize| pixels[*at] > 50;
    let range = |of: fn(usize) -> usize| {
        let places: Vec<usize> = (0..784).filter(ink).map(of).collect();
        places.iter().max().unwrap() - places.iter().min().unwrap() + 1
    };
    let side = range(|at| at / 28).max(range(|at| at % 28));
    assert!((19..=21).contains(&side), "{what}: longest side {side}\n{}", print(pixels));
    let mass: f32 = pixels.iter().map(|&p| f32::from(p)).sum();
    for of in [|at| at / 28, |at| at % 28] as [fn(usize) -> usize; 2] {
        let moment: f32 = (0..784).map(|at| f32::from(pixels[at]) * of(at) as f32).sum();
        let centre = moment / mass;
        assert!((centre - 14.0).abs() < 0.2, "{what}: centre {centre}\n{}", print(pixels));
    }
    assert_eq!(pixels.iter().max(), Some(&255), "{what}");
}

#[test]
fn every_digit_becomes_like_mnist() {
    for (name, digit, style) in drawing::kept() {
        assert_like_mnist(&prepare(&drawing::draw(digit, &style)), &name);
    }
}

#[test]
fn kept_pictures_are_the_drawn_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    for (name, digit, style) in drawing::kept() {
        let kept = Picture::open(&folder.join(&name)).unwrap();
        assert_eq!(kept.shape(), ImageShape::grey(style.height, style.width));
        // Sines differ in their last bit between platforms: one grey level.
        let drawn = drawing::draw(digit, &style);
        let differ = kept.pixels().iter().zip(drawn.pixels()).any(|(a, b)| a.abs_diff(*b) > 1);
        assert!(!differ, "{name} was not drawn by examples/draw_test_pictures.rs");
    }
}

/// Place, size, polarity and contrast do not matter. 0.97: edges fall differently on the
/// pixel grid, and how far ink reaches is known to a fraction of a pixel.
#[test]
fn what_does_not_matter_changes_little() {
    for digit in 0..10 {
        let plain = prepare(&drawing::draw(digit, &PLAIN));
        for style in [
            Style { at: (100.0, 50.0), ..PLAIN },
            Style { width: 400, height: 250, ..PLAIN },
            Style { ink: 255, paper: 0, ..PLAIN },
            Style { ink: 200, paper: 40, ..PLAIN },
            Style { width: 400, height: 400, at: (90.0, 60.0), size: 280.0, pen: 32.0, ..PLAIN },
        ] {
            let seen = prepare(&drawing::draw(digit, &style));
            let alike = likeness(&plain, &seen);
            let pictures = format!("{}\n{}", print(&plain), print(&seen));
            assert!(alike > 0.97, "{digit} {style:?}: {alike}\n{pictures}");
        }
    }
}

/// A picture of many pixels (27 times as many a side as [`PLAIN`], and no whole number of the squares that are averaged)
/// is seen as a small one is.
#[test]
fn a_huge_picture_is_seen_as_a_small_one() {
    let plain = drawing::draw(4, &PLAIN);
    let shape = ImageShape::grey(200 * 27, 200 * 27 + 1);
    let mut pixels = Vec::with_capacity(shape.len());
    for row in plain.pixels().chunks(200) {
        let wide: Vec<u8> = row.iter().flat_map(|&p| [p; 27]).chain([255]).collect();
        (0..27).for_each(|_| pixels.extend_from_slice(&wide));
    }
    let (small, huge) = (prepare(&plain), prepare(&Picture::new(shape, pixels).unwrap()));
    let alike = likeness(&small, &huge);
    assert!(alike > 0.97, "{alike}\n{}\n{}", print(&small), print(&huge));
}

/// Specks, a dirty border and sensor noise of ±20 grey levels do not move the digit.
#[test]
fn noise_is_not_ink() {
    for digit in 0..10 {
        let clean = drawing::draw(digit, &Style { ink: 30, paper: 220, ..PLAIN });
        let mut draws = Draws::new(11, Purpose::Test, 0, digit.into());
        let mut noisy: Vec<u8> = clean
            .pixels()
            .iter()
            .map(|&p| p.saturating_add_signed(draws.below(41) as i8 - 20))
            .collect();
        for _ in 0..30 {
            noisy[draws.below(40_000) as usize] = 0;
        }
        let noisy = Picture::new(clean.shape(), noisy).unwrap();
        let (clean, noisy) = (prepare(&clean), prepare(&noisy));
        let alike = likeness(&clean, &noisy);
        assert!(alike > 0.97, "{digit}: {alike}\n{}\n{}", print(&clean), print(&noisy));
    }
}

#[test]
fn a_blank_picture_says_so() {
    for level in [0, 128, 255] {
        let blank = Picture::new(ImageShape::grey(28, 28), vec![level; 784]).unwrap();
        let error = Preprocessing::mnist().prepare(&blank).unwrap_err();
        assert!(matches!(error, Error::Blank { contrast: 0, .. }));
        assert!(error.to_string().starts_with("nothing is drawn on this picture"), "{error}");
    }
    let mut draws = Draws::new(1, Purpose::Test, 0, 0);
    let paper = (0..10_000).map(|_| 230 + draws.below(20) as u8).collect();
    let paper = Picture::new(ImageShape::grey(100, 100), paper).unwrap();
    assert!(matches!(Preprocessing::mnist().prepare(&paper), Err(Error::Blank { .. })));
}

#[test]
fn any_small_picture_is_no_panic() {
    let mut draws = Draws::new(2, Purpose::Test, 0, 0);
    for _ in 0..2000 {
        let (height, width) = (1 + draws.below(40) as usize, 1 + draws.below(40) as usize);
        let sparse = draws.below(20);
        let pixels = (0..height * width)
            .map(|_| if draws.below(20) < sparse { draws.below(256) as u8 } else { 0 })
            .collect();
        let picture = Picture::new(ImageShape::grey(height, width), pixels).unwrap();
        match Preprocessing::mnist().prepare(&picture) {
            Ok(pixels) => assert_eq!(pixels.len(), 784),
            Err(error) => assert!(matches!(error, Error::Blank { .. }), "{error}"),
        }
    }
}

#[test]
fn pictures_of_mnist_pass_unchanged() {
    let Some(folder) = real_data::folder("mnist") else { return };
    for part in ["train", "t10k"] {
        let images =
            idx::read_images(&folder.join(format!("{part}-images-idx3-ubyte.gz"))).unwrap();
        for pixels in images.pixels.chunks(784) {
            let picture = Picture::new(ImageShape::grey(28, 28), pixels.to_vec()).unwrap();
            assert_eq!(prepare(&picture), pixels, "changed:\n{}", print(pixels));
        }
    }
}
