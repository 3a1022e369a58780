//! Convolutions: forward, the gradient by the input and the gradient by the weights, images in their frames already.

use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::isa::Isa;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply, multiply_transposed};

/// A convolution of square images.
#[derive(Clone, Copy)]
struct Conv {
    /// Pixels of a side of the input.
    side: usize,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// What is measured: one chunk of images.
type Run = Box<dyn FnMut()>;

/// A way to compute a part of a convolution.
struct Kernel {
    name: &'static str,
    /// `None` where the kernel does not serve this convolution.
    prepare: fn(Isa, Conv) -> Option<Run>,
}

/// A new kernel is a new line.
const KERNELS: [Kernel; 3] = [
    Kernel { name: "forward", prepare: direct_forward },
    Kernel { name: "input gradient", prepare: direct_input_gradient },
    Kernel { name: "weight gradient", prepare: direct_weight_gradient },
];

/// Those of the networks in `bench/peers`, then those of the presets `cnn` and `best`.
const SHAPES: [Conv; 15] = [
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
];

const fn conv(side: usize, inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Conv {
    Conv { side, inputs, outputs, kernel, stride, padding: kernel / 2 }
}

impl Conv {
    fn name(self) -> String {
        let Self { side, inputs, outputs, kernel, stride, .. } = self;
        let stride = if stride == 1 { String::new() } else { format!(" stride {stride}") };
        format!("{inputs}-{outputs} {kernel}x{kernel}{stride} {side}x{side}")
    }

    fn framed_side(self) -> usize {
        self.side + 2 * self.padding
    }

    fn output_side(self) -> usize {
        (self.framed_side() - self.kernel) / self.stride + 1
    }

    fn framed_len(self) -> usize {
        self.framed_side().pow(2) * self.inputs
    }

    fn output_len(self) -> usize {
        self.output_side().pow(2) * self.outputs
    }

    /// Numbers that an output sums over.
    fn window(self) -> usize {
        self.kernel.pow(2) * self.inputs
    }

    /// Floating-point operations of a chunk, as `percept show` counts them.
    fn operations(self) -> u64 {
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
    for Kernel { name, prepare } in KERNELS {
        let mut group = criterion.benchmark_group(format!("{isa}/conv {name}"));
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
