//! Elastic distortion (Simard, Steinkraus and Platt, ICDAR 2003): every pixel moves a little, near ones alike.

use percept_kernels::random::Draws;

use crate::ImageShape;

/// Displacements in pixels, [height, width] each.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    dx: Vec<f32>,
    dy: Vec<f32>,
    between: Vec<f32>,
    gaussian: Gaussian,
}

impl Field {
    /// Draws uniform numbers in -1..1, smooths them with a Gaussian of standard deviation `smoothness` pixels (whose weights
    /// add up to 1; beyond the edge the field is 0), and multiplies them by `strength` pixels.
    pub(super) fn draw(
        &mut self,
        shape: ImageShape,
        strength: f32,
        smoothness: f32,
        draws: &mut Draws,
    ) {
        self.gaussian.prepare(smoothness);
        let size = shape.height * shape.width;
        self.between.resize(size, 0.0);
        for field in [&mut self.dx, &mut self.dy] {
            field.clear();
            field.extend((0..size).map(|_| draws.uniform_in(-strength, strength)));
            self.gaussian.smooth(field, &mut self.between, shape);
        }
    }

    /// The displacements (x, y) of each pixel.
    pub(super) fn displacements(&self) -> (&[f32], &[f32]) {
        (&self.dx, &self.dy)
    }
}

/// A Gaussian's weights at -radius..=radius, where radius is three standard deviations.
#[derive(Clone, Debug, Default)]
struct Gaussian {
    sigma: f32,
    weights: Vec<f32>,
}

impl Gaussian {
    fn prepare(&mut self, sigma: f32) {
        if self.sigma == sigma {
            return;
        }
        let radius = (3.0 * sigma).ceil() as i32;
        let weight = |at: i32| (-0.5 * (f64::from(at) / f64::from(sigma)).powi(2)).exp();
        let total: f64 = (-radius..=radius).map(weight).sum();
        self.weights.clear();
        self.weights.extend((-radius..=radius).map(|at| (weight(at) / total) as f32));
        self.sigma = sigma;
    }

    /// Smooths rows, then columns.
    fn smooth(&self, field: &mut [f32], between: &mut [f32], shape: ImageShape) {
        let width = shape.width;
        between.fill(0.0);
        for (target, source) in between.chunks_exact_mut(width).zip(field.chunks_exact(width)) {
            for (weight, from, to, count) in self.shifts(width) {
                accumulate(weight, &source[from..][..count], &mut target[to..][..count]);
            }
        }
        field.fill(0.0);
        for (weight, from, to, count) in self.shifts(shape.height) {
            let source = &between[from * width..][..count * width];
            accumulate(weight, source, &mut field[to * width..][..count * width]);
        }
    }

    /// For each weight: where along an axis of `size` to read from, to add to, and how many.
    fn shifts(&self, size: usize) -> impl Iterator<Item = (f32, usize, usize, usize)> {
        let radius = self.weights.len() / 2;
        self.weights.iter().enumerate().filter_map(move |(i, &weight)| {
            let (from, to) = (i.saturating_sub(radius), radius.saturating_sub(i));
            let count = size.checked_sub(from.max(to)).filter(|&count| count > 0)?;
            Some((weight, from, to, count))
        })
    }
}

fn accumulate(weight: f32, source: &[f32], target: &mut [f32]) {
    for (t, s) in target.iter_mut().zip(source) {
        *t += weight * s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::Purpose;

    /// One impulse spreads as the product of two Gaussians; weights from the formula exp(-x^2/2) / sum, sigma 1.
    #[test]
    fn an_impulse_becomes_a_gaussian() {
        let shape = ImageShape::grey(9, 9);
        let mut field = vec![0.0; 81];
        field[4 * 9 + 4] = 1.0;
        let mut gaussian = Gaussian::default();
        gaussian.prepare(1.0);
        gaussian.smooth(&mut field, &mut vec![0.0; 81], shape);
        // exp(0), exp(-1/2), exp(-2), exp(-9/2) over their sum 2.505951 (both sides).
        let [w0, w1, w2] = [0.399_050_3, 0.242_036_2, 0.054_005_58_f32];
        for (at, want) in [(40, w0 * w0), (41, w0 * w1), (49, w0 * w1), (51, w1 * w2)] {
            assert!((field[at] - want).abs() < 1e-6, "{at}: {} {want}", field[at]);
        }
        assert!((field.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    /// Uniform numbers in -a..a have variance a^2/3; smoothing in two dimensions divides it by about 4 pi sigma^2.
    #[test]
    fn displacements_have_the_expected_size() {
        let shape = ImageShape::grey(200, 200);
        let mut field = Field::default();
        field.draw(shape, 34.0, 4.0, &mut Draws::new(1, Purpose::Test, 0, 0));
        let mean_square =
            |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        let expected = 34.0 * (3.0f32 * 4.0 * std::f32::consts::PI * 16.0).sqrt().recip();
        for got in [mean_square(&field.dx).sqrt(), mean_square(&field.dy).sqrt()] {
            // About 200 independent patches of 200: the deviation is known to some 5 %; edges take off a little.
            assert!((got / expected - 1.0).abs() < 0.15, "{got} {expected}");
        }
    }
}
