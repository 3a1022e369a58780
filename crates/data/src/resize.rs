//! Changing the size of an image: area averages when it gets smaller, linear interpolation when it gets larger.

use crate::ImageShape;

/// Resizes `pixels` ([height, width, channels]) to `height` x `width`; each axis on its own.
///
/// When an axis shrinks, each new pixel is the average of the old pixels that it covers, partly covered ones counted in
/// part; when it grows, new pixels are interpolated between the centres of the old ones.
pub(crate) fn resize(pixels: &[f32], shape: ImageShape, height: usize, width: usize) -> Vec<f32> {
    let rows = resize_axis(pixels, 1, shape.height, shape.width * shape.channels, height);
    resize_axis(&rows, height, shape.width, shape.channels, width)
}

/// Resizes the middle axis of [outer, from, inner] to `to`.
fn resize_axis(pixels: &[f32], outer: usize, from: usize, inner: usize, to: usize) -> Vec<f32> {
    if from == to {
        return pixels.to_vec();
    }
    let mut out = vec![0.0; outer * to * inner];
    for (source, target) in pixels.chunks_exact(from * inner).zip(out.chunks_exact_mut(to * inner))
    {
        for (i, target) in target.chunks_exact_mut(inner).enumerate() {
            for (at, weight) in weights(i, from, to) {
                let source = &source[at * inner..][..inner];
                for (t, s) in target.iter_mut().zip(source) {
                    *t += weight * s;
                }
            }
        }
    }
    out
}

/// Which old positions make up new position `i`, and their weights (which add up to 1).
fn weights(i: usize, from: usize, to: usize) -> impl Iterator<Item = (usize, f32)> {
    let scale = from as f64 / to as f64;
    let (low, high) = match to < from {
        true => (i as f64 * scale, (i + 1) as f64 * scale),
        // A window one old pixel wide, around the new pixel's centre.
        false => ((i as f64 + 0.5) * scale - 0.5, (i as f64 + 0.5) * scale + 0.5),
    };
    let last = from as isize - 1;
    (low.floor() as isize..high.ceil() as isize).map(move |at| {
        let covered = high.min(at as f64 + 1.0) - low.max(at as f64);
        // Windows that reach over the edge count the edge pixel again.
        (at.clamp(0, last) as usize, (covered / (high - low)) as f32)
    })
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
