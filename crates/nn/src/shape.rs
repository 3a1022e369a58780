//! The shape of one example between two layers, and two-dimensional sizes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of one example: height, width and channels, stored with channels fastest (NHWC without the N).
///
/// What leaves a dense or flatten layer has height and width 1 and its features as channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "[usize; 3]", into = "[usize; 3]")]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels of a pixel, or features of a vector.
    pub channels: usize,
}

impl Shape {
    /// A shape from height, width and channels.
    #[must_use]
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// The shape of a vector of features.
    #[must_use]
    pub const fn features(features: usize) -> Self {
        Self::new(1, 1, features)
    }

    /// Numbers in one example. Saturates, so that absurd shapes stay absurd instead of wrapping around.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// Whether the shape holds no number at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pixels in one example.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }
}

impl From<[usize; 3]> for Shape {
    fn from([height, width, channels]: [usize; 3]) -> Self {
        Self { height, width, channels }
    }
}

impl From<Shape> for [usize; 3] {
    fn from(shape: Shape) -> Self {
        [shape.height, shape.width, shape.channels]
    }
}

impl fmt::Display for Shape {
    /// `28x28x1` for images, `128` for vectors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.height == 1 && self.width == 1 {
            write!(f, "{}", self.channels)
        } else {
            write!(f, "{}x{}x{}", self.height, self.width, self.channels)
        }
    }
}

/// A height and a width; written as one number in a spec when both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrTwo", into = "OneOrTwo")]
pub struct Size {
    /// Along the rows axis.
    pub height: usize,
    /// Along the columns axis.
    pub width: usize,
}

impl Size {
    /// The same size along both axes.
    #[must_use]
    pub const fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }
}

impl From<usize> for Size {
    fn from(side: usize) -> Self {
        Self::square(side)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged, expecting = "a whole number of at least 0, or a [height, width] pair of them")]
enum OneOrTwo {
    One(usize),
    Two([usize; 2]),
}

impl From<OneOrTwo> for Size {
    fn from(value: OneOrTwo) -> Self {
        match value {
            OneOrTwo::One(side) => Self::square(side),
            OneOrTwo::Two([height, width]) => Self { height, width },
        }
    }
}

impl From<Size> for OneOrTwo {
    fn from(size: Size) -> Self {
        if size.height == size.width {
            Self::One(size.height)
        } else {
            Self::Two([size.height, size.width])
        }
    }
}
