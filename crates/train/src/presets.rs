//! Networks with the training that suits them, by name.

use crate::config::Config;

/// A network with its training.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    text: &'static str,
}

/// The preset that is used where nobody names one.
pub const DEFAULT: &str = "cnn";

const ALL: [Preset; 5] = [
    Preset {
        name: "mlp",
        summary: "two hidden layers of weights and ReLU, 784-128-64-10: the classic first network",
        text: include_str!("../presets/mlp.toml"),
    },
    Preset {
        name: "lenet",
        summary: "two 5x5 convolutions and three dense layers, after LeCun et al. 1998",
        text: include_str!("../presets/lenet.toml"),
    },
    Preset {
        name: "fast",
        summary: "two small convolutions with batch norm: 99 % in about a second",
        text: include_str!("../presets/fast.toml"),
    },
    Preset {
        name: "cnn",
        summary: "three convolutions with batch norm; the default",
        text: include_str!("../presets/cnn.toml"),
    },
    Preset {
        name: "best",
        summary: "a wider and deeper network, trained longer, for the last tenth of a per cent",
        text: include_str!("../presets/best.toml"),
    },
];

/// Every preset.
#[must_use]
pub fn all() -> &'static [Preset] {
    &ALL
}

/// The preset of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// The preset as it is written down, in TOML.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Its settings.
    ///
    /// # Panics
    /// Never: a test reads every preset.
    #[must_use]
    pub fn config(&self) -> Config {
        Config::from_toml(self.text).expect("presets are read by a test")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_nn::describe::Description;

    #[test]
    fn every_preset_is_a_network_for_digits() {
        for preset in all() {
            let config = preset.config();
            let description = Description::new(&config.network).unwrap();
            assert_eq!(description.output.len(), 10, "{}", preset.name);
            assert_eq!(config.network.name, preset.name);
            assert_eq!(find(preset.name).unwrap().name, preset.name);
        }
        assert!(find(DEFAULT).is_some() && find("nothing").is_none());
    }
}
