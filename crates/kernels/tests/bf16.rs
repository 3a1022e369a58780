//! Every bf16 body against the portable truth, and the truth against sums in f64.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::bf16::added::{AddedRows, Spread, multiply_add, spread};
use percept_kernels::bf16::arrange::{
    PixelTable, Pixels, convert, gather_pairs, gather_planes, order, pack, turn, turn_rows,
};
use percept_kernels::bf16::product::{
    Output, Planes, RowTile, Tap, TileOrder, Windows, multiply, multiply_transposed, packed_len,
};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE};
use percept_kernels::isa::Isa;
use percept_kernels::pool::{self, Windows as PooledWindows};
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
fn conversion_and_packing_are_the_same_on_every_body() {
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
        for (segments, columns) in [(1, 1), (2, 10), (1, 16), (3, 17), (2, 40)] {
            let rows: Vec<_> = (0..segments * SEGMENT).map(|k| random(columns, k as u64)).collect();
            let row = |k: usize| if k % 7 == 3 { &[] } else { &rows[k][..] };
            let mut packed = vec![Bf16::from_f32(9.0); packed_len(segments, columns)];
            pack(isa, segments, columns, row, &mut packed);
            for (index, found) in packed.iter().enumerate() {
                let (pair, column) = (index / (2 * COLUMNS), index % (2 * COLUMNS) / 2);
                let column = pair / (segments * SEGMENT / 2) * COLUMNS + column;
                let k = pair % (segments * SEGMENT / 2) * 2 + index % 2;
                let expected = row(k).get(column).map_or(Bf16::ZERO, |x| Bf16::from_f32(*x));
                assert_eq!(*found, expected, "{isa} {segments} {columns} {index}");
            }
        }
    }
}

#[test]
fn tiles_of_rows_are_the_same_on_every_body() {
    for isa in units() {
        for (rows, columns, pitch) in [(1, 1, 1), (2, 16, 20), (5, 24, 24), (16, 32, 40)] {
            let from = random((rows - 1) * pitch + columns, 5);
            let mut tile = vec![Bf16::from_f32(9.0); TILE];
            turn(isa, &from, pitch, rows, columns, &mut tile);
            for (index, found) in tile.iter().enumerate() {
                let (k, row) = (index / 32 * 2 + index % 2, index % 32 / 2);
                let exists = row < rows && k < columns;
                let expected = if exists { from[row * pitch + k] } else { 0.0 };
                assert_eq!(*found, Bf16::from_f32(expected), "{isa}: {rows}x{columns} {index}");
            }
        }
    }
}

/// Every third pixel of a line is zeros, the others lie in reverse order.
fn reversed(pixels: usize, pitch: usize) -> Vec<Option<usize>> {
    (0..pixels).map(|pixel| (pixel % 3 != 1).then(|| (pixels - 1 - pixel) * pitch)).collect()
}

#[test]
fn gathered_pixels_are_the_same_on_every_body() {
    for isa in units() {
        for (pixels, channels, pitch) in
            [(1, 1, 1), (28, 1, 1), (14, 5, 1), (30, 16, 16), (33, 3, 6), (64, 40, 40), (7, 17, 34)]
        {
            let from = random((pixels - 1) * pitch + channels, 4);
            let places = reversed(pixels, pitch);
            let table = PixelTable::new(places.iter().copied());
            let line: Vec<_> = (0..pixels).map(|pixel| Some(pixel * pitch)).collect();
            let part: Vec<_> = places[..pixels / 2].to_vec();
            let kinds = [
                (Pixels::Table { table: &table, count: pixels }, places),
                (Pixels::Table { table: &table, count: part.len() }, part),
                (Pixels::Line { pitch, count: pixels }, line),
            ];
            for (source, places) in kinds {
                let at = |pixel: isize, channel: usize| {
                    let place = usize::try_from(pixel).ok().and_then(|p| *places.get(p)?);
                    let number =
                        place.filter(|_| channel < channels).map_or(0.0, |p| from[p + channel]);
                    Bf16::from_f32(number)
                };
                let segments = pixels.div_ceil(SEGMENT) + 1;
                let groups = channels.div_ceil(COLUMNS);
                let mut planes = vec![Bf16::from_f32(9.0); groups * segments * TILE];
                gather_planes(isa, &from, source, channels, segments, &mut planes);
                for (index, found) in planes.iter().enumerate() {
                    let (tile, row, pixel) =
                        (index / TILE, index % TILE / SEGMENT, index % SEGMENT);
                    let pixel = tile % segments * SEGMENT + pixel;
                    let expected = at(pixel.cast_signed(), tile / segments * COLUMNS + row);
                    assert_eq!(*found, expected, "{isa}: planes of {channels} [{index}]");
                }
                for (first, copies) in [(0, 1), (-3, 2), (2, 2)] {
                    let pairs = pixels.div_ceil(2) + 3;
                    let width = 2 * COLUMNS;
                    let mut found = vec![Bf16::from_f32(9.0); copies * groups * pairs * width];
                    gather_pairs(isa, &from, source, first, channels, pairs, &mut found);
                    for (index, found) in found.iter().enumerate() {
                        let (pair, channel, side) = (index / width, index % width / 2, index % 2);
                        let (copy, group) = (pair / pairs / groups, pair / pairs % groups);
                        let pixel =
                            (pair % pairs * 2 + side).cast_signed() + first - copy.cast_signed();
                        let expected = at(pixel, group * COLUMNS + channel);
                        assert_eq!(*found, expected, "{isa}: pairs of {channels} [{index}]");
                    }
                }
            }
        }
    }
}

