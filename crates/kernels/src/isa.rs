//! The instruction set, chosen once at start.

use core::fmt;
use std::sync::OnceLock;

/// The name of an instruction set that kernels have a body for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsaName {
    /// Plain Rust, the truth that the others are tested against; it serves every processor.
    Scalar,
    /// 64-bit Arm with NEON: 4 floats a vector; bf16 numbers are widened.
    Neon,
    /// x86-64 with AVX2 and FMA: 8 floats a vector.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: 16 floats a vector.
    Avx512,
}

/// What multiplies bf16 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bf16Unit {
    /// The fp32 instructions, after widening: it serves every processor.
    Widened,
    /// AVX512-BF16: 16 dot products of pairs an instruction.
    Dot,
    /// AMX-BF16: 16x16 dot products of 32 numbers an instruction.
    Tiles,
}

/// The proof that this processor has an instruction set and a bf16 unit: only this module makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa {
    name: IsaName,
    unit: Bf16Unit,
}

impl IsaName {
    /// Every instruction set that percept knows, slowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    #[cfg(target_arch = "x86_64")]
    fn detect(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => false,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => {
                Self::Avx2.detect()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn detect(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn detect(self) -> bool {
        self == Self::Scalar
    }
}

impl Bf16Unit {
    #[cfg(target_arch = "x86_64")]
    fn detect(self) -> bool {
        match self {
            Self::Widened => true,
            Self::Dot => IsaName::Avx512.detect() && is_x86_feature_detected!("avx512bf16"),
            Self::Tiles => Self::Dot.detect() && crate::bf16::tiles_are_granted(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect(self) -> bool {
        self == Self::Widened
    }
}

impl Isa {
    /// The instruction set that every processor has.
    pub const SCALAR: Self = Self { name: IsaName::Scalar, unit: Bf16Unit::Widened };

    /// Every instruction set with its bf16 unit, slowest first, by the names that `PERCEPT_ISA` takes.
    const NAMED: [(&str, Self); 6] = [
        ("scalar", Self::SCALAR),
        ("neon", Self { name: IsaName::Neon, unit: Bf16Unit::Widened }),
        ("avx2", Self { name: IsaName::Avx2, unit: Bf16Unit::Widened }),
        ("avx512", Self { name: IsaName::Avx512, unit: Bf16Unit::Widened }),
        ("avx512bf16", Self { name: IsaName::Avx512, unit: Bf16Unit::Dot }),
        ("amx", Self { name: IsaName::Avx512, unit: Bf16Unit::Tiles }),
    ];

    /// The instruction set of that name, with bf16 numbers widened.
    ///
    /// # Errors
    /// [`IsaError::Missing`] where this processor does not have it.
    pub fn new(name: IsaName) -> Result<Self, IsaError> {
        Self { name, unit: Bf16Unit::Widened }.detected()
    }

    /// The instruction set that `PERCEPT_ISA` calls by that name.
    ///
    /// # Errors
    /// [`IsaError::Unknown`], and [`IsaError::Missing`] where this processor does not have it.
    pub fn named(name: &str) -> Result<Self, IsaError> {
        let found = Self::NAMED.into_iter().find(|(known, _)| *known == name);
        found.ok_or_else(|| IsaError::Unknown(name.to_owned()))?.1.detected()
    }

    fn detected(self) -> Result<Self, IsaError> {
        let has = self.name.detect() && self.unit.detect();
        if has { Ok(self) } else { Err(IsaError::Missing(self.to_string())) }
    }

    /// The names that `PERCEPT_ISA` takes, slowest first.
    #[must_use]
    pub fn names() -> [&'static str; 6] {
        Self::NAMED.map(|(name, _)| name)
    }

    /// The instruction sets that this processor has, slowest first; they differ in what fp32 runs on.
    #[must_use]
    pub fn available() -> Vec<Self> {
        IsaName::ALL.into_iter().filter_map(|name| Self::new(name).ok()).collect()
    }

    /// As [`available`](Self::available), with every bf16 unit too.
    #[must_use]
    pub fn available_with_units() -> Vec<Self> {
        Self::NAMED.into_iter().filter_map(|(_, isa)| isa.detected().ok()).collect()
    }

    /// The instruction set in use: the one that the environment variable `PERCEPT_ISA` names (`scalar`, `neon`,
    /// `avx2`, `avx512`, `avx512bf16` or `amx`), else the best one that this processor has. Read once; later changes have no
    /// effect.
    ///
    /// # Errors
    /// When `PERCEPT_ISA` names an unknown or missing instruction set.
    pub fn chosen() -> Result<Self, IsaError> {
        static CHOSEN: OnceLock<Result<Isa, IsaError>> = OnceLock::new();
        let choose = || match std::env::var("PERCEPT_ISA") {
            Ok(name) if !name.is_empty() => Self::named(&name),
            _ => Ok(Self::available_with_units().pop().unwrap_or(Self::SCALAR)),
        };
        CHOSEN.get_or_init(choose).clone()
    }

    /// Its name, without the bf16 unit.
    #[must_use]
    pub const fn name(self) -> IsaName {
        self.name
    }

    /// What multiplies bf16 numbers.
    #[must_use]
    pub const fn bf16_unit(self) -> Bf16Unit {
        self.unit
    }

    /// Whether its bf16 unit multiplies pairs at twice the rate of fp32 numbers. AMD's processors do (Zen 4 and Zen 5, measured),
    /// the Xeon that was measured does at half of it.
    #[must_use]
    pub fn has_fast_pairs(self) -> bool {
        self.unit == Bf16Unit::Dot && is_made_by_amd()
    }

    /// f32 numbers in one vector register.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self.name {
            IsaName::Scalar => 1,
            IsaName::Neon => 4,
            IsaName::Avx2 => 8,
            IsaName::Avx512 => 16,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn is_made_by_amd() -> bool {
    let vendor = core::arch::x86_64::__cpuid(0);
    let name = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
    name.as_flattened() == b"AuthenticAMD"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_made_by_amd() -> bool {
    false
}

impl fmt::Display for IsaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMED.iter().find(|(_, isa)| isa == self);
        f.write_str(named.map_or("scalar", |(name, _)| name))
    }
}

/// An instruction set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// No such name.
    Unknown(String),
    /// This processor lacks it.
    Missing(String),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known = Isa::names().join(", ");
                write!(f, "unknown instruction set `{name}`; PERCEPT_ISA takes {known}")
            }
            Self::Missing(name) => {
                let have: Vec<_> = Isa::available_with_units().iter().map(Isa::to_string).collect();
                write!(f, "this processor does not have {name}; it has {}", have.join(", "))
            }
        }
    }
}

impl std::error::Error for IsaError {}
