//! Looks at some pictures of a data set and decides what the network's input should be.

use super::Reading;
use super::listing::{Entry, Listing};
use crate::{Decoding, Doing, Error, Fit, ImageShape, Picture, Sizing};

/// How many pictures are looked at.
const SAMPLE: usize = 400;
/// The longest side of an input that nobody asked for, in pixels: training time grows with the area.
const LONGEST_SIDE: f64 = 64.0;
/// The most bytes that images of a size that nobody asked for may take.
const MOST_BYTES: usize = 4 << 30;
/// A picture whose channels differ by less than this on average, in grey levels, is grey: JPEG files stray by one or two.
const COLOUR_SPREAD: f64 = 4.0;
/// The share of colour pictures that makes a data set one of colour.
const COLOUR_SHARE: f64 = 0.02;
/// Proportions (widest to narrowest) that stretching changes so little that nobody minds.
const STRETCHABLE: f64 = 1.1;
/// Proportions up to which cutting out the middle keeps at least half of every picture.
const CROPPABLE: f64 = 2.0;

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The input, and how pictures are brought to it.
    pub sizing: Sizing,
    /// A line for each decision: what, why, and the setting that changes it.
    pub notes: Vec<String>,
}

/// Decides what `reading` leaves open.
pub(super) fn decide(
    listing: &Listing,
    reading: &Reading,
    decoding: &Decoding,
) -> Result<Decided, Error> {
    if let Reading { size: Some([height, width]), fit: Some(fit), colour: Some(colour), .. } =
        *reading
    {
        let input = ImageShape { height, width, channels: if colour { 3 } else { 1 } };
        let sizing = Sizing { input, fit };
        sizing.check()?;
        return Ok(Decided { sizing, notes: Vec::new() });
    }
    let seen = look(listing, decoding)?;
    let mut notes = Vec::new();
    let colour = reading.colour.unwrap_or_else(|| colour(&seen, &mut notes));
    let channels = if colour { 3 } else { 1 };
    let [height, width] = match reading.size {
        Some(size) => size,
        None => size(&seen, channels * listing.largest_part(), &mut notes),
    };
    let fit = reading.fit.unwrap_or_else(|| fit(&seen, [height, width], &mut notes));
    let sizing = Sizing { input: ImageShape { height, width, channels }, fit };
    sizing.check()?;
    Ok(Decided { sizing, notes })
}

/// What was seen of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    height: usize,
    width: usize,
    colour: bool,
}

impl Seen {
    fn of(picture: &Picture) -> Self {
        let ImageShape { height, width, .. } = picture.shape();
        Self { height, width, colour: is_colour(picture) }
    }

    /// Width by height.
    fn proportion(&self) -> f64 {
        self.width as f64 / self.height as f64
    }
}

/// Looks at pictures that lie evenly over the whole set.
fn look(listing: &Listing, decoding: &Decoding) -> Result<Vec<Seen>, Error> {
    let entries = listing.deciding();
    let step = entries.len().div_ceil(SAMPLE).max(1);
    let sample: Vec<Entry> = entries.iter().step_by(step).cloned().collect();
    let look = |entry: &Entry| entry.place.picture().map(|stored| Seen::of(&stored.picture));
    let mut seen = decoding.map(Doing::Looking, &sample, look);
    if seen.iter().all(Result::is_err) {
        // The set may still have readable pictures: then the first of them decides.
        let rest = entries.iter().map(look).find(Result::is_ok);
        match (rest, seen.pop()) {
            (Some(found), _) => seen = vec![found],
            (None, Some(Err(error))) => return Err(nothing_readable(listing, &error)),
            _ => return Err(nothing_there(listing)),
        }
    }
    Ok(seen.into_iter().flatten().collect())
}

fn nothing_readable(listing: &Listing, error: &Error) -> Error {
    Error::Inconsistent {
        name: listing.path.display().to_string(),
        expected: "at least one picture that can be read".into(),
        found: format!(
            "none among {}: {}",
            listing.deciding().len(),
            super::decode::reason(error, "")
        ),
    }
}

fn nothing_there(listing: &Listing) -> Error {
    Error::Inconsistent {
        name: listing.path.display().to_string(),
        expected: "at least one picture".into(),
        found: match listing.train.as_ref().and_then(|part| part.skipped.first()) {
            Some(first) => format!("none; the first, `{}`: {}", first.file, first.reason),
            None => "none".into(),
        },
    }
}

fn is_colour(picture: &Picture) -> bool {
    if picture.shape().channels == 1 {
        return false;
    }
    let (pixels, _) = picture.pixels().as_chunks::<3>();
    let spread = |&[r, g, b]: &[u8; 3]| u64::from(r.max(g).max(b) - r.min(g).min(b));
    pixels.iter().map(spread).sum::<u64>() as f64 > COLOUR_SPREAD * pixels.len() as f64
}

fn colour(seen: &[Seen], notes: &mut Vec<String>) -> bool {
    let coloured = seen.iter().filter(|seen| seen.colour).count();
    let colour = coloured as f64 > COLOUR_SHARE * seen.len() as f64;
    let looked = seen.len();
    notes.push(match (colour, coloured) {
        (false, 0) => format!("grey, because none of {looked} pictures looked at has colour (--colour on changes it)"),
        (false, _) => format!("grey, because only {coloured} of {looked} pictures looked at have colour (--colour on changes it)"),
        (true, _) => format!("colour, because {coloured} of {looked} pictures looked at have it (--colour off changes it)"),
    });
    colour
}

