//! Convolutions: forward, the gradient by the input and the gradient by the weights. The direct kernels find images in
//! their frames already; Winograd's take them as they are, and count the operations of the direct form.

use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::isa::{Bf16Unit, Isa};
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply, multiply_transposed};
use percept_kernels::winograd::{self, Convolution, Operands, Tile};

/// A convolution of square images.
#[derive(Clone, Copy)]
pub(crate) struct Conv {
    /// Pixels of a side of the input.
    pub(crate) side: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

/// What is measured: one chunk of images.
pub(crate) type Run = Box<dyn FnMut()>;

/// A way to compute a part of a convolution.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// `None` where the kernel does not serve this convolution.
    pub(crate) prepare: fn(Isa, Conv) -> Option<Run>,
}

/// A new kernel is a new line.
const KERNELS: [Kernel; 6] = [
    Kernel { name: "forward", prepare: direct_forward },
    Kernel { name: "input gradient", prepare: direct_input_gradient },
    Kernel { name: "weight gradient", prepare: direct_weight_gradient },
    Kernel {
        name: "winograd 2x2 forward",
        prepare: |isa, conv| winograd_forward(isa, Tile::Two, Operands::Exact, conv),
    },
    Kernel {
        name: "winograd 4x4 forward",
        prepare: |isa, conv| winograd_forward(isa, Tile::Four, Operands::Exact, conv),
    },
    Kernel {
        name: "winograd 4x4 weight gradient",
        prepare: |isa, conv| winograd_weight_gradient(isa, Operands::Exact, conv),
    },
];

/// Those of the networks in `bench/peers`, then those of the presets `cnn` and `best`, then those of `colour`.
const SHAPES: [Conv; 18] = [
    conv(28, 1, 32, 3, 1),
    conv(28, 32, 32, 3, 1),
    conv(14, 32, 64, 3, 1),
    conv(14, 64, 64, 3, 1),
    conv(28, 1, 6, 5, 1),
    Conv { padding: 0, ..conv(14, 6, 16, 5, 1) },
    conv(32, 3, 16, 3, 1),
    conv(32, 16, 16, 3, 1),
    conv(32, 16, 32, 3, 2),
    conv(16, 32, 32, 3, 1),
    conv(16, 32, 64, 3, 2),
    conv(8, 64, 64, 3, 1),
    conv(28, 1, 24, 5, 2),
    conv(14, 24, 48, 3, 1),
    conv(7, 48, 96, 3, 1),
    conv(31, 24, 64, 3, 1),
    conv(15, 64, 256, 3, 1),
    conv(7, 256, 256, 3, 1),
];

const fn conv(side: usize, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Conv {
    Conv { side, inputs, outputs, kernel, stride, padding: kernel / 2 }
}

impl Conv {
    pub(crate) fn name(self) -> String {
        let Self { side, inputs, outputs, kernel, stride, .. } = self;
        let stride = if stride == 1 { String::new() } else { format!(" stride {stride}") };
        format!("{inputs}-{outputs} {kernel}x{kernel}{stride} {side}x{side}")
    }

    pub(crate) fn framed_side(self) -> usize {
        self.side + 2 * self.padding
    }

    pub(crate) fn output_side(self) -> usize {
        (self.framed_side() - self.kernel) / self.stride + 1
    }

    pub(crate) fn framed_len(self) -> usize {
        self.framed_side().pow(2) * self.inputs
    }

    pub(crate) fn output_len(self) -> usize {
        self.output_side().pow(2) * self.outputs
    }

    /// Numbers that an output sums over.
    fn window(self) -> usize {
        self.kernel.pow(2) * self.inputs
    }

    /// Floating-point operations of a chunk, as `percept show` counts them.
    pub(crate) fn operations(self) -> u64 {
        (2 * IMAGES * self.output_len() * self.window()) as u64
    }

    fn windows(self) -> Left {
        let pitch = self.framed_side() * self.inputs;
        let rows = Grid {
            outer: self.output_side(),
            outer_pitch: self.stride * pitch,
            inner: self.output_side(),
            inner_pitch: self.stride * self.inputs,
        };
        Left { rows, runs: Grid::line(self.kernel, pitch), run: self.kernel * self.inputs }
    }

    fn out_rows(self) -> Grid {
        let side = self.output_side();
        Grid {
            outer: side,
            outer_pitch: side * self.outputs,
            inner: side,
            inner_pitch: self.outputs,
        }
    }
}

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    measure_each(criterion, isa, "conv", &KERNELS);
}

