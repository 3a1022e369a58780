//! Operations drawn from a list (Cubuk, Zoph, Shlens and Le, "RandAugment", 2019), with torchvision's list and ranges.

use percept_kernels::random::Draws;

use super::affine::Affine;
use super::colour::Tone;
use crate::ImageShape;

/// The greatest magnitude.
pub(super) const MOST: u32 = 30;

/// Kinds of operations; each is as probable.
const KINDS: u32 = 14;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    Nothing,
    /// Moves pixels: a map from output to input positions.
    Move(Affine),
    Recolour(Tone),
}

impl Operation {
    /// Draws one: its kind, then whether it goes the one way or the other.
    pub(super) fn draw(magnitude: u32, shape: ImageShape, draws: &mut Draws) -> Self {
        let (kind, sign) = (draws.below(KINDS), [1.0, -1.0][draws.below(2) as usize]);
        Self::of(kind, magnitude as f32 / MOST as f32, sign, shape)
    }

    /// The operation at a share of its range, 0 to 1.
    fn of(kind: u32, share: f32, sign: f32, shape: ImageShape) -> Self {
        let signed = |range: f32| sign * share * range;
        let around = |rows| Self::Move(Affine::linear(rows, shape));
        let shift =
            |by: [f32; 2]| Self::Move(Affine { x: [1.0, 0.0, -by[0]], y: [0.0, 1.0, -by[1]] });
        let factor = 1.0 + signed(0.9);
        match kind {
            1 => around([[1.0, -signed(0.3)], [0.0, 1.0]]),
            2 => around([[1.0, 0.0], [-signed(0.3), 1.0]]),
            3 => shift([signed(150.0 / 331.0) * shape.width as f32, 0.0]),
            4 => shift([0.0, signed(150.0 / 331.0) * shape.height as f32]),
            5 => {
                let (sin, cos) = f64::from(signed(30.0)).to_radians().sin_cos();
                around([[cos as f32, sin as f32], [-sin as f32, cos as f32]])
            }
            6 => Self::Recolour(Tone::Brightness(factor)),
            7 => Self::Recolour(Tone::Saturation(factor)),
            8 => Self::Recolour(Tone::Contrast(factor)),
            9 => Self::Recolour(Tone::Sharpness(factor)),
            10 => Self::Recolour(Tone::Posterize(8 - (4.0 * share).round_ties_even() as u32)),
            11 => Self::Recolour(Tone::Solarize(1.0 - share)),
            12 => Self::Recolour(Tone::AutoContrast),
            13 => Self::Recolour(Tone::Equalize),
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_kernels::random::Purpose;

    /// Of an image of 5 rows and 11 columns, by hand from torchvision's table; the centre is (5, 2).
    #[test]
    fn ranges_are_those_of_the_table() {
        let shape = ImageShape::colour(5, 11);
        let of = |kind, magnitude, sign| Operation::of(kind, magnitude as f32 / 30.0, sign, shape);
        let moves = |kind, magnitude, sign, from: [f32; 2], to: [f32; 2]| {
            let Operation::Move(map) = of(kind, magnitude, sign) else { panic!("{kind}") };
            let got = [map.x, map.y].map(|[a, b, c]| a * from[0] + b * from[1] + c);
            let close = got.iter().zip(to).all(|(a, b)| (a - b).abs() < 1e-5);
            assert!(close, "{kind}: {from:?} from {got:?}, expected {to:?}");
        };
        moves(1, 30, 1.0, [5.0, 4.0], [4.4, 4.0]);
        moves(2, 10, -1.0, [10.0, 2.0], [10.0, 2.5]);
        moves(3, 30, 1.0, [6.0, 1.0], [6.0 - 11.0 * 150.0 / 331.0, 1.0]);
        moves(4, 15, -1.0, [6.0, 1.0], [6.0, 1.0 + 2.5 * 150.0 / 331.0]);
        // Clockwise by 30 degrees: what is right of the centre was above the horizontal.
        moves(5, 30, 1.0, [7.0, 2.0], [5.0 + 3.0_f32.sqrt(), 1.0]);
        let tone = |kind, magnitude, sign| match of(kind, magnitude, sign) {
            Operation::Recolour(tone) => tone,
            other => panic!("{other:?}"),
        };
        assert_eq!(tone(6, 30, -1.0), Tone::Brightness(1.0 - 0.9));
        assert_eq!(tone(7, 10, 1.0), Tone::Saturation(1.3));
        assert_eq!(tone(8, 0, 1.0), Tone::Contrast(1.0));
        assert_eq!(tone(9, 30, 1.0), Tone::Sharpness(1.9));
        // round(8 - magnitude / 7.5), as torchvision 0.29 has them for 0, 4, 9, 15, 27 and 30.
        for (magnitude, bits) in [(0, 8), (4, 7), (9, 7), (15, 6), (27, 4), (30, 4)] {
            assert_eq!(tone(10, magnitude, -1.0), Tone::Posterize(bits), "{magnitude}");
        }
        assert_eq!(tone(11, 15, 1.0), Tone::Solarize(0.5));
        assert_eq!((tone(12, 1, 1.0), tone(13, 1, 1.0)), (Tone::AutoContrast, Tone::Equalize));
        assert_eq!(of(0, 30, 1.0), Operation::Nothing);
    }

    #[test]
    fn every_kind_is_drawn() {
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        let shape = ImageShape::colour(8, 8);
        let nothing = (0..1400)
            .filter(|_| Operation::draw(9, shape, &mut draws) == Operation::Nothing)
            .count();
        // 100 of 14 kinds; five standard deviations are 48.
        assert!(nothing.abs_diff(100) < 48, "{nothing}");
    }
}