/// Height and width; `values` are the set's images times their channels.
fn size(seen: &[Seen], values: usize, notes: &mut Vec<String>) -> [usize; 2] {
    let first = seen[0];
    let alike = seen.iter().all(|seen| (seen.height, seen.width) == (first.height, first.width));
    let (height, width) = (median(seen, |s| s.height as f64), median(seen, |s| s.width as f64));
    let found = match alike {
        true => format!("all {} pictures looked at are {width} wide and {height} high", seen.len()),
        false => format!(
            "pictures are {width} wide and {height} high in the middle of {} looked at",
            seen.len()
        ),
    };
    let longest = height.max(width);
    let fits =
        |side: f64| values as f64 * height * width * (side / longest).powi(2) <= MOST_BYTES as f64;
    if alike && longest <= LONGEST_SIDE && fits(longest) {
        notes.push(format!("size {height}x{width}, because {found} (--size changes it)"));
        return [first.height, first.width];
    }
    let proportion = median(seen, Seen::proportion).clamp(0.25, 4.0);
    let mut side = longest.min(LONGEST_SIDE);
    let mut why = match side < longest {
        true => format!("{found}, and a longer side than {LONGEST_SIDE} would cost much time"),
        false => found,
    };
    if !fits(side) {
        side = longest * (MOST_BYTES as f64 / (values as f64 * height * width)).sqrt();
        why = format!("{why}, and larger images would not fit into {} GiB", MOST_BYTES >> 30);
    }
    let [height, width] = match proportion < 1.0 {
        true => [side, side * proportion],
        false => [side / proportion, side],
    }
    .map(|side| ((side / 4.0).round() as usize * 4).max(4));
    notes
        .push(format!("size {height}x{width} (height x width), because {why} (--size changes it)"));
    [height, width]
}

fn fit(seen: &[Seen], [height, width]: [usize; 2], notes: &mut Vec<String>) -> Fit {
    if seen.iter().all(|seen| (seen.height, seen.width) == (height, width)) {
        return Fit::Stretch;
    }
    // The input's own proportions count as well: somebody may have asked for them.
    let mut proportions: Vec<f64> = seen.iter().map(Seen::proportion).collect();
    proportions.sort_by(f64::total_cmp);
    let rank = |share: f64| proportions[((proportions.len() - 1) as f64 * share).round() as usize];
    let input = width as f64 / height as f64;
    let (narrow, wide) = (rank(0.05).min(input), rank(0.95).max(input));
    let differ = format!("their proportions differ by a factor of {:.2}", wide / narrow);
    let (fit, words) = match wide / narrow {
        ratio if ratio <= STRETCHABLE => {
            (Fit::Stretch, format!("stretched, because {differ} at most"))
        }
        ratio if ratio <= CROPPABLE => (Fit::Crop, format!("the middle cut out, because {differ}")),
        _ => (
            Fit::Letterbox,
            format!("whole within black bars, because {differ}, and a cut would lose too much"),
        ),
    };
    notes.push(format!("pictures are {words} (--fit changes it)"));
    fit
}

/// The upper median.
fn median(seen: &[Seen], value: impl Fn(&Seen) -> f64) -> f64 {
    let mut values: Vec<f64> = seen.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sizes: &[[usize; 2]]) -> Vec<Seen> {
        sizes.iter().map(|&[height, width]| Seen { height, width, colour: false }).collect()
    }

    fn decided(sizes: &[[usize; 2]], values: usize) -> ([usize; 2], Fit) {
        let (seen, mut notes) = (seen(sizes), Vec::new());
        let size = size(&seen, values, &mut notes);
        let fit = fit(&seen, size, &mut notes);
        println!("{sizes:?}: {notes:#?}");
        (size, fit)
    }

    #[test]
    fn small_pictures_of_one_size_stay_as_they_are() {
        assert_eq!(decided(&[[28, 28], [28, 28]], 2), ([28, 28], Fit::Stretch));
        assert_eq!(decided(&[[17, 33]], 1), ([17, 33], Fit::Stretch));
    }

    /// 112 to 64 is 4/7: 92 becomes 52.6, rounded to a multiple of 4.
    #[test]
    fn larger_ones_become_smaller_in_proportion() {
        assert_eq!(decided(&[[112, 92]; 3], 3), ([64, 52], Fit::Stretch));
    }

    #[test]
    fn the_fit_follows_the_proportions() {
        assert_eq!(decided(&[[100, 100], [100, 105]], 2), ([60, 64], Fit::Stretch));
        assert_eq!(decided(&[[300, 400], [400, 400], [300, 400]], 3), ([48, 64], Fit::Crop));
        assert_eq!(decided(&[[400, 300], [300, 400], [50, 50]], 3), ([64, 64], Fit::Crop));
        assert_eq!(decided(&[[400, 100], [100, 400], [50, 50]], 3), ([64, 64], Fit::Letterbox));
    }

    /// Ten million colour images of 64x64 would take 123 GB.
    #[test]
    fn a_large_set_gets_small_images() {
        let ([height, width], _) = decided(&[[100, 100], [200, 200]], 30_000_000);
        assert_eq!((height, width), (12, 12));
    }

    #[test]
    fn a_few_levels_of_colour_are_none() {
        let shape = ImageShape::colour(1, 2);
        let pale = Picture::new(shape, vec![100, 101, 102, 7, 7, 7]).unwrap();
        let red = Picture::new(shape, vec![100, 90, 90, 7, 7, 7]).unwrap();
        assert_eq!([pale, red].map(|picture| is_colour(&picture)), [false, true]);
    }
}
