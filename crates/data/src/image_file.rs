//! Reading a person's picture, whatever its format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::DecodingError;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{Error, ImageShape, jpeg};

/// The longest side of a picture that is opened, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The most bytes that a decoded picture may have. While it is decoded up to four times as much is held: a lossless WebP
/// picture passes through a copy with four channels, a progressive JPEG picture through 16-bit coefficients.
pub const MAX_DECODED_BYTES: u64 = 256 << 20;

const FORMATS: &str = "a PNG, JPEG, WebP, BMP, GIF, TIFF or PNM picture";

/// A picture as a person sees it: upright, without transparency, 8 bits a channel.
///
/// # Shapes
/// pixels u8 [height, width, channels]; 1 channel is grey, 3 are RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    shape: ImageShape,
    pixels: Vec<u8>,
}

/// A picture with what is known of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPicture {
    /// The picture, upright.
    pub picture: Picture,
    /// The file's format: "PNG".
    pub format: &'static str,
    /// What a pixel was in the file: "grey", "colour", each also with "16 bit" and with "alpha". A palette counts as colour.
    pub mode: &'static str,
    /// Whether its EXIF data turned or mirrored it.
    pub turned: bool,
}

impl StoredPicture {
    /// Reads a picture from the bytes of a file; `name` says in errors where they came from.
    ///
    /// # Errors
    /// As [`Picture::from_bytes`].
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, Error> {
        decode(&mut Cursor::new(bytes), name)
    }
}

impl Picture {
    /// A picture from its pixels.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is empty, has neither 1 nor 3 channels, or the pixels do not fill the shape.
    pub fn new(shape: ImageShape, pixels: Vec<u8>) -> Result<Self, Error> {
        let ImageShape { height, width, channels } = shape;
        let size = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        if size != Some(pixels.len()) || pixels.is_empty() || !matches!(channels, 1 | 3) {
            let found = format!("{} bytes for {shape}", pixels.len());
            return Err(Error::malformed(
                "picture",
                "height x width pixels with 1 or 3 channels",
                found,
            ));
        }
        Ok(Self { shape, pixels })
    }

    /// Reads a picture from a file. The format is recognised by content, not by name; of an animation the first picture
    /// counts. It is turned as its EXIF data says, and laid over white where it is transparent.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::IsFolder`], [`Error::Io`]; otherwise as [`Picture::from_bytes`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => {
                Error::Missing { path: path.to_owned(), expected: FORMATS.into() }
            }
            _ => Error::Io { doing: "read", path: path.to_owned(), source },
        };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(Error::IsFolder { path: path.to_owned(), expected: FORMATS });
        }
        let name = path.display().to_string();
        if metadata.is_file() {
            return Ok(decode(&mut BufReader::new(file), &name)?.picture);
        }
        // A pipe cannot be rewound: keep what it gives, as long as that is not too much.
        let mut bytes = Vec::new();
        file.take(MAX_DECODED_BYTES).read_to_end(&mut bytes).map_err(io)?;
        Self::from_bytes(&bytes, &name)
    }

    /// Reads a picture from the bytes of a file; `name` says in errors where they came from.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes are empty or of no known format, [`Error::TooLarge`] when a side is longer than
    /// [`MAX_SIDE`] or decoding takes more than [`MAX_DECODED_BYTES`], [`Error::Decode`] when the picture is damaged.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, Error> {
        Ok(StoredPicture::from_bytes(bytes, name)?.picture)
    }

    /// Height, width and channels (1 or 3).
    #[must_use]
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The pixels, [height, width, channels].
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The picture in grey: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), as Pillow and torchvision have it.
    #[must_use]
    pub fn to_grey(&self) -> Self {
        if self.shape.channels == 1 {
            return self.clone();
        }
        let (pixels, _) = self.pixels.as_chunks::<3>();
        let grey = pixels.iter().map(|&[r, g, b]| {
            let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
            ((sum + 0x8000) >> 16) as u8
        });
        Self { shape: ImageShape { channels: 1, ..self.shape }, pixels: grey.collect() }
    }

    /// The picture in RGB; grey becomes three equal channels.
    #[must_use]
    pub fn to_colour(&self) -> Self {
        if self.shape.channels == 3 {
            return self.clone();
        }
        let pixels = self.pixels.iter().flat_map(|&grey| [grey; 3]).collect();
        Self { shape: ImageShape { channels: 3, ..self.shape }, pixels }
    }
}

/// The bytes of a picture, in a file or in memory. As a trait object, so that the decoders are compiled once for both.
trait Encoded: BufRead + Seek {}

impl<T: BufRead + Seek> Encoded for T {}