#[test]
fn rounded_rows_are_turned_into_the_same_planes() {
    for isa in units() {
        for (count, features) in [(1, 1), (32, 784), (31, 48), (6, 33), (17, 128), (0, 20)] {
            let from = random(count * features, 3);
            let pitch = features.next_multiple_of(SEGMENT);
            let mut rows = vec![Bf16::from_f32(9.0); count * pitch];
            convert(isa, &from, features, &mut rows, pitch);
            let tiles = vec![Bf16::from_f32(9.0); features.div_ceil(COLUMNS) * TILE];
            let [mut found, mut expected] = [tiles.clone(), tiles];
            turn_rows(isa, &rows, pitch, count, &mut found);
            let pixels = Pixels::Line { pitch: features, count };
            gather_planes(isa, &from, pixels, features, 1, &mut expected);
            assert_eq!(found, expected, "{isa}: {count} rows of {features}");
        }
    }
}

/// (images, outer, inner, pixel pitch, segments, columns)
const PRODUCTS: [(usize, usize, usize, usize, usize, usize); 11] = [
    (1, 1, 1, 32, 1, 1),
    (2, 3, 5, 32, 2, 10),
    (1, 2, 16, 64, 3, 16),
    (3, 4, 14, 32, 4, 32),
    (2, 5, 28, 1, 5, 24),
    (1, 1, 33, 40, 2, 48),
    (2, 2, 17, 2, 1, 65),
    (1, 7, 7, 48, 18, 64),
    (1, 3, 20, 32, 2, 47),
    (2, 3, 20, 16, 3, 6),
    (1, 2, 34, 6, 2, 44),
];

#[test]
fn products_agree_with_sums_in_f64() {
    for isa in units() {
        for (case, (images, outer, inner, pitch, segments, columns)) in
            PRODUCTS.into_iter().enumerate()
        {
            // Pixels behind each row are the frame's.
            let (columns_first, segments_first) = (TileOrder::ByColumns, TileOrder::BySegments);
            for (relu, gap, frame, tiles) in [
                (false, 0, 0, columns_first),
                (true, 0, 0, segments_first),
                (false, 3, 0, columns_first),
                (false, 0, 2, segments_first),
                (true, 2, 1, columns_first),
            ] {
                let outer_pitch = (inner + frame) * pitch;
                let rows = Grid { outer, outer_pitch, inner, inner_pitch: pitch };
                let windows = Windows {
                    image_pitch: outer * outer_pitch + 32,
                    rows,
                    segments: &(0..segments).map(|s| 16 * s).collect::<Vec<_>>(),
                    tiles,
                };
                let left = rounded(&random(windows.span(images).unwrap(), case as u64));
                let weight = random(segments * SEGMENT * columns, 50);
                let bias = random(columns.next_multiple_of(COLUMNS), 51);
                let mut right = vec![Bf16::ZERO; packed_len(segments, columns)];
                let row =
                    |k: usize| if k % 7 == 3 { &[][..] } else { &weight[k * columns..][..columns] };
                // By columns all segments are packed at once, by segments each for itself.
                let together = if tiles == columns_first { segments } else { 1 };
                let parts = right.chunks_exact_mut(packed_len(together, columns));
                for (index, part) in parts.enumerate() {
                    let first = index * together * SEGMENT;
                    pack(isa, together, columns, |k| row(first + k), part);
                    order(isa, columns, 0..columns, part);
                }
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
                    let from = image * windows.image_pitch
                        + within / inner * outer_pitch
                        + within % inner * pitch;
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
                assert_close(
                    &out,
                    &expected,
                    &format!("{isa}: case {case}, gap {gap}, frame {frame}"),
                );
            }
        }
    }
}

