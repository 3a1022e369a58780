//! Every bf16 body against the portable truth, and the truth against sums in f64.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::bf16::arrange::{convert, interleave, interleave_rows, transpose, turn};
use percept_kernels::bf16::product::{
    Output, Planes, Tap, Windows, multiply, multiply_transposed, pack, packed_len, pairs_len,
};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT};
use percept_kernels::isa::Isa;
use percept_kernels::product::Grid;
use percept_kernels::random::{Draws, Purpose};

fn random(len: usize, name: u64) -> Vec<f32> {
    let mut draws = Draws::new(7, Purpose::Test, 0, name);
    (0..len).map(|_| draws.normal()).collect()
}

fn rounded(numbers: &[f32]) -> Vec<Bf16> {
    numbers.iter().map(|x| Bf16::from_f32(*x)).collect()
}

fn units() -> Vec<Isa> {
    let isas = Isa::available_with_units();
    println!("bf16 bodies: {}", isas.iter().map(Isa::to_string).collect::<Vec<_>>().join(", "));
    isas
}

/// Sums of up to 600 products of normal numbers in fp32, added in another order: the error is far below this.
fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(*found) - expected).abs();
        assert!(distance <= 2e-4 * (1.0 + expected.abs()), "{what}[{index}]: {found} {expected}");
    }
}

#[test]
fn conversion_and_interleaving_are_the_same_on_every_body() {
    for isa in units() {
        for (pixels, channels, to) in
            [(1, 1, 1), (5, 3, 3), (7, 6, 6), (3, 24, 32), (4, 16, 16), (2, 100, 128), (9, 33, 33)]
        {
            let from = random(pixels * channels, 1);
            let mut found = vec![Bf16::from_f32(9.0); pixels * to];
            convert(isa, &from, channels, &mut found, to);
            for (from, found) in from.chunks(channels).zip(found.chunks(to)) {
                assert_eq!(found[..channels], rounded(from), "{isa}");
                assert!(found[channels..].iter().all(|x| *x == Bf16::ZERO), "{isa}");
            }
        }
        for len in [1, 10, 16, 17, 40] {
            let (first, second) = (random(len, 2), random(len, 3));
            for second in [&second[..], &[]] {
                let mut pairs = vec![Bf16::from_f32(9.0); 2 * len.next_multiple_of(COLUMNS)];
                interleave(isa, &first, second, &mut pairs);
                for (index, pair) in pairs.chunks(2).enumerate() {
                    let at =
                        |row: &[f32]| row.get(index).map_or(Bf16::ZERO, |x| Bf16::from_f32(*x));
                    assert_eq!(pair, [at(&first), at(second)], "{isa} {len} {index}");
                }
            }
        }
    }
}

#[test]
fn rows_and_tiles_are_the_same_on_every_body() {
    for isa in units() {
        for (rows, columns) in [(1, 1), (2, 16), (5, 24), (14, 33), (16, 32)] {
            let from = random(rows * columns, 5);
            let width = 2 * columns.next_multiple_of(COLUMNS);
            let mut pairs = vec![Bf16::from_f32(9.0); rows.div_ceil(2) * width];
            interleave_rows(isa, &from, columns, &mut pairs);
            let at = |row: usize, n: usize| {
                let exists = row < rows && n < columns;
                Bf16::from_f32(if exists { from[row * columns + n] } else { 0.0 })
            };
            for (index, found) in pairs.iter().enumerate() {
                let (pair, n, side) = (index / width, index % width / 2, index % 2);
                assert_eq!(*found, at(2 * pair + side, n), "{isa}: {rows}x{columns} {index}");
            }
            if rows <= COLUMNS && columns <= SEGMENT {
                let mut tile = vec![Bf16::from_f32(9.0); SEGMENT * COLUMNS];
                turn(isa, &from, columns, rows, columns, &mut tile);
                for (index, found) in tile.iter().enumerate() {
                    let (k, row) = (index / 32 * 2 + index % 2, index % 32 / 2);
                    assert_eq!(*found, at(row, k), "{isa}: {rows}x{columns} {index}");
                }
            }
        }
    }
}

