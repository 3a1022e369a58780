//! Which images are mirrored, left to right.

use std::fmt;

use percept_kernels::random::Purpose;
use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use super::Showing;
use crate::ImageShape;

/// Which images are mirrored, left to right.
///
/// In a file it is one of these words; `true` means `random`, and `false` means `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mirror {
    /// None.
    #[default]
    Off,
    /// Each with probability one half, drawn anew in each epoch.
    Random,
    /// Each in every second epoch, half of them in the first: in two epochs both forms are seen once (Jordan, "94% on
    /// CIFAR-10 in 3.29 seconds on a single GPU", 2024).
    Alternating,
}

/// What is accepted, for errors.
const EXPECTED: &str = "\"off\", \"random\", \"alternating\", true, or false";

impl Mirror {
    /// Whether the image is mirrored this time.
    pub(super) fn is_mirrored(self, showing: Showing) -> bool {
        let drawn = |epoch| Showing { epoch, ..showing }.draws(Purpose::Mirror).below(2);
        match self {
            Self::Off => false,
            Self::Random => drawn(showing.epoch) == 1,
            Self::Alternating => (drawn(0) + showing.epoch % 2) % 2 == 1,
        }
    }
}

impl<'de> Deserialize<'de> for Mirror {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Word)
    }
}

struct Word;

impl Visitor<'_> for Word {
    type Value = Mirror;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_bool<E>(self, mirror: bool) -> Result<Mirror, E> {
        Ok(if mirror { Mirror::Random } else { Mirror::Off })
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Mirror, E> {
        match word {
            "off" => Ok(Mirror::Off),
            "random" => Ok(Mirror::Random),
            "alternating" => Ok(Mirror::Alternating),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }
}

/// Mirrors images left to right, in place.
///
/// # Shapes
/// images [N, height, width, channels] of `shape`.
pub fn mirror_images<T>(images: &mut [T], shape: ImageShape) {
    let rows = images.chunks_exact_mut((shape.width * shape.channels).max(1));
    rows.for_each(|row| reverse(row, shape.channels));
}

/// Turns the pixels of a row round.
pub(super) fn reverse<T>(row: &mut [T], channels: usize) {
    match channels {
        1 => row.reverse(),
        3 => row.as_chunks_mut::<3>().0.reverse(),
        _ => {
            row.reverse();
            row.chunks_exact_mut(channels).for_each(<[T]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Serialize, PartialEq, Debug)]
    struct Settings {
        mirror: Mirror,
    }

    #[test]
    fn words_and_switches_are_read() {
        for (text, mirror) in [
            ("true", Mirror::Random),
            ("false", Mirror::Off),
            ("\"off\"", Mirror::Off),
            ("\"random\"", Mirror::Random),
            ("\"alternating\"", Mirror::Alternating),
        ] {
            let read: Settings = serde_json::from_str(&format!("{{\"mirror\": {text}}}")).unwrap();
            assert_eq!(read, Settings { mirror });
            let written = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Settings>(&written).unwrap(), read);
        }
        let error = serde_json::from_str::<Settings>("{\"mirror\": \"both\"}").unwrap_err();
        let words = "invalid value: string \"both\", expected \"off\", \"random\", \"alternating\", true, or false";
        assert!(error.to_string().starts_with(words), "{error}");
    }

    fn mirrored(mirror: Mirror, epoch: u32) -> Vec<bool> {
        let showing = |example| Showing { seed: 3, epoch, example };
        (0..1000).map(|example| mirror.is_mirrored(showing(example))).collect()
    }

    #[test]
    fn half_are_mirrored_and_in_turns_every_one() {
        for mirror in [Mirror::Random, Mirror::Alternating] {
            for epoch in 0..4 {
                let count = mirrored(mirror, epoch).iter().filter(|&&mirrored| mirrored).count();
                // Five standard deviations of a fair coin thrown 1000 times: 79.
                assert!(count.abs_diff(500) < 79, "{mirror:?} {count}");
            }
        }
        for epoch in 0..4 {
            let (this, next) =
                (mirrored(Mirror::Alternating, epoch), mirrored(Mirror::Alternating, epoch + 1));
            assert!(this.iter().zip(next).all(|(this, next)| *this != next));
        }
        assert_ne!(mirrored(Mirror::Random, 0), mirrored(Mirror::Random, 2));
        assert!(!mirrored(Mirror::Off, 0).contains(&true));
    }

    #[test]
    fn pixels_of_any_number_of_channels_stay_whole() {
        for (channels, want) in
            [(1, vec![4, 3, 2, 1]), (2, vec![3, 4, 1, 2]), (3, vec![4, 5, 6, 1, 2, 3])]
        {
            let mut row: Vec<u8> = (1..=want.len() as u8).collect();
            reverse(&mut row, channels);
            assert_eq!(row, want);
        }
    }

    #[test]
    fn images_are_mirrored_row_by_row() {
        let mut images = [1, 2, 3, 4, 5, 6, 7, 8];
        mirror_images(&mut images, ImageShape::grey(2, 2));
        assert_eq!(images, [2, 1, 4, 3, 6, 5, 8, 7]);
    }
}