/// Measures kernels with every convolution that they serve.
pub(crate) fn measure_each(
    criterion: &mut Criterion<OfPeak>,
    isa: Isa,
    what: &str,
    kernels: &[Kernel],
) {
    for Kernel { name, prepare } in kernels {
        let mut group = criterion.benchmark_group(format!("{isa}/{what} {name}"));
        for shape in SHAPES {
            if let Some(mut run) = prepare(isa, shape) {
                group.throughput(Throughput::Elements(shape.operations()));
                group.bench_function(shape.name(), |bencher| bencher.iter(&mut run));
            }
        }
    }
}

fn direct_forward(isa: Isa, conv: Conv) -> Option<Run> {
    let panels = Panels::new::<f32>(isa, conv.window(), conv.outputs);
    let (weight, bias) = (some(panels.len()), some(panels.padded_columns()));
    let images = some(IMAGES * conv.framed_len());
    let mut out = some(IMAGES * conv.output_len());
    let (windows, rows) = (conv.windows(), conv.out_rows());
    Some(Box::new(move || {
        let chunk = images.chunks_exact(conv.framed_len());
        for (image, out) in chunk.zip(out.chunks_exact_mut(conv.output_len())) {
            let (bias, finish) = (Some(&*bias), Finish::StoreRelu);
            multiply(isa, &windows, image, &panels, &weight, bias, finish, &rows, out);
        }
    }))
}

/// With stride 1 it is the convolution of the framed output gradient with the turned weights. First layers need none.
fn direct_input_gradient(isa: Isa, conv: Conv) -> Option<Run> {
    let Conv { inputs, outputs, kernel, padding, .. } = conv;
    let turned = Conv {
        side: conv.output_side(),
        inputs: outputs,
        outputs: inputs,
        padding: kernel - 1 - padding,
        ..conv
    };
    (conv.stride == 1 && inputs > 3).then(|| direct_forward(isa, turned)).flatten()
}

fn direct_weight_gradient(isa: Isa, conv: Conv) -> Option<Run> {
    let images = some(IMAGES * conv.framed_len());
    let grads = some(IMAGES * conv.output_len());
    let mut weight = some(conv.window() * conv.outputs);
    let (windows, rows, n) = (conv.windows(), conv.out_rows(), conv.outputs);
    Some(Box::new(move || {
        let chunk = images.chunks_exact(conv.framed_len());
        for (image, grad) in chunk.zip(grads.chunks_exact(conv.output_len())) {
            multiply_transposed(isa, &windows, image, &rows, grad, n, &mut weight, n);
        }
    }))
}

/// Winograd's kernels serve 3x3 windows and stride 1; with few channels nothing takes them, and bf16 operands only in pairs.
fn winograd(isa: Isa, tile: Tile, operands: Operands, conv: Conv) -> Option<Convolution> {
    let Conv { side, inputs, outputs, kernel, stride, padding } = conv;
    let padding = padding.cast_signed();
    let is_served = operands == Operands::Exact || isa.bf16_unit() != Bf16Unit::Widened;
    (kernel == 3 && stride == 1 && inputs >= 16 && is_served).then(|| {
        let channels = [inputs, outputs];
        Convolution::new::<f32>(isa, tile, operands, [side; 2], [padding; 2], channels)
    })
}

pub(crate) fn winograd_forward(
    isa: Isa,
    tile: Tile,
    operands: Operands,
    conv: Conv,
) -> Option<Run> {
    let convolution = winograd(isa, tile, operands, conv)?;
    let (weights, bias) =
        (some(convolution.weights_len()), some(convolution.padded_out_channels()));
    let images = some(IMAGES * conv.side.pow(2) * conv.inputs);
    let mut scratch = some(convolution.scratch_len(IMAGES));
    let mut out = some(IMAGES * conv.output_len());
    Some(Box::new(move || {
        let (bias, finish) = (Some(&*bias), Finish::StoreRelu);
        let scratch = &mut scratch;
        winograd::convolve(isa, &convolution, &images, &weights, bias, finish, scratch, &mut out);
    }))
}

pub(crate) fn winograd_weight_gradient(isa: Isa, operands: Operands, conv: Conv) -> Option<Run> {
    let convolution = winograd(isa, Tile::Four, operands, conv)?;
    let images = some(IMAGES * conv.side.pow(2) * conv.inputs);
    let grads = some(IMAGES * conv.output_len());
    let mut scratch = some(convolution.gradient_scratch_len(IMAGES));
    let mut weight = some(9 * conv.inputs * conv.outputs);
    Some(Box::new(move || {
        let (scratch, weight) = (&mut scratch, &mut weight);
        winograd::add_weight_gradient(isa, &convolution, &images, &grads, scratch, weight);
    }))
}