#[test]
fn transposition_is_the_same_on_every_body() {
    for isa in units() {
        for (pixels, channels, pitch) in
            [(1, 1, 1), (28, 1, 1), (14, 1, 2), (30, 16, 16), (33, 3, 6), (64, 40, 40), (7, 17, 34)]
        {
            let from = random((pixels - 1) * pitch + channels, 4);
            let padded = pixels.next_multiple_of(32);
            let plane = padded + 6;
            let mut to = vec![Bf16::from_f32(9.0); channels * plane];
            transpose(isa, &from, pitch, pixels, channels, &mut to, plane);
            for (c, plane) in to.chunks(plane).enumerate() {
                for (pixel, found) in plane[..padded].iter().enumerate() {
                    let expected = if pixel < pixels { from[pixel * pitch + c] } else { 0.0 };
                    assert_eq!(*found, Bf16::from_f32(expected), "{isa} {channels} {c} {pixel}");
                }
                assert!(plane[padded..].iter().all(|x| x.to_f32() == 9.0), "{isa}: behind a plane");
            }
        }
    }
}

/// (images, outer, inner, pixel pitch, segments, columns)
const PRODUCTS: [(usize, usize, usize, usize, usize, usize); 9] = [
    (1, 1, 1, 32, 1, 1),
    (2, 3, 5, 32, 2, 10),
    (1, 2, 16, 64, 3, 16),
    (3, 4, 14, 32, 4, 32),
    (2, 5, 28, 1, 5, 24),
    (1, 1, 33, 40, 2, 48),
    (2, 2, 17, 2, 1, 65),
    (1, 7, 7, 48, 18, 64),
    (1, 3, 20, 32, 2, 47),
];

#[test]
fn products_agree_with_sums_in_f64() {
    for isa in units() {
        for (case, (images, outer, inner, pitch, segments, columns)) in
            PRODUCTS.into_iter().enumerate()
        {
            for (relu, gap) in [(false, 0), (true, 0), (false, 3)] {
                let rows = Grid { outer, outer_pitch: inner * pitch, inner, inner_pitch: pitch };
                let windows = Windows {
                    image_pitch: outer * inner * pitch + 32,
                    rows,
                    segments: &(0..segments).map(|s| 16 * s).collect::<Vec<_>>(),
                };
                let left = rounded(&random(windows.span(images).unwrap(), case as u64));
                let weight = random(segments * SEGMENT * columns, 50);
                let bias = random(columns.next_multiple_of(COLUMNS), 51);
                let mut right = vec![Bf16::ZERO; packed_len(segments, columns)];
                let row =
                    |k: usize| if k % 7 == 3 { &[][..] } else { &weight[k * columns..][..columns] };
                pack(isa, segments, columns, row, &mut right);
                let width = columns + gap;
                let out_rows =
                    Grid { outer, outer_pitch: inner * width, inner, inner_pitch: width };
                let output =
                    Output { image_pitch: outer * inner * width, rows: out_rows, columns, relu };
                let len = images * outer * inner * width;
                let mut out = vec![7.0; len];
                multiply(isa, images, &windows, &left, &right, &bias, &output, &mut out);
                let mut expected = vec![7.0; len];
                for pixel in 0..images * outer * inner {
                    let (image, within) = (pixel / (outer * inner), pixel % (outer * inner));
                    let from = image * windows.image_pitch + within * pitch;
                    for n in 0..columns {
                        let terms = (0..segments * SEGMENT).filter(|k| k % 7 != 3).map(|k| {
                            let x = left[from + windows.segments[k / SEGMENT] + k % SEGMENT];
                            let w = Bf16::from_f32(weight[k * columns + n]);
                            f64::from(x.to_f32()) * f64::from(w.to_f32())
                        });
                        let sum = f64::from(bias[n]) + terms.sum::<f64>();
                        expected[pixel * width + n] = if relu { sum.max(0.0) } else { sum };
                    }
                }
                assert_close(&out, &expected, &format!("{isa}: case {case}, gap {gap}"));
            }
        }
    }
}

