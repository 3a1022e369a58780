//! Pooling over windows of an image, channel by channel.

use crate::body::per_isa;
use crate::element::Element;
use crate::isa::Isa;

/// The windows of a pooling layer over one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Height and width of the image.
    pub input: [usize; 2],
    /// Height and width of what is pooled from it.
    pub output: [usize; 2],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next, down and across.
    pub stride: [usize; 2],
    /// Pixels that windows reach over the border, down and across.
    pub padding: [usize; 2],
    /// Channels of both.
    pub channels: usize,
}

impl Windows {
    /// Calls `visit(output pixel, input pixel)` for every pixel of every window, windows in order.
    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(usize, usize)) {
        for oy in 0..self.output[0] {
            let (top, bottom) = self.reach(0, oy);
            for ox in 0..self.output[1] {
                let (left, right) = self.reach(1, ox);
                for y in top..bottom {
                    for x in left..right {
                        visit(oy * self.output[1] + ox, y * self.input[1] + x);
                    }
                }
            }
        }
    }

    /// The cells of the image that window `at` covers along an axis.
    #[inline(always)]
    fn reach(&self, axis: usize, at: usize) -> (usize, usize) {
        let start = at * self.stride[axis];
        let end = (start + self.kernel[axis]).saturating_sub(self.padding[axis]);
        (start.saturating_sub(self.padding[axis]), end.min(self.input[axis]))
    }

    fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }

    /// Whether the windows are 2x2 next to each other: the case with a body of its own. They may leave a row and a column.
    #[must_use]
    pub fn are_pairs(&self) -> bool {
        let half = self.input.map(|pixels| pixels / 2);
        (self.kernel, self.stride, self.padding, self.output) == ([2, 2], [2, 2], [0, 0], half)
    }

    /// Whether the windows are 2x2 next to each other and cover the image.
    #[must_use]
    pub fn is_halving(&self) -> bool {
        self.are_pairs() && self.input.iter().all(|pixels| pixels.is_multiple_of(2))
    }
}

/// `y[image, window, c]` = the greatest of the window's x; NaN wins.
///
/// # Shapes
/// x `[images, input, channels]`, y `[images, output, channels]`.
///
/// # Panics
/// When the lengths do not fit the windows.
pub fn max_forward<T: Element>(isa: Isa, windows: &Windows, x: &[T], y: &mut [T]) {
    check(windows, x.len(), y.len());
    if windows.are_pairs() { halve(isa, windows, x, y) } else { max_any(isa, windows, x, y) }
}

/// `grad_x[pixel]` = sum of grad_y over the windows whose greatest number is first met at that pixel, given y as
/// [`max_forward`] made it.
///
/// # Shapes
/// x and grad_x `[images, input, channels]`, y and grad_y `[images, output, channels]`, scratch `[output, channels]`.
///
/// # Panics
/// When the lengths do not fit the windows.
pub fn max_backward<T: Element>(
    isa: Isa,
    windows: &Windows,
    x: &[T],
    y: &[T],
    grad_y: &[T],
    grad_x: &mut [T],
    scratch: &mut [T],
) {
    check(windows, x.len(), y.len());
    check(windows, grad_x.len(), grad_y.len());
    if windows.are_pairs() {
        halve_backward(isa, windows, x, y, grad_y, grad_x);
    } else {
        max_any_backward(isa, windows, x, y, grad_y, grad_x, scratch);
    }
}

/// `y[image, window, c]` = the window's sum of x divided by `divisor` numbers; padding counts as zeros.
///
/// # Shapes
/// x `[images, input, channels]`, y `[images, output, channels]`.
///
/// # Panics
/// When the lengths do not fit the windows.
pub fn average_forward<T: Element>(isa: Isa, windows: &Windows, x: &[T], y: &mut [T]) {
    check(windows, x.len(), y.len());
    average(isa, windows, x, y);
}

/// `grad_x[pixel]` = sum of grad_y over the windows that see the pixel, divided by the window's size.
///
/// # Shapes
/// grad_y `[images, output, channels]`, grad_x `[images, input, channels]`.
///
/// # Panics
/// When the lengths do not fit the windows.
pub fn average_backward<T: Element>(isa: Isa, windows: &Windows, grad_y: &[T], grad_x: &mut [T]) {
    check(windows, grad_x.len(), grad_y.len());
    average_spread(isa, windows, grad_y, grad_x);
}

