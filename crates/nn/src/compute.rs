//! How a network's arithmetic is done: on which instruction set, in which precision, with which algorithms.

use crate::describe::Description;
use percept_kernels::isa::{Bf16Unit, Isa};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What decides how a network's numbers are rounded, apart from the network itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// The precision of the operands of matrix products.
    pub precision: Precision,
    /// Whether 3x3 convolutions may take Winograd's algorithm where it is faster (Lavin and Gray 2016).
    pub winograd: bool,
}

/// The precision of the operands of matrix products; weights, sums and all else are fp32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits: 24 of them for the digits.
    #[default]
    Fp32,
    /// The operands rounded to the upper 16 bits of an fp32 number, 8 for the digits; sums are fp32.
    Bf16,
}

/// Operations of an image's prediction from which on bf16 operands train a network faster than fp32, by the kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorthBf16 {
    /// With convolutions.
    pub convolutions: u64,
    /// With convolutions that are all [pooled](Description::pools_convolutions).
    pub pooled: u64,
    /// Without convolutions.
    pub dense: u64,
}

/// Of pairs of bf16 operands, on Zen 5 (docs/decisions/bf16.md). Networks with convolutions: of 0.7 million operations 1.07 to 1.1
/// times the time of fp32, of 9 million and more 0.6 to 0.8 times; all pooled: of 0.2 million 1.1, of 0.46 million and more 0.75
/// to 0.92 times; without convolutions: of 16,000 operations 1.05 and 1.15 times, of 51,000 and more 0.5 to 0.94 times.
const WORTH_PAIRS: WorthBf16 =
    WorthBf16 { convolutions: 3_000_000, pooled: 400_000, dense: 50_000 };

impl Compute {
    /// Fp32 on an instruction set, with the fastest algorithms.
    #[must_use]
    pub const fn new(isa: Isa) -> Self {
        Self { isa, precision: Precision::Fp32, winograd: true }
    }
}

impl From<Isa> for Compute {
    fn from(isa: Isa) -> Self {
        Self::new(isa)
    }
}

impl Precision {
    /// Every precision.
    pub const ALL: [Self; 2] = [Self::Fp32, Self::Bf16];

    /// The faster one for training a network on an instruction set.
    #[must_use]
    pub fn fastest(isa: Isa, network: &Description) -> Self {
        let least = Self::worth_bf16(isa).map(|worth| match network {
            network if network.pools_convolutions() => worth.pooled,
            network if network.convolves() => worth.convolutions,
            _ => worth.dense,
        });
        match least {
            Some(least) if network.operations() >= least => Self::Bf16,
            _ => Self::Fp32,
        }
    }

    /// From how many operations on bf16 is the faster one; `None` where fp32 always is. bf16 in tiles is 16 times as many
    /// operations as fp32. Pairs are twice as many on some processors (half as many on others), and worth the rounding of
    /// operands from some size on.
    #[must_use]
    pub fn worth_bf16(isa: Isa) -> Option<WorthBf16> {
        match isa.bf16_unit() {
            Bf16Unit::Tiles => Some(WorthBf16 { convolutions: 0, pooled: 0, dense: 0 }),
            Bf16Unit::Dot if isa.has_fast_pairs() => Some(WORTH_PAIRS),
            Bf16Unit::Dot | Bf16Unit::Widened => None,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.to_string() == name)
            .ok_or_else(|| format!("unknown precision `{name}`; there are fp32 and bf16"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::NetworkSpec;

    #[test]
    fn pairs_are_taken_where_they_are_fast_and_the_network_is_large() {
        let description = |layer: &str| {
            let tail = "{ kind = \"flatten\" }, { kind = \"dense\", out_features = 1 }";
            let text = format!("name = \"x\"\ninput = [40, 40, 1]\nlayers = [{layer}, {tail}]");
            Description::new(&NetworkSpec::from_toml(&text).unwrap()).unwrap()
        };
        let conv = |channels: usize| {
            format!("{{ kind = \"conv\", out_channels = {channels}, kernel_size = 3 }}")
        };
        let dense = |features: usize| {
            format!("{{ kind = \"flatten\" }}, {{ kind = \"dense\", out_features = {features} }}")
        };
        let pooled = |channels: usize| {
            let pool = "{ kind = \"relu\" }, { kind = \"max_pool\", kernel_size = 2 }";
            format!("{}, {pool}", conv(channels))
        };
        let layers = [conv(4), conv(128), pooled(4), pooled(16), dense(4), dense(40)];
        let networks = layers.map(|layer| description(&layer));
        let inside = format!(
            "{{ kind = \"residual\", layers = [{}] }}",
            conv(1).replace("= 3", "= 3, padding = 1")
        );
        assert!(description(&inside).convolves(), "a convolution inside a block");
        let enough = [false, true, false, true, false, true];
        for isa in Isa::available_with_units() {
            for (network, enough) in networks.iter().zip(enough) {
                let expected = match isa.bf16_unit() {
                    Bf16Unit::Tiles => Precision::Bf16,
                    Bf16Unit::Dot if isa.has_fast_pairs() && enough => Precision::Bf16,
                    Bf16Unit::Dot | Bf16Unit::Widened => Precision::Fp32,
                };
                assert_eq!(Precision::fastest(isa, network), expected, "{isa}: {network:?}");
            }
        }
    }
}
