//! Changing the size of an image: area averages when it gets smaller, linear interpolation when it gets larger.

use crate::ImageShape;

/// Resizes `pixels` ([height, width, channels]) to `height` x `width`; each axis on its own.
///
/// When an axis shrinks, each new pixel is the average of the old pixels that it covers, partly covered ones counted in
/// part; when it grows, new pixels are interpolated between the centres of the old ones.
pub(crate) fn resize<T: Copy + Into<f32>>(
    pixels: &[T],
    shape: ImageShape,
    height: usize,
    width: usize,
) -> Vec<f32> {
    let whole = |from: usize, to| Axis { start: 0.0, scale: from as f64 / to as f64, to };
    sample(pixels, shape, whole(shape.height, height), whole(shape.width, width), Outside::Edge)
}

/// Which part of an axis the new pixels cover.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Where the first new pixel begins, in old pixels from the beginning of the first.
    pub start: f64,
    /// How many old pixels a new pixel covers.
    pub scale: f64,
    /// How many new pixels there are.
    pub to: usize,
}

/// What lies outside of the old image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// The nearest pixel of the edge.
    Edge,
    /// Zeros.
    Zero,
}

/// As [`resize`], for any part of the image.
pub(crate) fn sample<T: Copy + Into<f32>>(
    pixels: &[T],
    shape: ImageShape,
    rows: Axis,
    columns: Axis,
    outside: Outside,
) -> Vec<f32> {
    let ImageShape { height, width, channels } = shape;
    let between = sample_axis(pixels, [1, height, width * channels], rows, outside);
    sample_axis(&between, [rows.to, width, channels], columns, outside)
}

/// Samples the middle axis of [outer, from, inner].
fn sample_axis<T: Copy + Into<f32>>(
    pixels: &[T],
    [outer, from, inner]: [usize; 3],
    axis: Axis,
    outside: Outside,
) -> Vec<f32> {
    let mut out = vec![0.0; outer * axis.to * inner];
    let weights: Vec<Vec<_>> = (0..axis.to).map(|i| axis.places(i, from, outside)).collect();
    let targets = out.chunks_exact_mut(axis.to * inner);
    for (source, target) in pixels.chunks_exact(from * inner).zip(targets) {
        for (weights, target) in weights.iter().zip(target.chunks_exact_mut(inner)) {
            for &(at, weight) in weights {
                for (t, &s) in target.iter_mut().zip(&source[at * inner..][..inner]) {
                    *t += weight * s.into();
                }
            }
        }
    }
    out
}

impl Axis {
    /// Which of `from` pixels make up new position `i`, and their weights.
    fn places(&self, i: usize, from: usize, outside: Outside) -> Vec<(usize, f32)> {
        let seen = |at: isize| outside == Outside::Edge || (0..from as isize).contains(&at);
        self.weights(i)
            .filter(|&(at, _)| seen(at))
            .map(|(at, weight)| (at.clamp(0, from as isize - 1) as usize, weight))
            .collect()
    }

    /// Which old positions make up new position `i`, and their weights (which add up to 1).
    fn weights(&self, i: usize) -> impl Iterator<Item = (isize, f32)> + use<> {
        let middle = self.start + (i as f64 + 0.5) * self.scale;
        // Not narrower than one old pixel: when the image grows, this interpolates between centres.
        let window = self.scale.max(1.0);
        let (low, high) = (middle - window / 2.0, middle + window / 2.0);
        (low.floor() as isize..high.ceil() as isize).map(move |at| {
            let covered = high.min(at as f64 + 1.0) - low.max(at as f64);
            (at, (covered / window) as f32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_by_hand() {
        // Three pixels onto two: each covers one and a half.
        let shape = ImageShape::grey(1, 3);
        assert_eq!(resize(&[0.0, 3.0, 9.0], shape, 1, 2), [1.0, 7.0]);
        // Two rows of two onto one pixel.
        assert_eq!(resize(&[1.0, 2.0, 3.0, 6.0], ImageShape::grey(2, 2), 1, 1), [3.0]);
    }

    /// The values of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` for [0, 4] to four.
    #[test]
    fn growing_interpolates_between_centres() {
        assert_eq!(resize(&[0.0, 4.0], ImageShape::grey(1, 2), 1, 4), [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn channels_stay_apart() {
        let shape = ImageShape { height: 1, width: 2, channels: 3 };
        assert_eq!(resize(&[0., 10., 20., 2., 30., 60.], shape, 1, 1), [1.0, 20.0, 40.0]);
    }

    #[test]
    fn the_mean_is_kept_when_shrinking() {
        let pixels: Vec<f32> = (0..35 * 17).map(|i| ((i * 7919) % 256) as f32).collect();
        let small = resize(&pixels, ImageShape::grey(35, 17), 20, 10);
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean(&pixels) - mean(&small)).abs() < 1e-3);
    }
}
