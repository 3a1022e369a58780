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

    /// Whether the windows are 2x2 next to each other and cover the image: the case with a body of its own.
    fn is_halving(&self) -> bool {
        self.kernel == [2, 2]
            && self.stride == [2, 2]
            && self.padding == [0, 0]
            && self.input == [self.output[0] * 2, self.output[1] * 2]
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
    if windows.is_halving() { halve(isa, windows, x, y) } else { max_any(isa, windows, x, y) }
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
    if windows.is_halving() {
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

per_isa! {
    /// [`max_forward`] for 2x2 windows next to each other.
    pub fn halve<T>(windows: &Windows, x: &[T], y: &mut [T]) {
        let c = windows.channels;
        let row = windows.input[1] * c;
        let larger = |a: T, b: T| if a > b || a.is_nan() { a } else { b };
        for (rows, y) in x.chunks_exact(2 * row).zip(y.chunks_exact_mut(row / 2)) {
            let (upper, lower) = rows.split_at(row);
            let pairs = upper.chunks_exact(2 * c).zip(lower.chunks_exact(2 * c));
            for ((upper, lower), y) in pairs.zip(y.chunks_exact_mut(c)) {
                let (a, b) = upper.split_at(c);
                let (d, e) = lower.split_at(c);
                for ((((y, a), b), d), e) in y.iter_mut().zip(a).zip(b).zip(d).zip(e) {
                    *y = larger(larger(*a, *b), larger(*d, *e));
                }
            }
        }
    }
}

per_isa! {
    /// [`max_backward`] for 2x2 windows next to each other.
    pub fn halve_backward<T>(windows: &Windows, x: &[T], y: &[T], grad_y: &[T], grad_x: &mut [T]) {
        let c = windows.channels;
        let row = windows.input[1] * c;
        let rows = x.chunks_exact(2 * row).zip(grad_x.chunks_exact_mut(2 * row));
        let pooled = y.chunks_exact(row / 2).zip(grad_y.chunks_exact(row / 2));
        for ((x, grad_x), (y, grad_y)) in rows.zip(pooled) {
            for at in 0..row / (2 * c) {
                let (left, right) = (2 * at * c, (2 * at + 1) * c);
                let (y, grad_y) = (&y[at * c..][..c], &grad_y[at * c..][..c]);
                let (upper, lower) = grad_x.split_at_mut(row);
                let (x_upper, x_lower) = x.split_at(row);
                let (ga, gb) = upper[left..right + c].split_at_mut(c);
                let (gd, ge) = lower[left..right + c].split_at_mut(c);
                let (xa, xb) = x_upper[left..right + c].split_at(c);
                let xd = &x_lower[left..right];
                for i in 0..c {
                    let (a, b, d) = (xa[i] == y[i], xb[i] == y[i], xd[i] == y[i]);
                    let g = grad_y[i];
                    ga[i] = if a { g } else { T::ZERO };
                    gb[i] = if b & !a { g } else { T::ZERO };
                    gd[i] = if d & !a & !b { g } else { T::ZERO };
                    ge[i] = if a | b | d { T::ZERO } else { g };
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