/// Decodes after checking the size that the header claims.
fn decode(bytes: &mut dyn Encoded, name: &str) -> Result<StoredPicture, Error> {
    let io = |source| Error::Io { doing: "read", path: std::path::PathBuf::from(name), source };
    if bytes.fill_buf().map_err(io)?.is_empty() {
        return Err(Error::malformed(name, FORMATS, "an empty file"));
    }
    let is_cut = is_cut(bytes).map_err(io)?;
    let mut reader = ImageReader::new(bytes).with_guessed_format().map_err(io)?;
    let Some(format) = reader.format() else {
        return Err(Error::malformed(name, FORMATS, "bytes of no format known here"));
    };
    reader.limits(limits());
    // Decoders panic on some damaged files: zune-jpeg 0.5.15 does (github.com/etemesi254/zune-image/issues/409).
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_as(format, reader, name)));
    let decoded = decoded.unwrap_or_else(|_| {
        let reason = DecodingError::new(format.into(), "its decoder gave up");
        Err(decode_error(name, format, ImageError::Decoding(reason)))
    })?;
    match is_cut {
        true => Err(Error::malformed(name, "a whole JPEG picture", "one that is cut off")),
        false => Ok(decoded),
    }
}

/// Whether it is a JPEG picture without an end, which its decoder would not tell.
fn is_cut(bytes: &mut dyn Encoded) -> io::Result<bool> {
    if !bytes.fill_buf()?.starts_with(&jpeg::START) {
        return Ok(false);
    }
    let is_whole = jpeg::has_end(bytes)?;
    bytes.rewind()?;
    Ok(!is_whole)
}

/// Decodes a picture of a known format.
fn decode_as(
    format: ImageFormat,
    reader: ImageReader<&mut dyn Encoded>,
    name: &str,
) -> Result<StoredPicture, Error> {
    let failed = |source| decode_error(name, format, source);
    let mut decoder = match reader.into_decoder() {
        Ok(decoder) => decoder,
        Err(source) => return Err(failed(source)),
    };
    let (width, height) = decoder.dimensions();
    let bytes = decoder.total_bytes();
    if width > MAX_SIDE || height > MAX_SIDE || bytes > MAX_DECODED_BYTES {
        return Err(Error::TooLarge { name: name.into(), width, height, bytes });
    }
    if width == 0 || height == 0 {
        return Err(Error::malformed(name, FORMATS, format!("one of {width}x{height} pixels")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    let (mode, turned) = (mode(image.color()), orientation != Orientation::NoTransforms);
    Ok(StoredPicture { picture: flatten(image), format: format_name(format), mode, turned })
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Pnm => "PNM",
        _ => "another format",
    }
}

fn mode(colour: ColorType) -> &'static str {
    let bits = colour.bits_per_pixel() / u16::from(colour.channel_count());
    match (colour.has_color(), bits > 8, colour.has_alpha()) {
        (false, false, false) => "grey",
        (false, true, false) => "grey 16 bit",
        (false, false, true) => "grey with alpha",
        (false, true, true) => "grey 16 bit with alpha",
        (true, false, false) => "colour",
        (true, true, false) => "colour 16 bit",
        (true, false, true) => "colour with alpha",
        (true, true, true) => "colour 16 bit with alpha",
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    // Longer sides are refused by us, with their size in the message: give the decoder's own check the whole range.
    limits.max_image_width = None;
    limits.max_image_height = None;
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits
}

fn decode_error(name: &str, format: ImageFormat, source: ImageError) -> Error {
    let format = format!("{format:?}").to_uppercase();
    Error::Decode { name: name.into(), format, source }
}

/// To 8 bits a channel, grey or RGB, over white.
fn flatten(image: DynamicImage) -> Picture {
    let colour = image.color();
    let shape = ImageShape {
        height: image.height() as usize,
        width: image.width() as usize,
        channels: if colour.has_color() { 3 } else { 1 },
    };
    let pixels = match (colour.has_color(), colour.has_alpha()) {
        (false, false) => image.into_luma8().into_raw(),
        (true, false) => image.into_rgb8().into_raw(),
        (false, true) => over_white::<2>(&image.into_luma_alpha8()),
        (true, true) => over_white::<4>(&image.into_rgba8()),
    };
    Picture { shape, pixels }
}

/// Lays pixels of N values, the last of them opacity, over white.
fn over_white<const N: usize>(pixels: &[u8]) -> Vec<u8> {
    let (pixels, _) = pixels.as_chunks::<N>();
    let mut out = Vec::with_capacity(pixels.len() * (N - 1));
    for pixel in pixels {
        let alpha = u32::from(pixel[N - 1]);
        out.extend(pixel[..N - 1].iter().map(|&value| {
            let sum = u32::from(value) * alpha + 255 * (255 - alpha);
            ((sum + 127) / 255) as u8
        }));
    }
    out
}
