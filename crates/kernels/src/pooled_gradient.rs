//! The gradient of a convolution's weights through a 2x2 max-pooling.
//!
//! Of the four pixels that are pooled only the greatest receives a gradient, another pixel for each channel: three
//! quarters of the products that a dense gradient would ask for are with zero. Here each pooled number adds its gradient
//! times the window of its pixel to the gradient of its channel, whose rows stay in registers meanwhile.
//!
//! A load that crosses a cache line counts twice, and most loads of windows do, so that small frames are copied first where
//! then none does (`layout.rs`).

use crate::element::Element;
use crate::isa::{Isa, IsaName};
use layout::Layout;

mod layout;
mod offsets;
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
    /// Whether marks are `[channels, pooled pixels]` and not the other way round.
    pub channels_first: bool,
}

/// What a body reads and writes.
struct Operands<'a, T> {
    frame: &'a [T],
    grad: &'a [T],
    marks: &'a [T],
    sums: &'a mut [T],
    scratch: &'a mut [T],
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

    /// Numbers of a frame, with what its last run reads beyond it.
    #[must_use]
    pub fn framed_len<T: Element>(&self, isa: Isa) -> usize {
        if self.copies::<T>(isa) {
            self.frame_len
        } else {
            self.frame_len + self.padded_run::<T>(isa) - self.run
        }
    }

    /// Whether frames are copied before they are read, so that nothing beyond them needs to exist.
    #[must_use]
    pub fn copies<T: Element>(&self, isa: Isa) -> bool {
        self.layout::<T>(isa).is_some_and(|layout| layout.copies())
    }

    /// Numbers of scratch memory.
    #[must_use]
    pub fn scratch_len<T: Element>(&self, isa: Isa) -> usize {
        self.layout::<T>(isa).map_or(0, |layout| layout.len(self))
    }

    /// How a body with vectors reads the windows.
    fn layout<T: Element>(&self, isa: Isa) -> Option<Layout> {
        let isa = T::isa(isa);
        (isa.name() != IsaName::Scalar).then(|| {
            let lanes = isa.lanes();
            Layout::new(self, if self.run <= SMALL { lanes.min(SMALL) } else { lanes })
        })
    }

    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Numbers from one mark to the next: pooled pixel, channel.
    fn mark_pitches(&self) -> [usize; 2] {
        if self.channels_first { [1, self.pixels()] } else { [self.outputs, 1] }
    }

    /// `sums[o, ky, i]` += sum over the pooled pixels p of one image of `grad[p, o]` * the number i of row ky of the window of p's marked
    /// pixel. Sums beyond a run are of no meaning.
    ///
    /// # Shapes
    /// frame [`framed_len`](Self::framed_len), grad `[output, outputs]`, marks (0, 1, 2 or 3) likewise or
    /// [channels first](Self::channels_first); sums as [`sums_len`](Self::sums_len) says, scratch as [`scratch_len`](Self::scratch_len) says,
    /// [prepared](Self::prepare) once.
    ///
    /// # Panics
    /// When the lengths do not fit.
    pub fn add<T: Element>(
        &self,
        isa: Isa,
        frame: &[T],
        grad: &[T],
        marks: &[T],
        sums: &mut [T],
        scratch: &mut [T],
    ) {
        self.check::<T>(isa, [frame.len(), grad.len(), marks.len(), sums.len(), scratch.len()]);
        let operands = Operands { frame, grad, marks, sums, scratch };
        match T::isa(isa).name() {
            IsaName::Scalar => self.scalar(operands),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::run(isa, self, operands.narrow()),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => self.scalar(operands),
        }
    }

    /// Writes to the scratch memory what [`add`](Self::add) finds there for every image.
    ///
    /// # Panics
    /// When it is too short.
    pub fn prepare<T: Element>(&self, isa: Isa, scratch: &mut [T]) {
        if let Some(layout) = self.layout::<T>(isa)
            && let Some(scratch) = T::as_f32_mut(scratch)
        {
            layout.write_starts(self, &mut scratch[layout.offsets_len(self)..]);
        }
    }

    fn check<T: Element>(&self, isa: Isa, lengths: [usize; 5]) {
        let [frame, grad, marks, sums, scratch] = lengths;
        let [down, across] = self.steps;
        let last = (2 * self.output[0]).saturating_sub(1) * down
            + (2 * self.output[1]).saturating_sub(1) * across
            + self.rows.saturating_sub(1) * self.row_pitch
            + self.run;
        assert!(last <= self.frame_len, "windows lie inside the frame");
        assert!(frame >= self.framed_len::<T>(isa), "the frame is too short");
        let numbers = self.pixels() * self.outputs;
        assert_eq!([grad, marks], [numbers; 2], "gradients and marks of an image");
        assert_eq!(sums, self.sums_len::<T>(isa), "length of the sums");
        assert!(scratch >= self.scratch_len::<T>(isa), "scratch memory is too short");
    }

    /// The truth of [`add`](Self::add).
    fn scalar<T: Element>(&self, operands: Operands<'_, T>) {
        let Operands { frame, grad, marks, sums, .. } = operands;
        let ([of_pixel, of_channel], [down, across]) = (self.mark_pitches(), self.steps);
        for pixel in 0..self.pixels() {
            let grad = &grad[pixel * self.outputs..];
            let sums = sums.chunks_exact_mut(self.rows * self.run);
            for (channel, (g, sums)) in grad.iter().zip(sums).enumerate() {
                let mark = marks[pixel * of_pixel + channel * of_channel].to_f64() as usize;
                let start = self.start(pixel) + mark / 2 * down + mark % 2 * across;
                for (row, sums) in sums.chunks_exact_mut(self.run).enumerate() {
                    let window = &frame[start + row * self.row_pitch..];
                    sums.iter_mut().zip(window).for_each(|(sum, x)| *sum += *g * *x);
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
            frame: T::as_f32(self.frame).expect(ONLY),
            grad: T::as_f32(self.grad).expect(ONLY),
            marks: T::as_f32(self.marks).expect(ONLY),
            sums: T::as_f32_mut(self.sums).expect(ONLY),
            scratch: T::as_f32_mut(self.scratch).expect(ONLY),
        }
    }
}
