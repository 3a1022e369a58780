//! How data are read, from the command line.

use crate::failure::Failure;
use clap::{Args, ValueEnum};
use percept::data::Fit;
use percept::data::sources::{Format, Reading};

/// What a person can say of data; what is left out is found out.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "format-settings", multiple = true)]
pub(crate) struct FormatSettings {
    /// What the data are, where they are not recognised: folders, table, npz, idx, cifar, svhn, shards, parquet
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// Columns of a table, by name or counted from 1; of Parquet files, by name
    #[arg(long, value_name = "FILE,LABEL[,PART]", value_delimiter = ',')]
    columns: Vec<String>,
}

/// What a person can say of the images that pictures become.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "image-settings", multiple = true)]
pub(crate) struct ImageSettings {
    /// Height and width that pictures are brought to, or one number for both
    #[arg(long, value_name = "HxW", value_parser = size)]
    size: Option<[usize; 2]>,
    /// How pictures are brought to that size
    #[arg(long, value_enum)]
    fit: Option<FitName>,
    /// Whether the network sees colour
    #[arg(long, value_enum)]
    colour: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FitName {
    /// Height and width are scaled on their own
    Stretch,
    /// The middle is cut out
    Crop,
    /// The whole picture between black bars
    Letterbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl FormatSettings {
    /// A reading with everything else left open.
    pub(crate) fn reading(&self) -> Reading {
        self.over(&Reading::default())
    }

    /// These settings over those of `reading`.
    pub(crate) fn over(&self, reading: &Reading) -> Reading {
        let mut reading = reading.clone();
        reading.format = self.format.or(reading.format);
        if !self.columns.is_empty() {
            reading.columns.clone_from(&self.columns);
        }
        reading
    }
}

impl ImageSettings {
    /// These settings over those of `reading`.
    pub(crate) fn over(&self, mut reading: Reading) -> Reading {
        reading.size = self.size.or(reading.size);
        reading.fit = self.fit.map(Fit::from).or(reading.fit);
        reading.colour = self.colour.map(|colour| colour == Switch::On).or(reading.colour);
        reading
    }
}

impl From<FitName> for Fit {
    fn from(name: FitName) -> Self {
        match name {
            FitName::Stretch => Self::Stretch,
            FitName::Crop => Self::Crop,
            FitName::Letterbox => Self::Letterbox,
        }
    }
}

fn format(text: &str) -> Result<Format, String> {
    let names = Format::ALL.map(Format::name).join(", ");
    Format::find(text).ok_or_else(|| format!("expected one of {names}"))
}

/// `64x48`, or `64` for a square.
fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |side: &str| side.trim().parse().ok().filter(|side| *side > 0);
    let sides = match text.split_once('x') {
        Some((height, width)) => side(height).zip(side(width)),
        None => side(text).map(|side| (side, side)),
    };
    let (height, width) =
        sides.ok_or("expected height x width, such as 64x48, or one number for both")?;
    Ok([height, width])
}

/// Says that data have no such part (`test`) to measure on, and which they may have.
pub(crate) fn no_part(data: &str, part: &str) -> Failure {
    let others = ["validation", "train", "test"].into_iter().filter(|other| *other != part);
    let others: Vec<String> = others.map(|other| format!("--split {other}")).collect();
    Failure::data(format!("`{data}` has no {part} part"))
        .hint(format!("measure on another part: {}, or --split all", others.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_number_or_two() {
        assert_eq!(size("64x48"), Ok([64, 48]));
        assert_eq!(size("32"), Ok([32, 32]));
        for wrong in ["", "0", "64x", "x", "64x0", "-1", "64x48x3"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format("folders"), Ok(Format::Folders));
        assert!(format("jpeg").is_err_and(|message| message.contains("idx, cifar, svhn, folders")));
    }
}
