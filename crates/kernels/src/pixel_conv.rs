//! Convolution, ReLU and 2x2 max-pooling in one pass, for images and results of few channels.
//!
//! Channels are the vectors' axis elsewhere; here the pooled pixels of a row are, so a vector is full whatever the
//! number of channels, and a weight is one broadcast number. A pooled pixel needs the sums of four pixels. To have each
//! of them in the same lane, the even and the odd columns of the image are kept apart: pixel 2j of a row is `even[j]`, and
//! a window's column k of it is `even[j + k / 2]` or `odd[j + k / 2]`. Pooling is then the maximum of four registers.

use crate::element::Element;
use crate::isa::{Isa, IsaName};

mod simd;

/// A convolution of stride 1, with a ReLU and 2x2 max-pooling behind it that leave nothing over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelConv {
    /// Height and width of the image.
    pub input: [usize; 2],
    /// Channels of the image.
    pub channels: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Zeros around the image, above and below, left and right.
    pub padding: [usize; 2],
}

/// What a body reads and writes.
struct Operands<'a, T> {
    /// Rows of even, then odd columns, channel by channel.
    split: &'a [T],
    weight: &'a [T],
    bias: &'a [T],
    y: &'a mut [T],
    marks: Option<&'a mut [T]>,
}

/// The most numbers of a vector that a body has.
const LANES: usize = 16;

impl PixelConv {
    /// Height and width of the pooled result.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.frame(axis) + 1 - self.kernel[axis]) / 2)
    }

    /// Numbers of one image.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Numbers of one result.
    #[must_use]
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        height * width * self.outputs
    }

    /// Numbers of scratch memory that [`forward`](Self::forward) asks for.
    #[must_use]
    pub fn scratch_len(&self) -> usize {
        self.channels * self.frame(0) * 2 * self.half()
    }

    fn frame(&self, axis: usize) -> usize {
        self.input[axis] + 2 * self.padding[axis]
    }

    fn weight_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels * self.outputs
    }

    /// Numbers of a row's even, and of its odd columns: what the last vector of a row reads beyond them too.
    fn half(&self) -> usize {
        self.output()[1].next_multiple_of(LANES) + self.kernel[1] / 2 + 1
    }

    /// Where the even columns of a frame's row begin in the scratch memory.
    fn row(&self, channel: usize, row: usize) -> usize {
        (channel * self.frame(0) + row) * 2 * self.half()
    }

    /// Writes an image into the scratch memory, whose border is zero.
    fn split<T: Element>(&self, image: &[T], scratch: &mut [T]) {
        let ([_, width], [top, left]) = (self.input, self.padding);
        for (y, row) in image.chunks_exact(width * self.channels).enumerate() {
            for channel in 0..self.channels {
                let at = self.row(channel, y + top);
                let (even, odd) = scratch[at..][..2 * self.half()].split_at_mut(self.half());
                let pixels = row[channel..].iter().step_by(self.channels);
                if self.channels == 1 && left.is_multiple_of(2) {
                    deal(row, &mut even[left / 2..], &mut odd[left / 2..]);
                } else {
                    for (x, pixel) in pixels.enumerate() {
                        let half =
                            if (x + left).is_multiple_of(2) { &mut *even } else { &mut *odd };
                        half[(x + left) / 2] = *pixel;
                    }
                }
            }
        }
    }

    /// `y[image, py, px, o]` = the greatest of 0 and of the four sums `bias[o]` + sum over ky, kx, c of x * weight at the
    /// pixels (2 py + 0..2, 2 px + 0..2); NaN wins. `marks`, where given, receives which of the four is the first greatest
    /// (0, 1, 2, 3: row by row).
    ///
    /// # Shapes
    /// x `[images, input, channels]`, weight `[kernel, channels, outputs]`, bias `[outputs]`, y `[images, output, outputs]`,
    /// marks `[images, outputs, output]`, scratch of at least [`scratch_len`](Self::scratch_len) numbers.
    ///
    /// # Panics
    /// When the lengths do not fit, or pooling leaves a row or a column over.
    #[allow(clippy::too_many_arguments)]
    pub fn forward<T: Element>(
        &self,
        isa: Isa,
        x: &[T],
        weight: &[T],
        bias: &[T],
        y: &mut [T],
        mut marks: Option<&mut [T]>,
        scratch: &mut [T],
    ) {
        self.check(x.len(), y.len(), marks.as_ref().map(|marks| marks.len()));
        assert_eq!((weight.len(), bias.len()), (self.weight_len(), self.outputs), "weights");
        let scratch = &mut scratch[..self.scratch_len()];
        scratch.fill(T::ZERO);
        let len = self.output_len();
        let images = x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(len));
        for (index, (image, y)) in images.enumerate() {
            self.split(image, scratch);
            let marks = marks.as_mut().map(|marks| &mut marks[index * len..][..len]);
            self.run(isa, Operands { split: scratch, weight, bias, y, marks });
        }
    }

    fn check(&self, x: usize, y: usize, marks: Option<usize>) {
        let sizes = [0, 1].map(|axis| (self.frame(axis) + 1).saturating_sub(self.kernel[axis]));
        assert!(sizes.iter().all(|size| *size > 0 && size.is_multiple_of(2)), "whole 2x2 windows");
        let images = x / self.input_len();
        assert_eq!(images * self.input_len(), x, "whole images");
        assert_eq!(images * self.output_len(), y, "as many results as images");
        assert!(marks.is_none_or(|marks| marks == y), "a mark for each result");
    }

    fn run<T: Element>(&self, isa: Isa, operands: Operands<'_, T>) {
        match T::isa(isa).name() {
            IsaName::Scalar => self.scalar(operands),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::run(isa, self, operands.narrow()),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => self.scalar(operands),
        }
    }

    /// The truth of [`forward`](Self::forward) for one image.
    fn scalar<T: Element>(&self, operands: Operands<'_, T>) {
        let [height, width] = self.output();
        let Operands { split, weight, bias, y, mut marks } = operands;
        for (pixel, y) in y.chunks_exact_mut(self.outputs).enumerate() {
            let (py, px) = (pixel / width, pixel % width);
            for (o, y) in y.iter_mut().enumerate() {
                let sum = |q: usize| {
                    let sum = self.sum(split, &weight[o..], [2 * py + q / 2, 2 * px + q % 2]);
                    bias[o] + sum
                };
                let (greatest, mark) = first_greatest([sum(0), sum(1), sum(2), sum(3)]);
                *y = greatest.relu();
                if let Some(marks) = &mut marks {
                    marks[o * height * width + pixel] = mark;
                }
            }
        }
    }

    /// The sum of one window, for the output channel at which `weight` begins.
    fn sum<T: Element>(&self, split: &[T], weight: &[T], [y, x]: [usize; 2]) -> T {
        let mut weights = weight.iter().step_by(self.outputs);
        let mut sum = T::ZERO;
        for ky in 0..self.kernel[0] {
            for column in x..x + self.kernel[1] {
                let at = column % 2 * self.half() + column / 2;
                let channels = (0..self.channels).map(|c| split[self.row(c, y + ky) + at]);
                channels.zip(&mut weights).for_each(|(x, w)| sum += x * *w);
            }
        }
        sum
    }
}

