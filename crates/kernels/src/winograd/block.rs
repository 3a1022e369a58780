//! The tiles of a block, in the order in which they are multiplied.
//!
//! A tile at an edge needs fewer points, since some of its pixels lie outside the image. The point at infinity, the last of a line,
//! is what the last pixel alone is made of: where that pixel is outside, the point is left out. A tile of 4 pixels of which
//! at most two are inside is transformed as one of 2 pixels at a part of the same points ([`Half`](super::lines)), so that the
//! weights and their gradients are the same. Tiles that reach past one edge come first, those past none next, those
//! past the other edge behind them and those past both last, so that the tiles of any point lie beside each other.

use super::{Convolution, MOST_CORRELATED, Place, Tile};
use core::ops::Range;

/// The places of half a tile's points in a whole one's line.
pub(super) const HALF: [usize; 4] = [0, 1, 2, 5];

/// Tiles that go through a pass together.
pub(super) struct Block {
    places: [Place; MOST_CORRELATED],
    /// Where the tiles at the right edge alone, at none, at the lower edge alone, and at both end.
    ends: [usize; 4],
    tile: Tile,
    /// Rows and columns of pixels inside the image that tiles at the lower and the right edge have; 0 where there are none.
    rest: [usize; 2],
}

impl Tile {
    /// The points of a line that a tile with so many pixels inside is multiplied at, out of all.
    const fn has_point(self, pixels: usize, point: usize) -> bool {
        match (self, pixels) {
            (Self::Four, 1) | (Self::Two, 1) => point < 3,
            (Self::Four, 2) => point < 3 || point == 5,
            (Self::Four, 3) => point < 5,
            _ => true,
        }
    }

    /// Whether a tile with so many pixels inside is transformed as half a tile.
    const fn is_half(self, pixels: usize) -> bool {
        matches!((self, pixels), (Self::Four, 1 | 2))
    }
}

impl Block {
    /// Of a range of the tiles of all images, image by image and row by row.
    pub(super) fn new(convolution: &Convolution, tiles: Range<usize>) -> Self {
        let (side, [down, across]) = (convolution.tile.side(), convolution.grid());
        let [whole_down, whole_across] = convolution.output.map(|size| size / side);
        let images = tiles.start / (down * across)..tiles.end.div_ceil(down * across);
        let (upper, lower) = (0..whole_down, whole_down..down);
        let (left, right) = (0..whole_across, whole_across..across);
        let kinds = [
            (upper.clone(), right.clone()),
            (upper, left.clone()),
            (lower.clone(), left),
            (lower, right),
        ];
        let (mut places, mut ends) = ([Place::default(); MOST_CORRELATED], [0; 4]);
        let mut count = 0;
        for ((rows, columns), end) in kinds.into_iter().zip(&mut ends) {
            for (image, row) in images.clone().flat_map(|i| rows.clone().map(move |row| (i, row))) {
                let first = (image * down + row) * across;
                let from = tiles.start.saturating_sub(first).max(columns.start);
                let to = tiles.end.saturating_sub(first).min(columns.end);
                let row = row * side;
                let columns = (from..to).map(|column| column * side);
                for (place, column) in places[count..].iter_mut().zip(columns) {
                    *place = Place { image, row, column };
                }
                count += to.saturating_sub(from);
            }
            *end = count;
        }
        let rest = convolution.output.map(|size| size % side);
        Self { places, ends, tile: convolution.tile, rest }
    }

    /// Where the tiles lie.
    pub(super) fn places(&self) -> &[Place] {
        &self.places[..self.len()]
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.ends[3]
    }

    /// The tiles that a point is multiplied for.
    pub(super) fn of_point(&self, point: usize) -> Range<usize> {
        let window = self.tile.window();
        let [lower, right] = [(0, point / window), (1, point % window)]
            .map(|(axis, point)| self.tile.has_point(self.rest[axis], point));
        match (lower, right) {
            (true, true) => 0..self.len(),
            (false, true) => 0..self.ends[1],
            (true, false) => self.ends[0]..self.ends[2],
            (false, false) => self.ends[0]..self.ends[1],
        }
    }

