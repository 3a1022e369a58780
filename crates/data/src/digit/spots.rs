//! Spots of ink: pixels of at least a level that touch each other by a side or a corner.
//!
//! A spot is kept as runs, the stretches of inked pixels in a row. Runs that touch are joined by union-find (Rosenfeld and
//! Pfaltz, 1966), so that the work and the memory follow the ink and not the paper.

use std::ops::Range;

/// Pixels looked at together where there is no ink.
const STRIDE: usize = 16;

/// All spots of a picture.
#[derive(Debug)]
pub(super) struct Spots {
    /// From top to bottom and left to right.
    runs: Vec<Run>,
    /// Where each row's runs are.
    rows: Vec<Range<usize>>,
}

/// Inked pixels side by side.
#[derive(Debug)]
struct Run {
    columns: Range<usize>,
    /// A run of the same spot that comes no later; the first one of a spot stands for the spot and is its own.
    before: usize,
    /// Pixels of the spot, where this run stands for it.
    area: usize,
}

impl Spots {
    /// Finds the spots of `ink`, [height, width].
    pub(super) fn new(ink: &[f32], width: usize, level: f32) -> Self {
        let mut spots = Self { runs: Vec::new(), rows: Vec::new() };
        for row in ink.chunks_exact(width) {
            let above = spots.rows.last().cloned().unwrap_or(0..0);
            let first = spots.runs.len();
            let mut from = 0;
            while let Some(columns) = next_run(row, from, level) {
                from = columns.end;
                spots.add(columns);
            }
            spots.rows.push(first..spots.runs.len());
            spots.join(above);
        }
        spots.sum_areas();
        spots
    }

    fn add(&mut self, columns: Range<usize>) {
        let area = columns.len();
        self.runs.push(Run { columns, before: self.runs.len(), area });
    }

    /// Joins the runs of the last row with those that they touch in the row above.
    fn join(&mut self, above: Range<usize>) {
        let mut first = above.start;
        for run in above.end..self.runs.len() {
            let Range { start, end } = self.runs[run].columns;
            while first < above.end && self.runs[first].columns.end < start {
                first += 1;
            }
            let mut other = first;
            while other < above.end && self.runs[other].columns.start <= end {
                let (a, b) = (self.spot(run), self.spot(other));
                self.runs[a.max(b)].before = a.min(b);
                other += 1;
            }
        }
    }

    /// The run that stands for the spot of a run; halves the way to it.
    fn spot(&mut self, mut run: usize) -> usize {
        while self.runs[run].before != run {
            let before = self.runs[run].before;
            self.runs[run].before = self.runs[before].before;
            run = self.runs[run].before;
        }
        run
    }

    /// Lets every run know its spot, and every spot its area.
    fn sum_areas(&mut self) {
        for run in 0..self.runs.len() {
            let spot = self.spot(run);
            self.runs[run].before = spot;
            if spot != run {
                self.runs[spot].area += self.runs[run].area;
            }
        }
    }

    /// Forgets spots with less than `share` of the largest one's area.
    pub(super) fn keep_large(&mut self, share: f32) {
        let largest = self.runs.iter().map(|run| run.area).max().unwrap_or(0);
        let large: Vec<bool> = (self.runs.iter())
            .map(|run| self.runs[run.before].area as f32 >= share * largest as f32)
            .collect();
        let mut kept = 0;
        for row in &mut self.rows {
            let first = kept;
            kept += large[row.clone()].iter().filter(|&&large| large).count();
            *row = first..kept;
        }
        let mut large = large.into_iter();
        self.runs.retain(|_| large.next().unwrap_or(false));
    }

    /// Clears `ink` that is neither in a spot nor touches one.
    pub(super) fn clear_around(&self, ink: &mut [f32], width: usize) {
        for (y, row) in ink.chunks_exact_mut(width).enumerate() {
            let near = y.saturating_sub(1)..(y + 2).min(self.rows.len());
            let mut near: Vec<Range<usize>> = self.rows[near]
                .iter()
                .flat_map(|row| &self.runs[row.clone()])
                .map(|run| run.columns.start.saturating_sub(1)..(run.columns.end + 1).min(width))
                .collect();
            near.sort_unstable_by_key(|columns| columns.start);
            let mut from = 0;
            for columns in near {
                row[from.min(columns.start)..columns.start].fill(0.0);
                from = from.max(columns.end);
            }
            row[from..].fill(0.0);
        }
    }

