//! Rotation, scale, shear and shift as one affine map.

use crate::ImageShape;

/// What is done to an image, in the order scale, shear, rotation, shift; about its centre.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Clockwise as seen, in degrees.
    pub rotation: f32,
    /// Factors of width and height; positive.
    pub scale: [f32; 2],
    /// Pixels to the right a pixel down.
    pub shear: f32,
    /// Pixels to the right, and down.
    pub shift: [f32; 2],
}

impl Default for Change {
    /// No change.
    fn default() -> Self {
        Self { rotation: 0.0, scale: [1.0; 2], shear: 0.0, shift: [0.0; 2] }
    }
}

/// A map from output to input positions: `x_in = x[0] * x_out + x[1] * y_out + x[2]`, and `y` alike.
/// Positions count pixels from the centre of the top left one; x goes right, y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Coefficients of the input column.
    pub x: [f32; 3],
    /// Coefficients of the input row.
    pub y: [f32; 3],
}

impl Affine {
    /// The map that brings `change` about: its inverse, from output to input.
    ///
    /// With R, K, S for rotation, shear and scale, p_out = c + R K S (p_in - c) + shift, so
    /// p_in = c + S^-1 K^-1 R^-1 (p_out - c - shift). Computed in f64: sines then round alike on every platform.
    pub(super) fn about_centre(change: &Change, shape: ImageShape) -> Self {
        let (sin, cos) = f64::from(change.rotation).to_radians().sin_cos();
        let shear = f64::from(change.shear);
        let centre = [(shape.width - 1) as f64 / 2.0, (shape.height - 1) as f64 / 2.0];
        let rows = [[cos + shear * sin, sin - shear * cos], [-sin, cos]];
        let [x, y] = [0, 1].map(|axis| {
            let [a, b] = rows[axis].map(|value| value / f64::from(change.scale[axis]));
            let from_x = centre[0] + f64::from(change.shift[0]);
            let from_y = centre[1] + f64::from(change.shift[1]);
            [a as f32, b as f32, (centre[axis] - a * from_x - b * from_y) as f32]
        });
        Self { x, y }
    }

    /// The map whose matrix, from output to input, is given by its rows, about the centre.
    pub(super) fn linear(rows: [[f32; 2]; 2], shape: ImageShape) -> Self {
        let centre = [(shape.width - 1) as f32 / 2.0, (shape.height - 1) as f32 / 2.0];
        let [x, y] = [0, 1].map(|axis| {
            let [a, b] = rows[axis];
            [a, b, centre[axis] - a * centre[0] - b * centre[1]]
        });
        Self { x, y }
    }

    /// This change, and `then` the other one.
    pub(super) fn then(self, then: &Self) -> Self {
        let [x, y] = [self.x, self.y].map(|[a, b, c]| {
            let of = |at: usize| a * then.x[at] + b * then.y[at];
            [of(0), of(1), of(2) + c]
        });
        Self { x, y }
    }

    /// The same map of the image mirrored left to right.
    pub(super) fn mirrored(self, shape: ImageShape) -> Self {
        let [a, b, c] = self.x;
        Self { x: [-a, -b, (shape.width - 1) as f32 - c], ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(change: Change, shape: ImageShape, [x, y]: [f32; 2]) -> [f32; 2] {
        let map = Affine::about_centre(&change, shape);
        [map.x, map.y].map(|[a, b, c]| a * x + b * y + c)
    }

    /// By hand: first 2 pixels to the right, then (2, 1) doubled about (0, 0), and the other way round.
    #[test]
    fn changes_follow_one_another() {
        let shift = Affine { x: [1.0, 0.0, -2.0], y: [0.0, 1.0, 0.0] };
        let double = Affine { x: [0.5, 0.0, 0.0], y: [0.0, 1.0, 0.0] };
        assert_eq!(shift.then(&double).x, [0.5, 0.0, -2.0]);
        assert_eq!(double.then(&shift).x, [0.5, 0.0, -1.0]);
        let quarter = Affine::linear([[0.0, 1.0], [-1.0, 0.0]], ImageShape::grey(3, 5));
        assert_eq!(quarter, Affine { x: [0.0, 1.0, 1.0], y: [-1.0, 0.0, 3.0] });
        assert_eq!(quarter.then(&shift).y, [-1.0, 0.0, 5.0]);
    }

    /// Each case by hand, on an image of 3 rows and 5 columns, whose centre is (2, 1).
    #[test]
    fn maps_by_hand() {
        let (shape, same) = (ImageShape::grey(3, 5), Change::default());
        for (change, from, to) in [
            (same, [4.0, 0.0], [4.0, 0.0]),
            (Change { shift: [1.0, -0.5], ..same }, [3.0, 1.0], [2.0, 1.5]),
            // Twice as wide: half as far from the centre.
            (Change { scale: [2.0, 1.0], ..same }, [4.0, 2.0], [3.0, 2.0]),
            // Clockwise by 90 degrees: what was above the centre is now to its right.
            (Change { rotation: 90.0, ..same }, [3.0, 1.0], [2.0, 0.0]),
            // One row down is moved right by a half.
            (Change { shear: 0.5, ..same }, [2.5, 2.0], [2.0, 2.0]),
            // (3, 1) is (1, 0) from the centre. Scaled (2, 0), sheared (2, 0), rotated (0, 2), shifted (1, 2): (3, 3).
            (
                Change { rotation: 90.0, scale: [2.0, 4.0], shear: 0.5, shift: [1.0, 0.0] },
                [3.0, 3.0],
                [3.0, 1.0],
            ),
            // (2, 2) is (0, 1): scaled (0, 4), sheared (2, 4), rotated (-4, 2), shifted (-3, 2): (-1, 3).
            (
                Change { rotation: 90.0, scale: [2.0, 4.0], shear: 0.5, shift: [1.0, 0.0] },
                [-1.0, 3.0],
                [2.0, 2.0],
            ),
        ] {
            let got = map(change, shape, from);
            // Coordinates here are below 10: f32 rounds them to about 1e-6.
            let close = got.iter().zip(to).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close, "{change:?}: {from:?} came from {got:?}, expected {to:?}");
        }
    }
}
