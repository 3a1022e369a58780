//! Networks with the training that suits them, by name.

use crate::config::Config;
use crate::transfer;
use percept_data::{Augmentation, ImageShape};
use percept_nn::describe::Description;
use percept_nn::init::Init;
use percept_nn::shape::{Shape, Size};
use percept_nn::spec::{LayerSpec, NetworkSpec};

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

const ALL: [Preset; 9] = [
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
        summary: "colour's network for digits, trained longer, for the last tenth of a per cent",
        text: include_str!("../presets/best.toml"),
    },
    Preset {
        name: "colour-small",
        summary: "for colour or grey pictures of any size: a whitening layer and six convolutions, 32 to 128 wide",
        text: include_str!("../presets/colour-small.toml"),
    },
    Preset {
        name: "colour",
        summary: "as colour-small, 64 to 256 wide; the default for pictures (Jordan 2024)",
        text: include_str!("../presets/colour.toml"),
    },
    Preset {
        name: "colour-large",
        summary: "as colour-small, 128 to 384 wide, and trained longer",
        text: include_str!("../presets/colour-large.toml"),
    },
    Preset {
        name: "resnet",
        summary: "a residual network of 20 layers, 16 to 64 wide, for pictures (He et al. 2015)",
        text: include_str!("../presets/resnet.toml"),
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

/// The preset whose training serves a network of one's own: AdamW suits most networks.
#[must_use]
pub fn for_own_networks() -> &'static Preset {
    &ALL[0]
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

    /// Its settings for other images than it was made for: the input, the outputs and the augmentation become theirs.
    ///
    /// # Panics
    /// Never: a test reads every preset.
    #[must_use]
    pub fn fitted(&self, shape: ImageShape, classes: usize) -> Config {
        let mut config = self.config();
        let made_for = config.network.input;
        fit_network(&mut config.network, shape, classes);
        if !config.augmentation.is_off() {
            let side = shape.height.min(shape.width);
            config.augmentation = match (made_for.channels, shape.channels) {
                (1, 3) => Augmentation::photos(side),
                _ => scaled(config.augmentation, side as f32 / made_for.height as f32),
            };
        }
        config
    }
}

/// The smallest side of square images, with so many channels and classes, that a preset can be fitted to.
#[must_use]
pub fn smallest_side(preset: &Preset, channels: usize, classes: usize) -> Option<usize> {
    let fits = |side: &usize| {
        let shape = ImageShape { height: *side, width: *side, channels };
        Description::new(&preset.fitted(shape, classes).network).is_ok()
    };
    (1..=LARGEST_TRIED).find(fits)
}

/// Every preset can be fitted to images of this side.
const LARGEST_TRIED: usize = 64;

/// What suits digits and letters of that side.
#[must_use]
pub fn augmentation_of_signs(side: usize) -> Augmentation {
    scaled(Augmentation::digits(), side as f32 / SIDE_OF_DIGITS)
}

/// The side of the images that [`Augmentation::digits`] suits.
const SIDE_OF_DIGITS: f32 = 28.0;

/// As large a shift for the images' size; pixels beyond a tenth are of no use.
fn scaled(augmentation: Augmentation, by: f32) -> Augmentation {
    let pixels = |count: u32| (count as f32 * by).round() as u32;
    Augmentation {
        shift: (augmentation.shift * by * 10.0).round() / 10.0,
        crop: pixels(augmentation.crop),
        erase: pixels(augmentation.erase),
        ..augmentation
    }
}

/// The input and the outputs become those of the data; whitening filters become as many as there are directions, with both signs;
/// no larger than what arrives.
fn fit_network(network: &mut NetworkSpec, shape: ImageShape, classes: usize) {
    network.input = Shape::new(shape.height, shape.width, shape.channels);
    if let Some(last) = transfer::last_dense(network) {
        last.out_features = classes;
    }
    for index in 0..network.layers.len() {
        let arrives = arriving(network, index);
        match &mut network.layers[index] {
            LayerSpec::Conv(conv) if conv.init == Init::Whitening => {
                let side = if shape.channels == 1 { 3 } else { 2 };
                let (height, width) = (side.min(shape.height), side.min(shape.width));
                conv.kernel_size = Size { height, width };
                conv.out_channels = 2 * height * width * shape.channels;
            }
            LayerSpec::MaxPool(pool) => {
                let Size { height, width } = pool.kernel_size;
                pool.kernel_size =
                    Size { height: height.min(arrives.height), width: width.min(arrives.width) };
            }
            _ => {}
        }
    }
}

/// The shape that arrives at a layer; the input's where the layers before it cannot be.
fn arriving(network: &NetworkSpec, index: usize) -> Shape {
    let before = NetworkSpec { layers: network.layers[..index].to_vec(), ..network.clone() };
    Description::new(&before).map_or(network.input, |description| description.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_network_of_ten_classes() {
        for preset in all() {
            let config = preset.config();
            let description = Description::new(&config.network).unwrap();
            assert_eq!(description.output.len(), 10, "{}", preset.name);
            assert_eq!(config.network.name, preset.name);
            assert_eq!(find(preset.name).unwrap().name, preset.name);
        }
        assert!(find(DEFAULT).is_some() && find("nothing").is_none());
    }

    #[test]
    fn presets_fit_images_of_any_size() {
        for preset in all() {
            // Windows of 5x5 without padding need more than that.
            let small = if preset.name == "lenet" { 20 } else { 8 };
            for shape in [
                ImageShape::grey(small, small),
                ImageShape::grey(92, 112),
                ImageShape::colour(22, 17),
                ImageShape::colour(32, 32),
                ImageShape::colour(96, 64),
            ] {
                let config = preset.fitted(shape, 3);
                let description = Description::new(&config.network);
                let description =
                    description.unwrap_or_else(|error| panic!("{}: {error}", preset.name));
                assert_eq!(description.output.len(), 3, "{}", preset.name);
                assert_eq!(description.input.len(), shape.len(), "{}", preset.name);
            }
        }
        for (name, smallest) in
            [("colour", 1), ("colour-small", 1), ("colour-large", 1), ("mlp", 1)]
        {
            for channels in [1, 3] {
                let preset = find(name).unwrap();
                assert_eq!(smallest_side(preset, channels, 2), Some(smallest), "{name}");
            }
        }
        // Padded 5x5, then halved: 10 becomes 5, just enough for the next 5x5.
        assert_eq!(smallest_side(find("lenet").unwrap(), 1, 2), Some(10));
        // Nine directions of 3x3 grey pixels, twelve of 2x2 pixels with three channels.
        for (shape, filters) in [(ImageShape::grey(30, 30), 18), (ImageShape::colour(30, 30), 24)] {
            let config = find("colour").unwrap().fitted(shape, 5);
            let LayerSpec::Conv(conv) = &config.network.layers[0] else { panic!("a convolution") };
            assert_eq!(conv.out_channels, filters);
        }
    }
}