#[test]
fn transposed_products_agree_with_sums_in_f64() {
    // (segments, columns, rows of each row tile, taps)
    let cases = [
        (1_usize, 1_usize, vec![1_usize], 1_usize),
        (2, 10, vec![3, 2], 2),
        (9, 24, vec![16, 16, 5], 9),
        (2, 80, vec![16, 9], 3),
        (8, 17, vec![16], 25),
        (0, 5, vec![3], 1),
    ];
    for isa in units() {
        for (case, (segments, columns, rows, taps)) in cases.iter().enumerate() {
            let (segments, columns) = (*segments, *columns);
            let tiles: Vec<RowTile> = rows
                .iter()
                .enumerate()
                .map(|(index, rows)| RowTile {
                    index,
                    rows: *rows,
                    // Two apart, in reverse order.
                    out_rows: std::array::from_fn(|row| {
                        2 * (16 * index + (rows - 1).saturating_sub(row)) as u32
                    }),
                    first_tap: index % 2,
                    taps: taps - index % 2,
                })
                .collect();
            let row_span = 2 * 16 * rows.len();
            let taps: Vec<Tap> = (0..*taps)
                .map(|tap| Tap {
                    offset: 3 * tap * 2 * COLUMNS,
                    copy: tap % 2,
                    out_row: tap * row_span,
                })
                .collect();
            let column_pitch = segments * TILE + 3 * taps.len() * 2 * COLUMNS;
            let copy_pitch = columns.div_ceil(COLUMNS) * column_pitch;
            // The segments of a tile lie together, or a tile's is followed by the next tile's.
            let (segment_pitch, tile_pitch) = match case % 2 {
                0 => (TILE, segments * TILE),
                _ => ((rows.len() + 1) * TILE, TILE),
            };
            let planes = Planes {
                segments,
                segment_pitch,
                tiles: &tiles,
                tile_pitch,
                taps: &taps,
                column_pitch,
                copy_pitch,
            };
            let left = rounded(&random((rows.len() + 1) * segments * TILE, case as u64));
            let right = rounded(&random(2 * copy_pitch + segments * segment_pitch, 60));
            let out_len = taps.len() * row_span * columns;
            let [out, written] = [true, false].map(|adds| {
                let mut out = vec![0.5; out_len];
                multiply_transposed(isa, &planes, &left, &right, columns, adds, &mut out);
                out
            });
            let (mut expected, mut expected_written) = (vec![0.5; out_len], vec![0.5; out_len]);
            for tile in &tiles {
                for tap in &taps[tile.first_tap..][..tile.taps] {
                    for row in 0..tile.rows {
                        for n in 0..columns {
                            let terms = (0..segments * SEGMENT).map(|pixel| {
                                let x = left[tile.index * tile_pitch
                                    + pixel / SEGMENT * segment_pitch
                                    + row * SEGMENT
                                    + pixel % SEGMENT];
                                let g = right[tap.copy * copy_pitch
                                    + n / COLUMNS * column_pitch
                                    + tap.offset
                                    + pixel / SEGMENT * segment_pitch
                                    + pixel % SEGMENT / 2 * 2 * COLUMNS
                                    + n % COLUMNS * 2
                                    + pixel % 2];
                                f64::from(x.to_f32()) * f64::from(g.to_f32())
                            });
                            let to = tap.out_row + tile.out_rows[row] as usize;
                            let sum = terms.sum::<f64>();
                            expected[to * columns + n] += sum;
                            expected_written[to * columns + n] = sum;
                        }
                    }
                }
            }
            assert_close(&out, &expected, &format!("{isa}: case {case}"));
            assert_close(&written, &expected_written, &format!("{isa}: case {case}, written"));
        }
    }
}