#[test]
fn transposed_products_agree_with_sums_in_f64() {
    // (images, pixels, columns, rows of each tap, row pitch)
    let cases = [
        (1, 32, 1, vec![1], 40),
        (2, 64, 10, vec![3, 2], 70),
        (3, 96, 24, vec![16; 9], 130),
        (1, 32, 32, vec![32; 3], 34),
        (2, 32, 80, vec![5, 40, 17], 1),
        (4, 64, 17, vec![24], 66),
    ];
    for isa in units() {
        for (case, (images, pixels, columns, taps, row_pitch)) in cases.iter().enumerate() {
            let (images, pixels, columns) = (*images, *pixels, *columns);
            let mut out_rows = 0;
            let taps: Vec<Tap> = taps
                .iter()
                .enumerate()
                .map(|(index, rows)| {
                    let tap =
                        Tap { offset: 3 * index, rows: *rows, out_row: out_rows, out_step: 2 };
                    out_rows += 2 * rows;
                    tap
                })
                .collect();
            let mut planes = Planes { image_pitch: 0, row_pitch: *row_pitch, pixels, taps: &taps };
            planes.image_pitch = planes.span(1).unwrap() + 2;
            let left = rounded(&random(planes.span(images).unwrap(), case as u64));
            let numbers = random(images * pixels * columns, 60);
            let pairs = pairs_len(pixels, columns);
            let mut right = vec![Bf16::ZERO; images * pairs];
            for (pair, rows) in right
                .chunks_mut(2 * columns.next_multiple_of(COLUMNS))
                .zip(numbers.chunks(2 * columns))
            {
                interleave(isa, &rows[..columns], &rows[columns..], pair);
            }
            let mut out = vec![0.5; out_rows * columns];
            multiply_transposed(isa, images, &planes, &left, &right, columns, &mut out);
            let mut expected = vec![0.5; out_rows * columns];
            for tap in planes.taps {
                for row in 0..tap.rows {
                    for n in 0..columns {
                        let terms = (0..images * pixels).map(|index| {
                            let (image, pixel) = (index / pixels, index % pixels);
                            let at =
                                image * planes.image_pitch + tap.offset + row * planes.row_pitch;
                            let g = Bf16::from_f32(numbers[index * columns + n]);
                            f64::from(left[at + pixel].to_f32()) * f64::from(g.to_f32())
                        });
                        expected[(tap.out_row + row * tap.out_step) * columns + n] +=
                            terms.sum::<f64>();
                    }
                }
            }
            assert_close(&out, &expected, &format!("{isa}: case {case}"));
        }
    }
}

#[test]
fn infinite_and_missing_numbers_reach_the_sums() {
    for isa in units() {
        let rows = Grid::line(1, SEGMENT);
        let windows = Windows { image_pitch: 0, rows, segments: &[0] };
        let output = Output { image_pitch: 0, rows: Grid::line(1, 1), columns: 1, relu: false };
        let weight = [1.0; SEGMENT];
        let mut right = vec![Bf16::ZERO; packed_len(1, 1)];
        pack(isa, 1, 1, |k| &weight[k..=k], &mut right);
        for value in [f32::INFINITY, f32::NAN] {
            let mut numbers = vec![0.0; windows.span(1).unwrap()];
            numbers[5] = value;
            let mut left = vec![Bf16::ZERO; numbers.len()];
            convert(isa, &numbers, 1, &mut left, 1);
            let mut out = [0.0];
            multiply(isa, 1, &windows, &left, &right, &[0.0; COLUMNS], &output, &mut out);
            assert_eq!(out[0].is_nan(), value.is_nan(), "{isa}");
            assert!(!out[0].is_finite(), "{isa}");
        }
    }
}
