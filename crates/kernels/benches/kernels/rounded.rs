//! Convolutions with bf16 operands: forward and the gradient by the weights, operands in their layouts already but for
//! Winograd's. Shares are
//! of the peak of fp32.

use crate::convolution::{
    Conv, Kernel, Run, measure_each, winograd_forward, winograd_weight_gradient,
};
use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::Criterion;
use percept_kernels::aligned::Aligned;
use percept_kernels::bf16::product::{
    Output, Planes, ROWS, RowTile, Tap, TileOrder, Windows, multiply, multiply_transposed,
    packed_len,
};
use percept_kernels::bf16::{COLUMNS, SEGMENT, TILE, arrange, storage, storage_len, stored};
use percept_kernels::isa::Isa;
use percept_kernels::product::Grid;
use percept_kernels::winograd::{Operands, Tile};

const KERNELS: [Kernel; 4] = [
    Kernel {
        name: "winograd 4x4 forward",
        prepare: |isa, conv| winograd_forward(isa, Tile::Four, Operands::Bf16, conv),
    },
    Kernel {
        name: "winograd 4x4 weight gradient",
        prepare: |isa, conv| winograd_weight_gradient(isa, Operands::Bf16, conv),
    },
    Kernel { name: "forward", prepare: forward },
    Kernel { name: "weight gradient", prepare: weight_gradient },
];

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    measure_each(criterion, isa, "bf16 conv", &KERNELS);
}

/// Memory with so many bf16 numbers between -1 and 1.
fn rounded(isa: Isa, len: usize) -> Aligned<f32> {
    let len = len.next_multiple_of(COLUMNS);
    let mut numbers = Aligned::zeros(storage_len(len));
    arrange::convert(isa, &some(len), COLUMNS, &mut storage(&mut numbers)[..len], COLUMNS);
    numbers
}

/// Channels as they lie in frames of whole segments; kernels of few channels have layouts of their own.
fn frame_channels(conv: Conv) -> Option<usize> {
    (conv.inputs >= 16).then(|| conv.inputs.next_multiple_of(SEGMENT))
}

fn forward(isa: Isa, conv: Conv) -> Option<Run> {
    let channels = frame_channels(conv)?;
    let pitch = conv.framed_side() * channels;
    let (side, columns) = (conv.output_side(), conv.outputs);
    let mut segments = Vec::new();
    for first in (0..channels).step_by(SEGMENT) {
        for (ky, kx) in cells(conv.kernel) {
            segments.push(ky * pitch + kx * channels + first);
        }
    }
    let rows = Grid {
        outer: side,
        outer_pitch: conv.stride * pitch,
        inner: side,
        inner_pitch: conv.stride * channels,
    };
    let image_pitch = conv.framed_side() * pitch;
    let out_rows =
        Grid { outer: side, outer_pitch: side * columns, inner: side, inner_pitch: columns };
    let output = Output { image_pitch: conv.output_len(), rows: out_rows, columns, relu: true };
    let span = Windows { image_pitch, rows, segments: &segments, tiles: TileOrder::ByColumns }
        .span(IMAGES)?;
    let packed = packed_len(segments.len(), columns);
    let (left, right) = (rounded(isa, span), rounded(isa, packed));
    let bias = some(columns.next_multiple_of(COLUMNS));
    let mut out = some(IMAGES * conv.output_len());
    Some(Box::new(move || {
        let windows =
            Windows { image_pitch, rows, segments: &segments, tiles: TileOrder::ByColumns };
        let (left, right) = (stored(&left), &stored(&right)[..packed]);
        multiply(isa, IMAGES, &windows, left, right, &bias, &output, &mut out);
    }))
}

/// With stride 1: one row tile for each 16 channels, a tap for each cell of the kernel.
fn weight_gradient(isa: Isa, conv: Conv) -> Option<Run> {
    let Conv { inputs, outputs, kernel, padding, .. } = conv;
    if conv.stride != 1 || inputs < 16 {
        return None;
    }
    let width = (conv.side + padding).next_multiple_of(2);
    let segments = (IMAGES * width * (conv.side + padding)).div_ceil(SEGMENT);
    let before = ((kernel - 1) * width + kernel).next_multiple_of(2);
    let taps: Vec<Tap> = cells(kernel)
        .enumerate()
        .map(|(cell, (ky, kx))| Tap {
            offset: (before / 2 - (ky * width + kx) / 2) * 2 * COLUMNS,
            copy: (ky * width + kx) % 2,
            out_row: cell * inputs,
        })
        .collect();
    let tiles: Vec<RowTile> = (0..inputs)
        .step_by(ROWS)
        .map(|first| RowTile {
            index: first / ROWS,
            rows: ROWS.min(inputs - first),
            out_rows: core::array::from_fn(|row| (first + row) as u32),
            first_tap: 0,
            taps: taps.len(),
        })
        .collect();
    let column_pitch = before * COLUMNS + segments * TILE;
    let copy_pitch = outputs.div_ceil(COLUMNS) * column_pitch;
    let (left, right) = (rounded(isa, tiles.len() * segments * TILE), rounded(isa, 2 * copy_pitch));
    let mut out = some(kernel * kernel * inputs * outputs);
    Some(Box::new(move || {
        let planes = Planes {
            segments,
            segment_pitch: TILE,
            tiles: &tiles,
            tile_pitch: segments * TILE,
            taps: &taps,
            column_pitch,
            copy_pitch,
        };
        multiply_transposed(isa, &planes, stored(&left), stored(&right), outputs, true, &mut out);
    }))
}

/// Rows and columns of a square kernel.
fn cells(kernel: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..kernel * kernel).map(move |cell| (cell / kernel, cell % kernel))
}
