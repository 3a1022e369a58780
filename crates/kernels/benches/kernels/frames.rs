//! Copies of images into zero frames.

use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;

/// Side of the image, channels, and the padding around it.
const SHAPES: [[usize; 3]; 8] = [
    [28, 1, 1],
    [28, 1, 2],
    [32, 3, 1],
    [14, 6, 2],
    [32, 16, 1],
    [28, 32, 1],
    [14, 64, 1],
    [7, 96, 1],
];

/// The copies have one body for all instruction sets: they are measured once.
pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    if isa != Isa::SCALAR {
        return;
    }
    let mut group = criterion.benchmark_group("frame");
    for [side, channels, padding] in SHAPES {
        let frame = Frame {
            height: side,
            width: side,
            channels,
            top: padding.cast_signed(),
            left: padding.cast_signed(),
            frame_height: side + 2 * padding,
            frame_width: side + 2 * padding,
        };
        let len = side * side * channels;
        let images = some(IMAGES * len);
        let mut out = some(frame.len());
        let numbers = IMAGES * (len + frame.len());
        group.throughput(Throughput::BytesDecimal((numbers * size_of::<f32>()) as u64));
        group.bench_function(format!("{side}x{side}x{channels} by {padding}"), |bencher| {
            bencher.iter(|| {
                images.chunks_exact(len).for_each(|image| frame.place(image, 0.0, &mut out));
            });
        });
    }
}
