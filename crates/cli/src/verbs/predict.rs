//! `percept predict`: what pictures show.

use crate::failure::{Exit, Failure};
use crate::number::percent;
use crate::reading::Switch;
use crate::{opened_model, output, safe_text};
use clap::Args;
use image::{DynamicImage, GrayImage, RgbImage};
use percept::data::sources::{PICTURE_ENDINGS, is_picture_name};
use percept::data::{ImageShape, MAX_DECODED_BYTES, Picture, Preprocessing};
use percept::train::evaluator::Evaluator;
use percept::train::session::LoadedModel;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  percept predict model.safetensors seven.png
  percept predict model.safetensors scans/ --top 1
  curl -s https://example.org/7.jpg | percept predict model.safetensors -
  percept predict model.safetensors photo.jpg --show-input seen.png";

/// Tell what pictures show (PNG, JPEG, WebP, BMP, GIF, TIFF or PNM), one line a picture
///
/// Pictures are prepared as the training images were: turned upright, made grey or coloured, and brought to the network's
/// size; those of digits as MNIST was made: light ink on black, cropped to the ink, scaled and centred. A picture that cannot be read is reported on stderr; the others are still read.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The model file
    model: PathBuf,
    /// Picture files, folders of them, or `-` for a picture on stdin
    #[arg(required = true, value_name = "IMAGE|FOLDER|-")]
    images: Vec<PathBuf>,
    /// How many classes to print, the most probable first
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    top: u64,
    /// Show the network each picture twice, as it is and mirrored left to right, and take the mean of the two logits. Off by
    /// default
    #[arg(long, value_enum, default_value_t = Switch::Off, hide_default_value = true)]
    mirror: Switch,
    /// Print a line of JSON for each picture
    #[arg(long)]
    json: bool,
    /// Write what the network saw as PNG: one picture as it is, several side by side
    #[arg(long, value_name = "FILE")]
    show_input: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (mut model, mut first) =
        opened_model::open_and(&arguments.model, 1, |preprocessing, evaluator| {
            evaluator.set_mirror(arguments.mirror == Switch::On);
            let first = arguments.images.first().filter(|given| given.is_file())?;
            Some(Seen::new(preprocessing, evaluator, first))
        })?;
    let top = usize::try_from(arguments.top).unwrap_or(usize::MAX);
    let mut seen = Vec::new();
    let mut failed = 0;
    let mut images = 0;
    for given in &arguments.images {
        let files = pictures_of(given).unwrap_or_else(|failure| {
            failed += 1;
            output::tell(&failure.text());
            Vec::new()
        });
        for file in files {
            images += 1;
            let LoadedModel { model, preprocessing, evaluator, .. } = &mut model;
            let looked = first.take().unwrap_or_else(|| Seen::new(preprocessing, evaluator, &file));
            match looked.and_then(|looked| looked.answer(&file, &model.class_names, top)) {
                Ok(answer) => {
                    output::print(&answer.text(arguments.json))?;
                    seen.extend(arguments.show_input.is_some().then_some(answer.input));
                }
                Err(failure) => {
                    failed += 1;
                    output::tell(&failure.text());
                }
            }
        }
    }
    if let Some(path) = &arguments.show_input
        && !seen.is_empty()
    {
        output::write_png(path, &side_by_side(model.preprocessing.input, &seen))?;
    }
    // The program ends here, and the system takes memory back sooner than piece by piece.
    std::mem::forget(model);
    match (failed, images) {
        (0, _) => Ok(()),
        (1, 0 | 1) => Err(Failure::data("")),
        _ => Err(Failure::data(format!("{failed} of {} could not be read", images.max(failed)))),
    }
}

/// The pictures that an argument stands for.
fn pictures_of(given: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !given.is_dir() {
        return Ok(vec![given.to_owned()]);
    }
    let mut files = Vec::new();
    gather(given, &mut files)?;
    if files.is_empty() {
        return Err(Failure::data(format!("there are no pictures in {}", given.display()))
            .hint(format!("expected files whose names end with {}", PICTURE_ENDINGS.join(", "))));
    }
    Ok(files)
}

/// Adds the pictures of a folder and of those within it, sorted by name. Links to folders are not followed.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |cause: std::io::Error| {
        Failure::data(format!("cannot list {}", folder.display())).caused_by(&cause)
    };
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(failed)?.collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            gather(&path, files)?;
        } else if is_picture_name(&entry.file_name().to_string_lossy()) {
            files.push(path);
        }
    }
    Ok(())
}