#[test]
fn infinite_and_missing_numbers_reach_the_sums() {
    for isa in units() {
        let rows = Grid::line(1, SEGMENT);
        let windows = Windows { image_pitch: 0, rows, segments: &[0], tiles: TileOrder::ByColumns };
        let output = Output { image_pitch: 0, rows: Grid::line(1, 1), columns: 1, relu: false };
        let weight = [1.0; SEGMENT];
        let mut right = vec![Bf16::ZERO; packed_len(1, 1)];
        pack(isa, 1, 1, |k| &weight[k..=k], &mut right);
        order(isa, 1, 0..1, &mut right);
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

#[test]
fn added_rows_are_sums_in_f64_added_to_what_was_there() {
    for isa in units() {
        for (outer, inner, pairs, columns) in
            [(1, 1, 1, 1), (2, 16, 40, 30), (3, 5, 7, 16), (1, 31, 8, 33), (2, 14, 24, 48)]
        {
            let (pitch, k) = (2 * pairs + 6, 2 * pairs);
            let left = rounded(&random(outer * inner * pitch, 1));
            let weights: Vec<_> = (0..k).map(|row| random(columns, 10 + row as u64)).collect();
            let row = |k: usize| weights.get(k).map_or(&[][..], |row| &row[..]);
            let segments = k.div_ceil(SEGMENT);
            let mut right = vec![Bf16::ZERO; packed_len(segments, columns)];
            pack(isa, segments, columns, row, &mut right);
            let of_left = Grid { outer, outer_pitch: inner * pitch, inner, inner_pitch: pitch };
            // Rows of the output lie the other way round, three numbers apart.
            let of_out =
                Grid { outer, outer_pitch: columns + 3, inner, inner_pitch: outer * (columns + 3) };
            let added = AddedRows {
                rows: of_left,
                out_rows: of_out,
                pairs,
                columns,
                column_pitch: segments * TILE,
            };
            let before = random(outer * inner * (columns + 3), 2);
            let mut expected: Vec<f64> = before.iter().map(|x| f64::from(*x)).collect();
            for (y, x) in (0..outer).flat_map(|y| (0..inner).map(move |x| (y, x))) {
                for n in 0..columns {
                    let product = |k: usize| {
                        f64::from(left[y * inner * pitch + x * pitch + k].to_f32())
                            * f64::from(Bf16::from_f32(weights[k][n]).to_f32())
                    };
                    expected[(y + x * outer) * (columns + 3) + n] +=
                        (0..k).map(product).sum::<f64>();
                }
            }
            let mut found = before.clone();
            multiply_add(isa, &added, &left, &right, &mut found);
            assert_close(&found, &expected, &format!("{isa} {outer} {inner} {pairs} {columns}"));
        }
    }
}

#[test]
fn marked_gradients_are_spread_as_in_fp32() {
    for isa in units() {
        for (height, width, channels) in
            [(1, 1, 16), (5, 5, 16), (2, 3, 48), (3, 2, 21), (2, 2, 6), (1, 2, 1)]
        {
            let len = height * width * channels;
            let grad = random(len, 1);
            let mut draws = Draws::new(5, Purpose::Test, 0, 0);
            let marks: Vec<f32> = (0..len).map(|_| draws.below(4) as f32).collect();
            let windows = PooledWindows {
                input: [2 * height, 2 * width],
                output: [height, width],
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                channels,
            };
            let mut expected = vec![9.0; 4 * len];
            pool::halve_spread(isa, &windows, &marks, &grad, &mut expected);
            // One column of pixels after the other.
            let padded = channels.next_multiple_of(2);
            let pitches = [padded, 2 * height * padded + 32];
            let to_pixels = Spread { output: [height, width], channels, padded, pitches };
            let mut found = vec![Bf16::from_f32(9.0); 2 * width * pitches[1]];
            spread(isa, &to_pixels, &marks, &grad, &mut found);
            for (pixel, expected) in expected.chunks_exact(channels).enumerate() {
                let (y, x) = (pixel / (2 * width), pixel % (2 * width));
                let found = &found[y * pitches[0] + x * pitches[1]..][..padded];
                let what = format!("{isa} {height}x{width}x{channels}: {y}, {x}");
                assert_eq!(found[..channels], rounded(expected), "{what}");
                assert!(found[channels..].iter().all(|x| *x == Bf16::ZERO), "{what}");
            }
        }
    }
}