fn check(windows: &Windows, input: usize, output: usize) {
    let images = input / windows.input_len().max(1);
    assert_eq!(images * windows.input_len(), input, "whole images");
    assert_eq!(images * windows.output_len(), output, "as many pooled images as images");
}

per_isa! {
    /// The general case of [`max_forward`].
    pub fn max_any<T>(windows: &Windows, x: &[T], y: &mut [T]) {
        let c = windows.channels;
        for (x, y) in x.chunks_exact(windows.input_len()).zip(y.chunks_exact_mut(windows.output_len())) {
            y.fill(T::NEG_INFINITY);
            windows.each(|to, from| {
                let x = &x[from * c..][..c];
                for (y, x) in y[to * c..][..c].iter_mut().zip(x) {
                    if *x > *y || x.is_nan() {
                        *y = *x;
                    }
                }
            });
        }
    }
}

per_isa! {
    /// The general case of [`max_backward`]: `open` holds the gradient of each window until its pixel is met.
    pub fn max_any_backward<T>(
        windows: &Windows, x: &[T], y: &[T], grad_y: &[T], grad_x: &mut [T], open: &mut [T],
    ) {
        let c = windows.channels;
        grad_x.fill(T::ZERO);
        let images = x.chunks_exact(windows.input_len()).zip(grad_x.chunks_exact_mut(windows.input_len()));
        let pooled = y.chunks_exact(windows.output_len()).zip(grad_y.chunks_exact(windows.output_len()));
        for ((x, grad_x), (y, grad_y)) in images.zip(pooled) {
            let open = &mut open[..grad_y.len()];
            open.copy_from_slice(grad_y);
            windows.each(|to, from| {
                let (x, grad_x) = (&x[from * c..][..c], &mut grad_x[from * c..][..c]);
                let (y, open) = (&y[to * c..][..c], &mut open[to * c..][..c]);
                for (((x, grad_x), y), open) in x.iter().zip(grad_x).zip(y).zip(open) {
                    let taken = if *x == *y { *open } else { T::ZERO };
                    *grad_x += taken;
                    *open -= taken;
                }
            });
        }
    }
}

/// Calls a function with whole blocks of channels, whose sizes are constants so that a block is a vector or two.
macro_rules! each_block {
    ($channels:expr, $function:ident($($arg:expr),*)) => {
        let (channels, mut at) = ($channels, 0);
        while channels - at >= 16 {
            $function::<T, 16>(at, $($arg),*);
            at += 16;
        }
        if channels - at >= 8 {
            $function::<T, 8>(at, $($arg),*);
            at += 8;
        }
        if channels - at >= 4 {
            $function::<T, 4>(at, $($arg),*);
            at += 4;
        }
        while channels - at > 0 {
            $function::<T, 1>(at, $($arg),*);
            at += 1;
        }
    };
}

/// N numbers of a slice.
#[inline(always)]
fn block<T: Element, const N: usize>(values: &[T], at: usize) -> [T; N] {
    values[at..at + N].try_into().expect("a block of N")
}

/// The pixels of 2x2 windows next to each other, of one pair of rows: (left upper, right upper, left lower, right lower).
#[inline(always)]
fn quads<'a, T: Element>(
    channels: usize,
    rows: &'a [T],
) -> impl Iterator<Item = [&'a [T]; 4]> + use<'a, T> {
    let (upper, lower) = rows.split_at(rows.len() / 2);
    upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels)).map(move |(u, l)| {
        let ((a, b), (d, e)) = (u.split_at(channels), l.split_at(channels));
        [a, b, d, e]
    })
}

#[inline(always)]
fn halve_block<T: Element, const N: usize>(at: usize, four: [&[T]; 4], y: &mut [T]) {
    let larger = |a: T, b: T| if a > b || a.is_nan() { a } else { b };
    let [a, b, d, e] = four.map(|x| block::<T, N>(x, at));
    for (i, y) in y[at..at + N].iter_mut().enumerate() {
        *y = larger(larger(a[i], b[i]), larger(d[i], e[i]));
    }
}

per_isa! {
    /// [`max_forward`] for 2x2 windows next to each other.
    pub fn halve<T>(windows: &Windows, x: &[T], y: &mut [T]) {
        let c = windows.channels;
        let (row, pooled_row) = (windows.input[1] * c, windows.output[1] * c);
        if pooled_row == 0 {
            return;
        }
        let images = x.chunks_exact(windows.input_len()).zip(y.chunks_exact_mut(windows.output_len()));
        for (x, y) in images {
            for (rows, y) in x.chunks_exact(2 * row).zip(y.chunks_exact_mut(pooled_row)) {
                for (four, y) in quads(c, rows).zip(y.chunks_exact_mut(c)) {
                    each_block!(c, halve_block(four, y));
                }
            }
        }
    }
}