    /// The smallest range of rows, and of columns, with all spots.
    pub(super) fn bounds(&self) -> (Range<usize>, Range<usize>) {
        let inked = |row: &Range<usize>| !row.is_empty();
        let top = self.rows.iter().position(inked).unwrap_or(0);
        let bottom = self.rows.iter().rposition(inked).map_or(top, |last| last + 1);
        let left = self.runs.iter().map(|run| run.columns.start).min().unwrap_or(0);
        let right = self.runs.iter().map(|run| run.columns.end).max().unwrap_or(left);
        (top..bottom, left..right)
    }
}

/// The next pixels of at least `level`, from a column on.
fn next_run(row: &[f32], from: usize, level: f32) -> Option<Range<usize>> {
    let any = |part: &[f32]| part.iter().fold(false, |any, &ink| any | (ink >= level));
    let blank = row[from..].chunks(STRIDE).take_while(|part| !any(part)).count();
    let from = from + blank * STRIDE;
    let start = from + row.get(from..)?.iter().position(|&ink| ink >= level)?;
    let len = row[start..].iter().position(|&ink| ink < level);
    Some(start..len.map_or(row.len(), |len| start + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const LEVEL: f32 = 0.3;

    /// The pixels of each spot, by filling one after the other.
    fn filled(ink: &[f32], width: usize) -> Vec<BTreeSet<usize>> {
        let mut spots: Vec<BTreeSet<usize>> = Vec::new();
        for start in 0..ink.len() {
            if ink[start] < LEVEL || spots.iter().any(|spot| spot.contains(&start)) {
                continue;
            }
            let (mut spot, mut open) = (BTreeSet::from([start]), vec![start]);
            while let Some(at) = open.pop() {
                let inked = neighbours(at, width, ink.len()).filter(|&near| ink[near] >= LEVEL);
                open.extend(inked.filter(|&near| spot.insert(near)));
            }
            spots.push(spot);
        }
        spots
    }

    /// A pixel and the up to eight around it.
    fn neighbours(at: usize, width: usize, len: usize) -> impl Iterator<Item = usize> {
        let near = move |other: &usize| {
            (other / width).abs_diff(at / width) <= 1 && (other % width).abs_diff(at % width) <= 1
        };
        (0..len).filter(near)
    }

    proptest! {
        #[test]
        fn spots_are_those_that_filling_finds(
            width in 1..40usize,
            levels in prop::collection::vec(0..5u8, 40..600),
            blank in 0..4u8,
            share in 0.0..1.0f32,
        ) {
            let mut ink: Vec<f32> = levels.iter().map(|&l| f32::from(l.saturating_sub(blank)) / 4.0).collect();
            ink.truncate(ink.len() / width * width);
            let spots = filled(&ink, width);
            let largest = spots.iter().map(BTreeSet::len).max().unwrap_or(0);
            let kept: BTreeSet<usize> = (spots.into_iter())
                .filter(|spot| spot.len() as f32 >= share * largest as f32)
                .flatten()
                .collect();
            let cleared: Vec<f32> = (0..ink.len())
                .map(|at| if neighbours(at, width, ink.len()).any(|near| kept.contains(&near)) { ink[at] } else { 0.0 })
                .collect();
            let range = |places: BTreeSet<usize>| match (places.first(), places.last()) {
                (Some(first), Some(last)) => *first..last + 1,
                _ => 0..0,
            };
            let bounds = (range(kept.iter().map(|at| at / width).collect()), range(kept.iter().map(|at| at % width).collect()));

            let mut found = Spots::new(&ink, width, LEVEL);
            found.keep_large(share);
            found.clear_around(&mut ink, width);
            prop_assert_eq!(found.bounds(), bounds);
            prop_assert_eq!(ink, cleared);
        }
    }
}
