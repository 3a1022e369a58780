//! Changes of brightness that no factor describes: of single grey levels, of the histogram, of the neighbourhood.

use super::colour::blend;
use crate::ImageShape;

/// Moves each number away from the mean of its neighbourhood of 3x3 (in which it counts five times) or towards it; the
/// pixels at the edge stay. An image of fewer than three rows or columns has no others.
pub(super) fn sharpen(image: &mut [f32], shape: ImageShape, factor: f32, spare: &mut Vec<f32>) {
    let ImageShape { height, width, channels } = shape;
    if height < 3 || width < 3 {
        return;
    }
    spare.clear();
    spare.extend_from_slice(image);
    let pitch = width * channels;
    for y in 1..height - 1 {
        let above = (y - 1) * pitch;
        let inner = &mut image[y * pitch + channels..(y + 1) * pitch - channels];
        blend(inner, factor, |at| {
            let row =
                |from: usize| spare[from] + spare[from + channels] + spare[from + 2 * channels];
            let sum = row(above + at) + row(above + pitch + at) + row(above + 2 * pitch + at);
            (sum + 4.0 * spare[above + pitch + channels + at]) * (1.0 / 13.0)
        });
    }
}

/// Rounds down to 2^bits levels, of which the lowest is black.
pub(super) fn posterize(image: &mut [f32], bits: u32) {
    let most = (1_u32 << bits) - 1;
    let levels = (most + 1) as f32;
    // Numbers from 0 to 1 are rounded down by becoming integers, which is much faster than `floor`.
    image.iter_mut().for_each(|x| *x = ((*x * levels) as u32).min(most) as f32 / levels);
}

/// Inverts what is not below the threshold.
pub(super) fn solarize(image: &mut [f32], threshold: f32) {
    image.iter_mut().filter(|x| **x >= threshold).for_each(|x| *x = 1.0 - *x);
}

/// Stretches each channel from its darkest to its brightest number; one that never varies stays.
pub(super) fn auto_contrast(image: &mut [f32], shape: ImageShape) {
    for channel in 0..shape.channels {
        let numbers = || image[channel..].iter().step_by(shape.channels).copied();
        let (least, most) = (numbers().fold(1.0, f32::min), numbers().fold(0.0, f32::max));
        if most > least {
            let scale = 1.0 / (most - least);
            let numbers = image[channel..].iter_mut().step_by(shape.channels);
            numbers.for_each(|x| *x = ((*x - least) * scale).clamp(0.0, 1.0));
        }
    }
}

/// Maps the 256 levels of each channel so that about as many pixels have one as another, as Pillow does: a level goes to
/// (pixels below it + step / 2) / step, where step is a 255th of the pixels that are not the brightest. Where that is
/// below one, the channel keeps its levels.
pub(super) fn equalize(image: &mut [f32], shape: ImageShape) {
    for channel in 0..shape.channels {
        let mut histogram = [0_u32; 256];
        let level = |x: f32| (x * 255.999) as u8;
        for x in image[channel..].iter().step_by(shape.channels) {
            histogram[usize::from(level(*x))] += 1;
        }
        let brightest = histogram.iter().rev().find(|count| **count > 0).copied().unwrap_or(0);
        let step = ((shape.height * shape.width) as u32 - brightest) / 255;
        let mut below = 0;
        let table: [f32; 256] = std::array::from_fn(|level| {
            let to = (below + step / 2).checked_div(step).map_or(level as u32, |to| to.min(255));
            below += histogram[level];
            to as f32 / 255.0
        });
        let numbers = image[channel..].iter_mut().step_by(shape.channels);
        numbers.for_each(|x| *x = table[usize::from(level(*x))]);
    }
}