#[inline(always)]
fn halve_marked_block<T: Element, const N: usize>(
    at: usize,
    relu: bool,
    four: [&[T]; 4],
    y: &mut [T],
    marks: &mut [T],
) {
    let four = four.map(|x| block::<T, N>(x, at));
    let (mut greatest, mut mark) = (four[0], [T::ZERO; N]);
    for (x, place) in four.iter().zip([0.0, 1.0, 2.0, 3.0]).skip(1) {
        for i in 0..N {
            let better = (x[i] > greatest[i]) | (x[i].is_nan() & !greatest[i].is_nan());
            greatest[i] = if better { x[i] } else { greatest[i] };
            mark[i] = if better { T::from_f64(place) } else { mark[i] };
        }
    }
    let greatest = if relu { greatest.map(T::relu) } else { greatest };
    y[at..at + N].copy_from_slice(&greatest);
    if !marks.is_empty() {
        marks[at..at + N].copy_from_slice(&mark);
    }
}

per_isa! {
    /// `y[image, window, c]` = the greatest of the window's x, and of 0 where `relu` is set, for 2x2 windows that cover the image;
    /// NaN wins. `marks`, where it is not empty, receives which of the four is the first greatest (0, 1, 2, 3: row by row).
    ///
    /// # Shapes
    /// x `[images, input, channels]`, y and marks `[images, output, channels]`.
    pub fn halve_marked<T>(windows: &Windows, relu: bool, x: &[T], y: &mut [T], marks: &mut [T]) {
        let c = windows.channels;
        let row = windows.input[1] * c;
        let marked = !marks.is_empty();
        for (index, (rows, y)) in x.chunks_exact(2 * row).zip(y.chunks_exact_mut(row / 2)).enumerate() {
            let marks = if marked { &mut marks[index * row / 2..][..row / 2] } else { &mut [] };
            for (pixel, (four, y)) in quads(c, rows).zip(y.chunks_exact_mut(c)).enumerate() {
                let marks = if marked { &mut marks[pixel * c..][..c] } else { &mut [] };
                each_block!(c, halve_marked_block(relu, four, y, marks));
            }
        }
    }
}

#[inline(always)]
fn spread_block<T: Element, const N: usize>(
    at: usize,
    mark: &[T],
    grad: &[T],
    upper: &mut [T],
    lower: &mut [T],
) {
    let c = upper.len() / 2;
    let (mark, grad) = (block::<T, N>(mark, at), block::<T, N>(grad, at));
    for (place, to) in [0.0, 1.0, 2.0, 3.0].into_iter().enumerate() {
        let row = if place < 2 { &mut *upper } else { &mut *lower };
        for (i, x) in row[place % 2 * c + at..][..N].iter_mut().enumerate() {
            *x = if mark[i] == T::from_f64(to) { grad[i] } else { T::ZERO };
        }
    }
}

per_isa! {
    /// `grad_x[pixel]` = the window's grad_y where the window's mark is the pixel, else 0: the backward of the pooling in
    /// [`halve_marked`], which gave the marks.
    ///
    /// # Shapes
    /// marks and grad_y `[images, output, channels]`, grad_x `[images, input, channels]`.
    pub fn halve_spread<T>(windows: &Windows, marks: &[T], grad_y: &[T], grad_x: &mut [T]) {
        let c = windows.channels;
        let row = windows.input[1] * c;
        let pooled = marks.chunks_exact(row / 2).zip(grad_y.chunks_exact(row / 2));
        for ((marks, grad_y), grad_x) in pooled.zip(grad_x.chunks_exact_mut(2 * row)) {
            let (upper, lower) = grad_x.split_at_mut(row);
            let pairs = upper.chunks_exact_mut(2 * c).zip(lower.chunks_exact_mut(2 * c));
            let pixels = marks.chunks_exact(c).zip(grad_y.chunks_exact(c));
            for ((mark, grad), (upper, lower)) in pixels.zip(pairs) {
                each_block!(c, spread_block(mark, grad, upper, lower));
            }
        }
    }
}

