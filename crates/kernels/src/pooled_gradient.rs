//! The gradient of a convolution's weights through a 2x2 max-pooling.
//!
//! Of the four pixels that are pooled only the greatest receives a gradient, another pixel for each channel: three
//! quarters of the products that a dense gradient would ask for are with zero. Here each pooled number adds its gradient
//! times the window of its pixel to the gradient of its channel, whose rows stay in registers meanwhile.

use crate::element::Element;
use crate::isa::{Isa, IsaName};

mod simd;

/// The windows behind a pooled result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PooledWindows {
    /// Height and width of the pooled result.
    pub output: [usize; 2],
    /// Its channels.
    pub outputs: usize,
    /// Rows of a window.
    pub rows: usize,
    /// Neighbouring numbers of a window's row.
    pub run: usize,
    /// Numbers from one row of the framed image to the next.
    pub row_pitch: usize,
    /// Numbers of the framed image.
    pub frame_len: usize,
    /// Numbers from one window to the next before pooling, down and across.
    pub steps: [usize; 2],
    /// Numbers from one mark to the next: image, pooled pixel, channel.
    pub mark_pitches: [usize; 3],
}

/// What a body reads and writes.
struct Operands<'a, T> {
    frames: &'a [T],
    grad: &'a [T],
    marks: &'a [T],
    sums: &'a mut [T],
}

/// Runs are padded to whole vectors; short ones to a small vector, which spans fewer cache lines.
const SMALL: usize = 8;

impl PooledWindows {
    /// Numbers of a padded run.
    #[must_use]
    pub fn padded_run<T: Element>(&self, isa: Isa) -> usize {
        let lanes = T::isa(isa).lanes();
        self.run.next_multiple_of(if self.run <= SMALL { lanes.min(SMALL) } else { lanes })
    }

    /// Numbers of the sums: `[outputs, rows, padded run]`.
    #[must_use]
    pub fn sums_len<T: Element>(&self, isa: Isa) -> usize {
        self.outputs * self.rows * self.padded_run::<T>(isa)
    }

    /// Numbers of the frames of `images` images, with what the last run reads beyond them.
    #[must_use]
    pub fn frames_len<T: Element>(&self, isa: Isa, images: usize) -> usize {
        images * self.frame_len + self.padded_run::<T>(isa) - self.run
    }

    /// Where the windows of the four pixels begin, relative to the first.
    fn four(&self) -> [usize; 4] {
        let [down, across] = self.steps;
        [0, across, down, down + across]
    }

    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// `sums[o, ky, i]` += sum over images and pooled pixels p of `grad[image, p, o]` * the number i of row ky of the window of
    /// p's marked pixel. Sums beyond a run are of no meaning.
    ///
    /// # Shapes
    /// frames `[images, frame_len]` and [`frames_len`](Self::frames_len) in all, grad `[images, output, outputs]`; marks (0, 1, 2 or
    /// 3) by `mark_pitches`; sums as [`sums_len`](Self::sums_len) says.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn add<T: Element>(
        &self,
        isa: Isa,
        images: usize,
        frames: &[T],
        grad: &[T],
        marks: &[T],
        sums: &mut [T],
    ) {
        self.check::<T>(isa, images, [frames.len(), grad.len(), marks.len(), sums.len()]);
        let operands = Operands { frames, grad, marks, sums };
        match T::isa(isa).name() {
            IsaName::Scalar => self.scalar(images, operands),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::run(isa, self, images, operands.narrow()),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => self.scalar(images, operands),
        }
    }

    fn check<T: Element>(&self, isa: Isa, images: usize, lengths: [usize; 4]) {
        let [frames, grad, marks, sums] = lengths;
        let [down, across] = self.steps;
        let last = (2 * self.output[0]).saturating_sub(1) * down
            + (2 * self.output[1]).saturating_sub(1) * across
            + self.rows.saturating_sub(1) * self.row_pitch
            + self.run;
        assert!(last <= self.frame_len, "windows lie inside the frame");
        assert!(frames >= self.frames_len::<T>(isa, images), "frames are too short");
        assert_eq!(grad, images * self.pixels() * self.outputs, "gradients of {images} images");
        assert_eq!(sums, self.sums_len::<T>(isa), "length of the sums");
        let counts = [images, self.pixels(), self.outputs];
        let mut reaches = counts.iter().zip(&self.mark_pitches).map(|(n, p)| (n.max(&1) - 1) * p);
        assert!(counts.contains(&0) || reaches.by_ref().sum::<usize>() < marks, "marks too short");
    }

    /// The truth of [`add`](Self::add).
    fn scalar<T: Element>(&self, images: usize, operands: Operands<'_, T>) {
        let Operands { frames, grad, marks, sums } = operands;
        let ([of_image, of_pixel, of_channel], four) = (self.mark_pitches, self.four());
        for image in 0..images {
            for pixel in 0..self.pixels() {
                let grad = &grad[(image * self.pixels() + pixel) * self.outputs..];
                let start = image * self.frame_len + self.start(pixel);
                let sums = sums.chunks_exact_mut(self.rows * self.run);
                for (channel, (g, sums)) in grad.iter().zip(sums).enumerate() {
                    let mark = marks[image * of_image + pixel * of_pixel + channel * of_channel];
                    let start = start + four[mark.to_f64() as usize];
                    for (row, sums) in sums.chunks_exact_mut(self.run).enumerate() {
                        let window = &frames[start + row * self.row_pitch..];
                        sums.iter_mut().zip(window).for_each(|(sum, x)| *sum += *g * *x);
                    }
                }
            }
        }
    }

    /// Where the first of a pooled pixel's windows begins.
    fn start(&self, pixel: usize) -> usize {
        let (y, x) = (pixel / self.output[1], pixel % self.output[1]);
        2 * (y * self.steps[0] + x * self.steps[1])
    }
}

impl<'a, T: Element> Operands<'a, T> {
    /// The same for the bodies of f32.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn narrow(self) -> Operands<'a, f32> {
        const ONLY: &str = "only f32 has other bodies than the scalar one";
        Operands {
            frames: T::as_f32(self.frames).expect(ONLY),
            grad: T::as_f32(self.grad).expect(ONLY),
            marks: T::as_f32(self.marks).expect(ONLY),
            sums: T::as_f32_mut(self.sums).expect(ONLY),
        }
    }
}
