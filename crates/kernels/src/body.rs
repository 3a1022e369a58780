//! How one kernel gets a body per instruction set.

use crate::isa::Isa;

/// A number type and the instruction sets that have bodies for it: f32 has one per instruction set, f64 only the
/// scalar truth.
pub trait Bodies: Sized {
    /// The instruction set whose bodies run when `isa` is asked for.
    fn isa(isa: Isa) -> Isa;
    /// The same numbers where they are f32, which bodies written by hand take.
    fn as_f32(values: &[Self]) -> Option<&[f32]>;
    /// As [`as_f32`](Self::as_f32), to write to.
    fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]>;
}

impl Bodies for f32 {
    #[inline(always)]
    fn isa(isa: Isa) -> Isa {
        isa
    }
    #[inline(always)]
    fn as_f32(values: &[Self]) -> Option<&[f32]> {
        Some(values)
    }
    #[inline(always)]
    fn as_f32_mut(values: &mut [Self]) -> Option<&mut [f32]> {
        Some(values)
    }
}

impl Bodies for f64 {
    #[inline(always)]
    fn isa(_: Isa) -> Isa {
        Isa::SCALAR
    }
    #[inline(always)]
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }
    #[inline(always)]
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
}

/// Declares a kernel whose one body, generic or for f32 alone, is compiled once per instruction set, for the compiler to
/// vectorise; the declared function takes the [`Isa`] first and runs the body for it.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(isa: crate::isa::Isa, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($arg: $type),*) $(-> $ret)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            #[allow(clippy::too_many_arguments)]
            fn avx512($($arg: $type),*) $(-> $ret)? {
                body($($arg),*)
            }

            match isa.name() {
                // SAFETY: an `Isa` of this name exists only where the processor has these features.
                #[cfg(target_arch = "x86_64")]
                crate::isa::IsaName::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                crate::isa::IsaName::Avx512 => unsafe { avx512($($arg),*) },
                // NEON belongs to every 64-bit Arm processor, so the plain body is compiled with it.
                _ => body($($arg),*),
            }
        }
    };
    ($(#[$meta:meta])* $vis:vis fn $name:ident<$T:ident>($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$T: crate::element::Element>(isa: crate::isa::Isa, $($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body<$T: crate::element::Element>($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            #[allow(clippy::too_many_arguments)]
            fn avx2<$T: crate::element::Element>($($arg: $type),*) $(-> $ret)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            #[allow(clippy::too_many_arguments)]
            fn avx512<$T: crate::element::Element>($($arg: $type),*) $(-> $ret)? {
                body($($arg),*)
            }

            match $T::isa(isa).name() {
                // SAFETY: an `Isa` of this name exists only where the processor has these features.
                #[cfg(target_arch = "x86_64")]
                crate::isa::IsaName::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                crate::isa::IsaName::Avx512 => unsafe { avx512($($arg),*) },
                // NEON belongs to every 64-bit Arm processor, so the plain body is compiled with it.
                _ => body($($arg),*),
            }
        }
    };
}
pub(crate) use per_isa;