/// What the model says of a picture.
struct Answer {
    file: String,
    /// Class names with their probabilities, the most probable first.
    top: Vec<(String, f32)>,
    /// What the network saw, u8 [height, width, channels].
    input: Vec<u8>,
}

/// A picture as the network saw it.
struct Seen {
    /// u8 [height, width, channels].
    input: Vec<u8>,
    /// What it took it for: [classes].
    probabilities: Vec<f32>,
}

impl Seen {
    fn new(
        preprocessing: &Preprocessing,
        evaluator: &mut Evaluator,
        file: &Path,
    ) -> Result<Self, Failure> {
        let input = preprocessing
            .prepare(&read(file)?)
            .map_err(|error| Failure::from(error).about(&file.display().to_string()))?;
        let mut pixels = vec![0.0; input.len()];
        preprocessing.normalisation.apply(&input, &mut pixels);
        Ok(Self { input, probabilities: evaluator.probabilities(&pixels) })
    }

    fn answer(self, file: &Path, names: &[String], top: usize) -> Result<Answer, Failure> {
        let Self { input, probabilities } = self;
        let file = file.display().to_string();
        if probabilities.iter().any(|p| !p.is_finite()) {
            let failure =
                Failure::new(Exit::Model, format!("{file}: the model's answer is not finite"));
            return Err(failure.hint("train the model again"));
        }
        let mut classes: Vec<usize> = (0..probabilities.len()).collect();
        classes.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        let named = |&class: &usize| (names[class].clone(), probabilities[class]);
        Ok(Answer { file, top: classes.iter().take(top).map(named).collect(), input })
    }
}

fn read(file: &Path) -> Result<Picture, Failure> {
    if file != Path::new("-") {
        return Ok(Picture::open(file)?);
    }
    let mut bytes = Vec::new();
    stdin()
        .take(MAX_DECODED_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|cause| Failure::data("cannot read stdin").caused_by(&cause))?;
    Ok(Picture::from_bytes(&bytes, "stdin")?)
}

impl Answer {
    fn text(&self, json: bool) -> String {
        if json {
            return format!("{}\n", self.json());
        }
        let class = |(name, probability): &(String, f32)| {
            format!("{} {}", safe_text::one_line(name), percent(f64::from(*probability)))
        };
        let classes: Vec<String> = self.top.iter().map(class).collect();
        format!("{}: {}\n", safe_text::one_line(&self.file), classes.join(", "))
    }

    fn json(&self) -> Value {
        let class = |(name, probability): &(String, f32)| json!({ "class": name, "probability": probability });
        json!({ "file": self.file, "top": self.top.iter().map(class).collect::<Vec<_>>() })
    }
}

/// One picture in its exact size; several, three times as large, in rows of at most sixteen.
fn side_by_side(shape: ImageShape, seen: &[Vec<u8>]) -> DynamicImage {
    const ZOOM: usize = 3;
    const GAP: usize = 4;
    const GREY: u8 = 128;
    let (zoom, gap) = if seen.len() == 1 { (1, 0) } else { (ZOOM, GAP) };
    let columns = seen.len().min(16);
    let rows = seen.len().div_ceil(columns);
    let cell = [shape.width * zoom + gap, shape.height * zoom + gap];
    let (width, height) = (columns * cell[0] + gap, rows * cell[1] + gap);
    let level = |x: usize, y: usize, channel: usize| {
        let (column, row) = (x.saturating_sub(gap) / cell[0], y.saturating_sub(gap) / cell[1]);
        let at = (x.wrapping_sub(gap + column * cell[0]), y.wrapping_sub(gap + row * cell[1]));
        let at = (at.0 / zoom, at.1 / zoom);
        match seen.get(row * columns + column) {
            Some(pixels) if at.0 < shape.width && at.1 < shape.height => {
                pixels[(at.1 * shape.width + at.0) * shape.channels + channel]
            }
            _ => GREY,
        }
    };
    if shape.channels == 1 {
        let grey = |x: u32, y: u32| image::Luma([level(x as usize, y as usize, 0)]);
        return GrayImage::from_fn(width as u32, height as u32, grey).into();
    }
    let colour = |x: u32, y: u32| {
        image::Rgb([0, 1, 2].map(|channel| level(x as usize, y as usize, channel)))
    };
    RgbImage::from_fn(width as u32, height as u32, colour).into()
}
