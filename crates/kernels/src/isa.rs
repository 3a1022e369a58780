//! The instruction set, chosen once at start.

use core::fmt;
use core::str::FromStr;
use std::sync::OnceLock;

/// An instruction set that kernels have a body for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust, the truth that the others are tested against; it serves every processor.
    Scalar,
    /// x86-64 with AVX2 and FMA: 8 floats a vector.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: 16 floats a vector.
    Avx512,
}

impl Isa {
    /// Every instruction set that percept knows, slowest first.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    /// Whether this processor can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The instruction sets that this processor can run, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The instruction set in use: the one that the environment variable `PERCEPT_ISA` names (`scalar`, `avx2` or
    /// `avx512`) where this processor has it, else the best one.
    ///
    /// # Errors
    /// When `PERCEPT_ISA` names an unknown or missing instruction set.
    pub fn chosen() -> Result<Self, IsaError> {
        static CHOSEN: OnceLock<Result<Isa, IsaError>> = OnceLock::new();
        CHOSEN
            .get_or_init(|| match std::env::var("PERCEPT_ISA") {
                Ok(name) if !name.is_empty() => name.parse::<Self>()?.checked(),
                _ => Ok(*Self::available().last().unwrap_or(&Self::Scalar)),
            })
            .clone()
    }

    /// Itself where this processor can run it.
    ///
    /// # Errors
    /// [`IsaError::Missing`] where it cannot.
    pub fn checked(self) -> Result<Self, IsaError> {
        if self.is_available() { Ok(self) } else { Err(IsaError::Missing(self)) }
    }

    /// f32 numbers in one vector register.
    #[must_use]
    pub const fn lanes(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for Isa {
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
    Missing(Isa),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "unknown instruction set `{name}`; PERCEPT_ISA takes scalar, avx2 or avx512")
            }
            Self::Missing(isa) => {
                let have: Vec<_> = Isa::available().iter().map(Isa::to_string).collect();
                write!(f, "this processor does not have {isa}; it has {}", have.join(", "))
            }
        }
    }
}

impl std::error::Error for IsaError {}
