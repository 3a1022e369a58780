//! A square without content (DeVries and Taylor, "Cutout", 2017).

use percept_kernels::random::Draws;

use crate::ImageShape;

/// Rows and columns, from the first to one behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub rows: [usize; 2],
    pub columns: [usize; 2],
}

impl Area {
    /// An area of [height, width] = `size` about a pixel drawn from all, as far as it lies within the image.
    pub(crate) fn draw(size: [usize; 2], shape: ImageShape, draws: &mut Draws) -> Self {
        let [rows, columns] =
            [(size[0], shape.height), (size[1], shape.width)].map(|(size, side)| {
                let end = draws.below(side as u32) as usize + size.div_ceil(2);
                [end.saturating_sub(size), end.min(side)]
            });
        Self { rows, columns }
    }

    /// Pixels within.
    pub(crate) fn pixels(&self) -> usize {
        (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])
    }

    /// What belongs to the area of each row of an image, one row after the other.
    pub(crate) fn rows_of<'a>(
        &self,
        image: &'a mut [f32],
        shape: ImageShape,
    ) -> impl Iterator<Item = &'a mut [f32]> {
        let (Self { rows, columns }, channels) = (*self, shape.channels);
        image
            .chunks_exact_mut(shape.width * channels)
            .take(rows[1])
            .skip(rows[0])
            .map(move |row| &mut row[columns[0] * channels..columns[1] * channels])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::Purpose;

    /// Of a side of 6, a length of 4 about pixel p covers p - 2 to p + 1: 2, 3, 4, 4, 4, 3 of its pixels.
    #[test]
    fn areas_are_cut_at_the_edge() {
        let shape = ImageShape::colour(6, 6);
        let mut draws = Draws::new(2, Purpose::Test, 0, 0);
        let mut found: Vec<[usize; 2]> =
            (0..200).map(|_| Area::draw([4, 4], shape, &mut draws).rows).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, [[0, 2], [0, 3], [0, 4], [1, 5], [2, 6], [3, 6]]);
        assert_eq!(Area::draw([20, 20], shape, &mut draws).pixels(), 36);
        assert_eq!(Area::draw([0, 3], shape, &mut draws).pixels(), 0);
    }

    #[test]
    fn the_rows_are_those_of_the_image() {
        let shape = ImageShape { height: 3, width: 4, channels: 2 };
        let mut image: Vec<f32> = (0..24_u8).map(f32::from).collect();
        let area = Area { rows: [1, 3], columns: [1, 2] };
        let rows: Vec<Vec<f32>> = area.rows_of(&mut image, shape).map(|row| row.to_vec()).collect();
        assert_eq!(rows, [[10.0, 11.0], [18.0, 19.0]]);
    }
}