#[inline(always)]
fn halve_backward_block<T: Element, const N: usize>(
    at: usize,
    x: [&[T]; 4],
    y: &[T],
    grad_y: &[T],
    upper: &mut [T],
    lower: &mut [T],
) {
    let c = upper.len() / 2;
    let [a, b, d, _] = x.map(|x| block::<T, N>(x, at));
    let (y, g) = (block::<T, N>(y, at), block::<T, N>(grad_y, at));
    let mut out = [[T::ZERO; N]; 4];
    for i in 0..N {
        let (a, b, d) = (a[i] == y[i], b[i] == y[i], d[i] == y[i]);
        out[0][i] = if a { g[i] } else { T::ZERO };
        out[1][i] = if b & !a { g[i] } else { T::ZERO };
        out[2][i] = if d & !a & !b { g[i] } else { T::ZERO };
        out[3][i] = if a | b | d { T::ZERO } else { g[i] };
    }
    upper[at..at + N].copy_from_slice(&out[0]);
    upper[c + at..][..N].copy_from_slice(&out[1]);
    lower[at..at + N].copy_from_slice(&out[2]);
    lower[c + at..][..N].copy_from_slice(&out[3]);
}

per_isa! {
    /// [`max_backward`] for 2x2 windows next to each other.
    pub fn halve_backward<T>(windows: &Windows, x: &[T], y: &[T], grad_y: &[T], grad_x: &mut [T]) {
        let c = windows.channels;
        let (row, pooled_row) = (windows.input[1] * c, windows.output[1] * c);
        if pooled_row == 0 {
            grad_x.fill(T::ZERO);
            return;
        }
        let images = x.chunks_exact(windows.input_len()).zip(grad_x.chunks_exact_mut(windows.input_len()));
        let pooled = y.chunks_exact(windows.output_len()).zip(grad_y.chunks_exact(windows.output_len()));
        for ((x, grad_x), (y, grad_y)) in images.zip(pooled) {
            // A row and a column that no window sees.
            grad_x[windows.output[0] * 2 * row..].fill(T::ZERO);
            let rows = x.chunks_exact(2 * row).zip(grad_x.chunks_exact_mut(2 * row));
            let pooled = y.chunks_exact(pooled_row).zip(grad_y.chunks_exact(pooled_row));
            for ((x, grad_x), (y, grad_y)) in rows.zip(pooled) {
                let (upper, lower) = grad_x.split_at_mut(row);
                upper[2 * pooled_row..].fill(T::ZERO);
                lower[2 * pooled_row..].fill(T::ZERO);
                let pairs = upper.chunks_exact_mut(2 * c).zip(lower.chunks_exact_mut(2 * c));
                let pixels = y.chunks_exact(c).zip(grad_y.chunks_exact(c));
                for ((four, (y, grad_y)), (upper, lower)) in quads(c, x).zip(pixels).zip(pairs) {
                    each_block!(c, halve_backward_block(four, y, grad_y, upper, lower));
                }
            }
        }
    }
}

per_isa! {
    /// [`average_forward`], unchecked.
    pub fn average<T>(windows: &Windows, x: &[T], y: &mut [T]) {
        let c = windows.channels;
        let factor = T::from_f64(1.0 / (windows.kernel[0] as f64 * windows.kernel[1] as f64));
        for (x, y) in x.chunks_exact(windows.input_len()).zip(y.chunks_exact_mut(windows.output_len())) {
            y.fill(T::ZERO);
            windows.each(|to, from| {
                let x = &x[from * c..][..c];
                y[to * c..][..c].iter_mut().zip(x).for_each(|(y, x)| *y += *x);
            });
            y.iter_mut().for_each(|y| *y *= factor);
        }
    }
}

per_isa! {
    /// [`average_backward`], unchecked.
    pub fn average_spread<T>(windows: &Windows, grad_y: &[T], grad_x: &mut [T]) {
        let c = windows.channels;
        let factor = T::from_f64(1.0 / (windows.kernel[0] as f64 * windows.kernel[1] as f64));
        grad_x.fill(T::ZERO);
        let images = grad_x.chunks_exact_mut(windows.input_len());
        for (grad_x, grad_y) in images.zip(grad_y.chunks_exact(windows.output_len())) {
            windows.each(|to, from| {
                let grad_y = &grad_y[to * c..][..c];
                for (grad_x, grad_y) in grad_x[from * c..][..c].iter_mut().zip(grad_y) {
                    *grad_x += *grad_y * factor;
                }
            });
        }
    }
}
