//! The gradient of a convolution by its input: as a product with framed windows of the output gradient, or
//! ([`OverlapGradient`]) by adding overlapping windows.
//!
//! With stride s, input pixel y meets kernel row k at output row (y + padding - k) / s where that is whole: so pixels
//! with the same remainder r of (y + padding) / s meet the same kernel rows r, r + s, r + 2s, ... Each remainder (each
//! pair of remainders, down and across) is a convolution of stride 1 of the framed output gradient with a part of the
//! kernel, turned around, and writes every s-th pixel. With stride 1 there is one such phase.

use super::conv::Geometry;
use super::conv_overlap::OverlapGradient;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply};

/// The gradient by the input, in the form that suits the layer.
#[derive(Debug)]
pub(super) enum InputGradient {
    Phases(PhasedGradient),
    Overlap(OverlapGradient),
}

impl InputGradient {
    pub(super) fn new<T: Element>(isa: Isa, geometry: &Geometry) -> Self {
        let phases = PhasedGradient::new::<T>(isa, geometry);
        match OverlapGradient::new::<T>(isa, geometry) {
            // Rows are read and written again, which costs about a tenth.
            Some(overlap) if overlap.work() * 10 < phases.work::<T>(isa) * 9 => {
                Self::Overlap(overlap)
            }
            _ => Self::Phases(phases),
        }
    }

    pub(super) fn packed_len<T: Element>(&self) -> usize {
        match self {
            Self::Phases(phases) => phases.packed_len(),
            Self::Overlap(overlap) => overlap.packed_len::<T>(),
        }
    }

    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        match self {
            Self::Phases(phases) => phases.scratch_len(),
            Self::Overlap(overlap) => overlap.scratch_len(chunk),
        }
    }

    /// Brings the weights into the layout that [`run`](Self::run) reads.
    pub(super) fn pack<T: Element>(&self, weight: &[T], packed: &mut [T]) {
        match self {
            Self::Phases(phases) => phases.pack(weight, packed),
            Self::Overlap(overlap) => overlap.pack(weight, packed),
        }
    }

    /// Writes the gradient by every image.
    pub(super) fn run<T: Element>(
        &self,
        isa: Isa,
        packed: &[T],
        grad_output: &[T],
        grad_input: &mut [T],
        scratch: &mut [T],
    ) {
        match self {
            Self::Phases(phases) => phases.run(isa, packed, grad_output, grad_input, scratch),
            Self::Overlap(overlap) => overlap.run(packed, grad_output, grad_input, scratch),
        }
    }
}

#[derive(Debug)]
pub(super) struct PhasedGradient {
    geometry: Geometry,
    frame: Frame,
    phases: Vec<Phase>,
    /// Whether some pixels belong to no phase, because no window sees them.
    has_gaps: bool,
}

#[derive(Debug)]
struct Phase {
    /// Where the phase's first window begins in the framed gradient.
    start: usize,
    windows: Left,
    panels: Panels,
    /// For each packed number of one group, its place in the weight tensor relative to the group; `PADDING` for zeros.
    gather: Vec<u32>,
    /// Where the phase's first pixel lies in the image.
    out_start: usize,
    out_rows: Grid,
}

/// Marks a packed number that pads a panel.
const PADDING: u32 = u32::MAX;

/// One remainder along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remainder {
    /// The kernel cell r; the phase's cells are r, r + s, ...
    pub(super) first_tap: usize,
    pub(super) taps: usize,
    /// The first pixel, and how many there are, s apart.
    pub(super) first_pixel: usize,
    pub(super) pixels: usize,
    /// The output cell that the first pixel's last tap reads (may lie outside).
    pub(super) first_read: isize,
}

