//! Reading pictures, good and bad.

use std::fs;
use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, GrayAlphaImage, GrayImage, ImageEncoder, ImageFormat, Rgb, RgbImage, RgbaImage,
};
use percept_data::{Error, ImageShape, Picture};
use tempfile::TempDir;

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read(bytes: &[u8]) -> Picture {
    Picture::from_bytes(bytes, "test").unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    Picture::from_bytes(bytes, "test").unwrap_err().to_string()
}

/// Left half red, right half blue: colours survive lossy formats nearly.
fn red_and_blue() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, _| if x < 16 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

#[test]
fn every_format_is_recognised_by_content() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    let image = DynamicImage::ImageRgb8(red_and_blue());
    for format in [Png, Jpeg, WebP, Bmp, Gif, Tiff, Pnm] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("picture.of-no-known-type");
        fs::write(&path, encode(&image, format)).unwrap();
        let picture = Picture::open(&path).unwrap();
        assert_eq!(picture.shape(), ImageShape::colour(16, 32), "{format:?}");
        for (at, want) in [(4 * 32 + 4, [255, 0, 0]), (8 * 32 + 28, [0, 0, 255])] {
            let got = &picture.pixels()[3 * at..3 * at + 3];
            let close = got.iter().zip(want).all(|(&a, b)| a.abs_diff(b) < 12);
            assert!(close, "{format:?}: {got:?} instead of {want:?}");
        }
    }
}

#[test]
fn sixteen_bits_and_transparency_become_eight_over_white() {
    let grey =
        DynamicImage::ImageLuma16(image::ImageBuffer::from_raw(2, 1, vec![0u16, 65535]).unwrap());
    assert_eq!(read(&encode(&grey, ImageFormat::Png)).pixels(), [0, 255]);
    let alpha = GrayAlphaImage::from_raw(3, 1, vec![0, 0, 0, 255, 100, 128]).unwrap();
    let picture = read(&encode(&DynamicImage::ImageLumaA8(alpha), ImageFormat::Png));
    // Clear is white; 100 at 128/255: 100 * 0.50196 + 255 * 0.49804 = 177.2.
    assert_eq!((picture.shape().channels, picture.pixels()), (1, &[255, 0, 177][..]));
    let alpha = RgbaImage::from_raw(1, 1, vec![255, 0, 0, 51]).unwrap();
    let picture = read(&encode(&DynamicImage::ImageRgba8(alpha), ImageFormat::Png));
    assert_eq!(picture.pixels(), [255, 204, 204]);
}

#[test]
fn grey_follows_bt_601() {
    let picture = Picture::new(ImageShape::colour(1, 3), vec![255, 0, 0, 0, 255, 0, 0, 0, 255]);
    // 0.299, 0.587, 0.114 of 255, rounded: what Pillow's convert("L") gives.
    assert_eq!(picture.unwrap().to_grey().pixels(), [76, 150, 29]);
}

/// The smallest EXIF block that says "orientation 6": turn clockwise by 90 degrees to see it upright.
const TURNED: [u8; 26] = [
    b'I', b'I', 42, 0, 8, 0, 0, 0, // TIFF header, first directory at 8
    1, 0, // one entry
    0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, // orientation, one short, 6
    0, 0, 0, 0, // no further directory
];

#[test]
fn exif_orientation_is_applied() {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.set_exif_metadata(TURNED.to_vec()).unwrap();
    let stored = GrayImage::from_fn(32, 16, |x, _| [if x < 16 { 255 } else { 0 }].into());
    encoder.encode_image(&stored).unwrap();
    let picture = read(&bytes);
    assert_eq!(picture.shape(), ImageShape::grey(32, 16));
    // The left of what is stored is the top of what is seen.
    assert!(picture.pixels()[0] > 240 && picture.pixels()[31 * 16] < 15);
}