impl<'a, T: Element> Operands<'a, T> {
    /// The same for the bodies of f32.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn narrow(self) -> Operands<'a, f32> {
        const ONLY: &str = "only f32 has other bodies than the scalar one";
        Operands {
            split: T::as_f32(self.split).expect(ONLY),
            weight: T::as_f32(self.weight).expect(ONLY),
            bias: T::as_f32(self.bias).expect(ONLY),
            y: T::as_f32_mut(self.y).expect(ONLY),
            marks: self.marks.map(|marks| T::as_f32_mut(marks).expect(ONLY)),
        }
    }
}

/// Deals out numbers in turn.
fn deal<T: Element>(row: &[T], even: &mut [T], odd: &mut [T]) {
    let pairs = row.chunks_exact(2);
    if let [last] = pairs.remainder() {
        even[row.len() / 2] = *last;
    }
    for ((pair, even), odd) in pairs.zip(even).zip(odd) {
        (*even, *odd) = (pair[0], pair[1]);
    }
}

/// The greatest of four numbers and the place of the first that is; NaN wins.
#[inline(always)]
fn first_greatest<T: Element>(values: [T; 4]) -> (T, T) {
    let (mut greatest, mut mark) = (values[0], T::ZERO);
    for (value, place) in values.into_iter().zip([0.0, 1.0, 2.0, 3.0]).skip(1) {
        // A NaN that was met stays: no number is greater.
        let better = (value > greatest) | (value.is_nan() & !greatest.is_nan());
        greatest = if better { value } else { greatest };
        mark = if better { T::from_f64(place) } else { mark };
    }
    (greatest, mark)
}