/// The remainders of one axis that have pixels.
pub(super) fn remainders(
    size: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Vec<Remainder> {
    (0..stride)
        .map(|r| {
            let first_pixel = (r + stride - padding % stride) % stride;
            let taps = if r < kernel { (kernel - r).div_ceil(stride) } else { 0 };
            // The output cell of tap 0 for the first pixel; tap t reads t cells before.
            let reads = (first_pixel + padding).cast_signed() - r.cast_signed();
            let first_read = reads.div_euclid(stride.cast_signed()) - (taps.cast_signed() - 1);
            let pixels = size.saturating_sub(first_pixel).div_ceil(stride);
            Remainder { first_tap: r, taps, first_pixel, pixels, first_read }
        })
        .filter(|remainder| remainder.pixels > 0)
        .collect()
}

/// The cells that the remainders of an axis read: the first, and how many.
pub(super) fn reach(remainders: &[Remainder]) -> (isize, usize) {
    let used = || remainders.iter().filter(|remainder| remainder.taps > 0);
    let first = used().map(|remainder| remainder.first_read).min().unwrap_or(0);
    let end =
        used().map(|r| r.first_read + (r.taps + r.pixels).cast_signed() - 1).max().unwrap_or(first);
    (first, (end - first).unsigned_abs())
}

impl PhasedGradient {
    pub(super) fn new<T: Element>(isa: Isa, geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
        let down = remainders(input.height, kernel.height, stride.height, padding.height);
        let across = remainders(input.width, kernel.width, stride.width, padding.width);
        let ((top, frame_height), (left, frame_width)) = (reach(&down), reach(&across));
        let frame = Frame {
            height: output.height,
            width: output.width,
            channels: output.channels,
            top: -top,
            left: -left,
            frame_height,
            frame_width,
        };
        let pairs = down.iter().flat_map(|y| across.iter().map(move |x| (*y, *x)));
        let has_gaps = down.iter().chain(&across).any(|remainder| remainder.taps == 0);
        let phases = pairs
            .filter(|(y, x)| y.taps > 0 && x.taps > 0)
            .map(|(y, x)| Phase::new::<T>(isa, geometry, &frame, y, x))
            .collect();
        Self { geometry: *geometry, frame, phases, has_gaps }
    }

    /// Multiply-adds of vectors for one image.
    fn work<T: Element>(&self, isa: Isa) -> usize {
        let vectors = self.geometry.group_inputs().div_ceil(T::isa(isa).lanes());
        let one_group =
            self.phases.iter().map(|phase| phase.windows.rows.len() * phase.windows.columns());
        one_group.sum::<usize>() * vectors * self.geometry.groups
    }

    pub(super) fn packed_len(&self) -> usize {
        let one_group: usize = self.phases.iter().map(|phase| phase.panels.len()).sum();
        one_group * self.geometry.groups
    }

    pub(super) fn scratch_len(&self) -> usize {
        if self.frame.is_identity() { 0 } else { self.frame.len() }
    }

    /// Gathers the turned weights of every phase and group.
    pub(super) fn pack<T: Element>(&self, weight: &[T], packed: &mut [T]) {
        let mut rest = packed;
        for phase in &self.phases {
            for group in 0..self.geometry.groups {
                let (packed, after) = rest.split_at_mut(phase.panels.len());
                let weight = &weight[group * self.geometry.group_outputs()..];
                for (to, from) in packed.iter_mut().zip(&phase.gather) {
                    *to = if *from == PADDING { T::ZERO } else { weight[*from as usize] };
                }
                rest = after;
            }
        }
    }

    pub(super) fn run<T: Element>(
        &self,
        isa: Isa,
        packed: &[T],
        grad_output: &[T],
        grad_input: &mut [T],
        scratch: &mut [T],
    ) {
        let Geometry { input, output, .. } = self.geometry;
        let images = grad_output.chunks_exact(output.len());
        for (grad, out) in images.zip(grad_input.chunks_exact_mut(input.len())) {
            if self.has_gaps {
                out.fill(T::ZERO);
            }
            let framed = if self.frame.is_identity() {
                grad
            } else {
                self.frame.place(grad, T::ZERO, scratch);
                &scratch[..self.frame.len()]
            };
            self.run_one(isa, packed, framed, out);
        }
    }

    fn run_one<T: Element>(&self, isa: Isa, packed: &[T], framed: &[T], out: &mut [T]) {
        let mut rest = packed;
        for phase in &self.phases {
            for group in 0..self.geometry.groups {
                let (panels, after) = rest.split_at(phase.panels.len());
                multiply(
                    isa,
                    &phase.windows,
                    &framed[phase.start + group * self.geometry.group_outputs()..],
                    &phase.panels,
                    panels,
                    None,
                    Finish::Store,
                    &phase.out_rows,
                    &mut out[phase.out_start + group * self.geometry.group_inputs()..],
                );
                rest = after;
            }
        }
    }
}

impl Phase {
    fn new<T: Element>(
        isa: Isa,
        geometry: &Geometry,
        frame: &Frame,
        y: Remainder,
        x: Remainder,
    ) -> Self {
        let Geometry { input, output, stride, groups, .. } = *geometry;
        let pitch = frame.frame_width * output.channels;
        let row = (y.first_read + frame.top).unsigned_abs();
        let column = (x.first_read + frame.left).unsigned_abs();
        let rows = Grid {
            outer: y.pixels,
            outer_pitch: pitch,
            inner: x.pixels,
            inner_pitch: output.channels,
        };
        let windows = if groups == 1 {
            Left { rows, runs: Grid::line(y.taps, pitch), run: x.taps * output.channels }
        } else {
            let runs = Grid {
                outer: y.taps,
                outer_pitch: pitch,
                inner: x.taps,
                inner_pitch: output.channels,
            };
            Left { rows, runs, run: geometry.group_outputs() }
        };
        let panels = Panels::new::<T>(isa, windows.columns(), geometry.group_inputs());
        Self {
            start: row * pitch + column * output.channels,
            windows,
            panels,
            gather: gather(geometry, &panels, y, x),
            out_start: (y.first_pixel * input.width + x.first_pixel) * input.channels,
            out_rows: Grid {
                outer: y.pixels,
                outer_pitch: stride.height * input.width * input.channels,
                inner: x.pixels,
                inner_pitch: stride.width * input.channels,
            },
        }
    }
}

/// The places of a phase's packed weights: rows (kernel row from the last tap to the first, column likewise, output
/// channel), columns input channel.
fn gather(geometry: &Geometry, panels: &Panels, y: Remainder, x: Remainder) -> Vec<u32> {
    let Geometry { kernel, stride, output, .. } = *geometry;
    let (inputs, outputs) = (geometry.group_inputs(), geometry.group_outputs());
    let place = |k: usize, n: usize| {
        let (tap, channel) = (k / outputs, k % outputs);
        let ky = y.first_tap + stride.height * (y.taps - 1 - tap / x.taps);
        let kx = x.first_tap + stride.width * (x.taps - 1 - tap % x.taps);
        ((ky * kernel.width + kx) * inputs + n) * output.channels + channel
    };
    let mut places = vec![PADDING; panels.len()];
    panels.arrange(&mut places, PADDING, |k, n| {
        u32::try_from(place(k, n)).expect("a weight tensor has fewer than 2^32 numbers")
    });
    places
}