#[test]
fn bad_pictures_are_named() {
    let formats = "expected a PNG, JPEG, WebP, BMP, GIF, TIFF or PNM picture";
    assert_eq!(refusal(&[]), format!("`test`: {formats}, found an empty file"));
    for bytes in [&b"x"[..], b"hello, world, this is text"] {
        assert_eq!(
            refusal(bytes),
            format!("`test`: {formats}, found bytes of no format known here")
        );
    }
    let whole = encode(&DynamicImage::ImageRgb8(red_and_blue()), ImageFormat::Png);
    for len in [8, 20, whole.len() / 2] {
        let message = refusal(&whole[..len]);
        assert_eq!(message, "`test`: expected a whole PNG picture, but it cannot be decoded");
    }
    let folder = TempDir::new().unwrap();
    let message = Picture::open(folder.path()).unwrap_err().to_string();
    assert!(message.contains("is a folder: expected a PNG"), "{message}");
    let missing = Picture::open(&folder.path().join("no.png"));
    assert!(matches!(missing, Err(Error::Missing { .. })));
}

/// Found by fuzzing (`fuzz/`): each made a decoder panic. A decoder that takes other instructions may read it.
/// Its decoder would fill what is missing with grey.
#[test]
fn a_jpeg_that_is_cut_off_is_an_error() {
    let noise =
        RgbImage::from_fn(200, 160, |x, y| Rgb([(x * 7) as u8, (x * y) as u8, (y * 5) as u8]));
    let bytes = encode(&DynamicImage::ImageRgb8(noise), ImageFormat::Jpeg);
    read(&bytes);
    for len in [bytes.len() / 2, bytes.len() * 9 / 10, bytes.len() - 1] {
        let found = refusal(&bytes[..len]);
        assert!(
            found.contains("expected a whole JPEG picture, found one that is cut off"),
            "{found}"
        );
    }
}

#[test]
fn a_picture_that_panics_its_decoder_is_an_error() {
    let bytes = include_bytes!("damaged/jpeg-that-panics-zune-jpeg-0.5.15.jpg");
    if let Err(error) = Picture::from_bytes(bytes, "test") {
        let message = "`test`: expected a whole JPEG picture, but it cannot be decoded";
        assert_eq!(error.to_string(), message);
    }
}

/// A PNG chunk: length, name, content, CRC-32.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(content);
    [&(content.len() as u32).to_be_bytes(), &name[..], content, &crc.sum().to_be_bytes()].concat()
}

/// A white PNG of one bit a pixel.
fn white_png(width: u32, height: u32) -> Vec<u8> {
    let row = vec![0; 1 + width.div_ceil(8) as usize];
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::best());
    (0..height).for_each(|_| pixels.write_all(&row).unwrap());
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = [&sizes[..], &[1, 0, 0, 0, 0]].concat();
    [
        &b"\x89PNG\r\n\x1a\n"[..],
        &chunk(b"IHDR", &header),
        &chunk(b"IDAT", &pixels.finish().unwrap()),
        &chunk(b"IEND", &[]),
    ]
    .concat()
}

#[test]
fn a_small_file_of_a_huge_picture_is_refused() {
    let bytes = white_png(20_000, 20_000);
    assert!(bytes.len() < 60_000, "{}", bytes.len());
    let message = refusal(&bytes);
    assert!(message.contains("the picture is 20000x20000 pixels"), "{message}");
    assert!(message.contains("at most 16384 pixels a side and 256 MiB decoded"), "{message}");
    assert_eq!(read(&white_png(20, 10)).shape(), ImageShape::grey(10, 20));
    // Sides within bounds, but 268,435,456 pixels of three bytes in a file that is nearly empty.
    let claim = b"P6 16384 16384 255\n";
    assert!(matches!(Picture::from_bytes(claim, "test"), Err(Error::TooLarge { .. })));
}

#[test]
fn damaged_bytes_are_no_panic() {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    let image = DynamicImage::ImageRgb8(red_and_blue());
    for format in [Png, Jpeg, WebP, Bmp, Gif, Tiff, Pnm] {
        let whole = encode(&image, format);
        for at in 0..whole.len().min(200) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let _ = Picture::from_bytes(&damaged, "test");
            let _ = Picture::from_bytes(&whole[..at], "test");
        }
    }
}