    /// Neighbouring points, out of so many, with the tiles that they are multiplied for.
    pub(super) fn points(
        &self,
        points: usize,
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<'_> {
        let mut first = 0;
        core::iter::from_fn(move || {
            let tiles = (first < points).then(|| self.of_point(first))?;
            let same = (first..points).take_while(|&point| self.of_point(point) == tiles).count();
            first += same;
            Some((first - same..first, tiles))
        })
    }

    /// Whether the rows, and the columns, of a tile are transformed as half a tile's.
    pub(super) fn halves(&self, tile: usize) -> [bool; 2] {
        let [lower, right] = self.rest.map(|rest| self.tile.is_half(rest));
        [lower && tile >= self.ends[1], right && (tile < self.ends[0] || tile >= self.ends[2])]
    }

    /// The [`halves`](Self::halves) of two tiles that are multiplied as pairs: where one is whole, the other's points are
    /// multiplied beside its.
    pub(super) fn halves_of_pair(&self, pair: usize) -> [bool; 2] {
        let last = (2 * pair + 1).min(self.len() - 1);
        let [first, last] = [2 * pair, last].map(|tile| self.halves(tile));
        [first[0] && last[0], first[1] && last[1]]
    }

    /// The tiles of each kind with their [`halves`](Self::halves).
    pub(super) fn kinds(&self) -> impl Iterator<Item = ([bool; 2], Range<usize>)> {
        let [right, whole, lower, both] = self.ends;
        let kinds = [0..right, right..whole, whole..lower, lower..both];
        kinds.into_iter().filter(|tiles| !tiles.is_empty()).map(|t| (self.halves(t.start), t))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Operands;
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn every_tile_has_its_place_and_every_point_its_tiles() {
        for (tile, height, width) in [
            (Tile::Four, 14, 14),
            (Tile::Four, 7, 9),
            (Tile::Four, 8, 3),
            (Tile::Four, 1, 2),
            (Tile::Four, 12, 16),
            (Tile::Two, 5, 4),
        ] {
            let sizes = [height + 2, width + 2];
            let convolution =
                Convolution::new::<f32>(Isa::SCALAR, tile, Operands::Exact, sizes, [0; 2], [1; 2]);
            let (side, images) = (tile.side(), 3);
            let all = images * convolution.tiles();
            for range in [0..all, 1..all, all / 3..all / 2 + 1] {
                let block = Block::new(&convolution, range.clone());
                let [down, across] = convolution.grid();
                let number = |place: &Place| {
                    (place.image * down + place.row / side) * across + place.column / side
                };
                let mut numbers: Vec<_> = block.places().iter().map(number).collect();
                numbers.sort_unstable();
                assert_eq!(numbers, range.collect::<Vec<_>>(), "{tile:?} {height}x{width}");
                let inside = |at: usize, size: usize| side.min(size - at);
                for point in 0..tile.points() {
                    for (index, place) in block.places().iter().enumerate() {
                        let (y, x) = (point / tile.window(), point % tile.window());
                        let rows = tile.has_point(inside(place.row, height) % side, y);
                        let columns = tile.has_point(inside(place.column, width) % side, x);
                        assert_eq!(
                            block.of_point(point).contains(&index),
                            rows && columns,
                            "{tile:?} {height}x{width}: point {point} of {place:?}"
                        );
                    }
                }
                let mut next = 0;
                for (points, tiles) in block.points(tile.points()) {
                    assert_eq!(points.start, next, "{tile:?} {height}x{width}");
                    next = points.end;
                    for point in points {
                        assert_eq!(block.of_point(point), tiles, "{tile:?} {height}x{width}");
                    }
                }
                assert_eq!(next, tile.points(), "{tile:?} {height}x{width}");
                let kinds =
                    block.kinds().flat_map(|(halves, tiles)| tiles.map(move |t| (t, halves)));
                let expected = (0..block.len()).map(|tile| (tile, block.halves(tile)));
                assert!(kinds.eq(expected), "{tile:?} {height}x{width}");
            }
            let block = Block::new(&convolution, 0..convolution.tiles());
            let products: usize = (0..tile.points()).map(|point| block.of_point(point).len()).sum();
            assert_eq!(products, tile.products([height, width]), "{tile:?} {height}x{width}");
        }
    }
}
