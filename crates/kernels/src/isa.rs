//! The instruction set, chosen once at start.

use core::fmt;
use core::str::FromStr;
use std::sync::OnceLock;

/// The name of an instruction set that kernels have a body for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IsaName {
    /// Plain Rust, the truth that the others are tested against; it serves every processor.
    Scalar,
    /// x86-64 with AVX2 and FMA: 8 floats a vector.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: 16 floats a vector.
    Avx512,
}

/// The proof that this processor has an instruction set: only [`Isa::new`] and [`Isa::chosen`] make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Isa(IsaName);

impl IsaName {
    /// Every instruction set that percept knows, slowest first.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    #[cfg(target_arch = "x86_64")]
    fn detect(self) -> bool {
        match self {
            Self::Scalar => true,
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

    #[cfg(not(target_arch = "x86_64"))]
    fn detect(self) -> bool {
        self == Self::Scalar
    }
}

impl Isa {
    /// The instruction set that every processor has.
    pub const SCALAR: Self = Self(IsaName::Scalar);

    /// The instruction set of that name.
    ///
    /// # Errors
    /// [`IsaError::Missing`] where this processor does not have it.
    pub fn new(name: IsaName) -> Result<Self, IsaError> {
        if name.detect() { Ok(Self(name)) } else { Err(IsaError::Missing(name)) }
    }

    /// The instruction sets that this processor has, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        IsaName::ALL.into_iter().filter_map(|name| Self::new(name).ok()).collect()
    }

    /// The instruction set in use: the one that the environment variable `PERCEPT_ISA` names (`scalar`, `avx2` or
    /// `avx512`), else the best one that this processor has. Read once; later changes have no effect.
    ///
    /// # Errors
    /// When `PERCEPT_ISA` names an unknown or missing instruction set.
    pub fn chosen() -> Result<Self, IsaError> {
        static CHOSEN: OnceLock<Result<Isa, IsaError>> = OnceLock::new();
        let choose = || match std::env::var("PERCEPT_ISA") {
            Ok(name) if !name.is_empty() => Self::new(name.parse()?),
            _ => Ok(Self::available().pop().unwrap_or(Self::SCALAR)),
        };
        CHOSEN.get_or_init(choose).clone()
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> IsaName {
        self.0
    }

    /// f32 numbers in one vector register.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self.0 {
            IsaName::Scalar => 1,
            IsaName::Avx2 => 8,
            IsaName::Avx512 => 16,
        }
    }
}

impl fmt::Display for IsaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for IsaName {
    type Err = IsaError;
    fn from_str(name: &str) -> Result<Self, IsaError> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.to_string() == name)
            .ok_or_else(|| IsaError::Unknown(name.to_owned()))
    }
}

/// An instruction set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// No such name.
    Unknown(String),
    /// This processor lacks it.
    Missing(IsaName),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(
                    f,
                    "unknown instruction set `{name}`; PERCEPT_ISA takes scalar, avx2 or avx512"
                )
            }
            Self::Missing(isa) => {
                let have: Vec<_> = Isa::available().iter().map(Isa::to_string).collect();
                write!(f, "this processor does not have {isa}; it has {}", have.join(", "))
            }
        }
    }
}

impl std::error::Error for IsaError {}
