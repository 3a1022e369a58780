//! Which bodies of the kernels serve a number type: f32 has one per instruction set, f64 only the scalar truth.

use crate::isa::Isa;

/// A number type and the instruction sets that have bodies for it.
pub trait Bodies: Sized {
    /// The instruction set whose bodies run when `isa` is asked for.
    fn isa(isa: Isa) -> Isa;
}

impl Bodies for f32 {
    fn isa(isa: Isa) -> Isa {
        isa
    }
}

impl Bodies for f64 {
    fn isa(_: Isa) -> Isa {
        Isa::Scalar
    }
}
