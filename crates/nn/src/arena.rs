//! Where buffers lie in one block of memory, so that those in use at different times share it.

use std::ops::Range;

/// A buffer: its size, and the first and last moment of its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub len: usize,
    pub first: usize,
    pub last: usize,
}

impl Lifetime {
    fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Buffers begin on whole cache lines of f32.
pub(crate) const LINE: usize = 16;

/// Places every buffer so that no two that are in use at the same moment overlap; also returns the size of the block.
///
/// The largest come first, each at the lowest place that is free during its life (first fit by size).
pub(crate) fn place(lifetimes: &[Lifetime]) -> (Vec<Range<usize>>, usize) {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|i| (usize::MAX - lifetimes[*i].len, *i));
    let mut places = vec![0..0; lifetimes.len()];
    let mut placed: Vec<usize> = Vec::new();
    for i in order {
        let lifetime = &lifetimes[i];
        if lifetime.len == 0 {
            continue;
        }
        let mut taken: Vec<Range<usize>> = placed
            .iter()
            .filter(|other| lifetimes[**other].overlaps(lifetime))
            .map(|other| places[*other].clone())
            .collect();
        taken.sort_by_key(|range| range.start);
        let mut start = 0;
        for range in taken {
            if range.start >= start + lifetime.len {
                break;
            }
            start = start.max(range.end.next_multiple_of(LINE));
        }
        places[i] = start..start + lifetime.len;
        placed.push(i);
    }
    let size = places.iter().map(|range| range.end).max().unwrap_or(0);
    (places, size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::{Draws, Purpose};

    #[test]
    fn buffers_in_use_together_never_overlap() {
        for case in 0..200 {
            let mut draws = Draws::new(3, Purpose::Test, 0, case);
            let lifetimes: Vec<Lifetime> = (0..draws.below(30))
                .map(|_| {
                    let first = draws.below(20) as usize;
                    let last = first + draws.below(10) as usize;
                    Lifetime { len: draws.below(100) as usize, first, last }
                })
                .collect();
            let (places, size) = place(&lifetimes);
            for i in 0..places.len() {
                assert_eq!(places[i].len(), lifetimes[i].len);
                assert!(places[i].end <= size);
                for j in 0..i {
                    let (a, b) = (&places[i], &places[j]);
                    let apart =
                        a.end <= b.start || b.end <= a.start || a.is_empty() || b.is_empty();
                    assert!(
                        apart || !lifetimes[i].overlaps(&lifetimes[j]),
                        "case {case}: {a:?} {b:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn buffers_of_different_times_share_memory() {
        let lifetimes: Vec<Lifetime> =
            (0..10).map(|i| Lifetime { len: 100, first: i, last: i + 1 }).collect();
        let (_, size) = place(&lifetimes);
        // Two live at once; the second begins on a cache line.
        assert_eq!(size, 212);
    }
}
