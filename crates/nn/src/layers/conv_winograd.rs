//! A convolution with 3x3 windows and stride 1 by Winograd's algorithm, forward and both gradients: the same function and
//! parameters as [`super::conv`], with fewer multiplications and other roundings.

use super::conv::{Geometry, add_bias_gradient, bias_scratch_len};
use super::fold::Fold;
use super::{Backward, Forward, Layer, Needs, Purpose};
use crate::shape::Size;
use percept_kernels::activation;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::product::Finish;
use percept_kernels::winograd::{
    Convolution, Operands, Tile, add_weight_gradient, convolve, pack_weights,
};

#[derive(Debug)]
pub(crate) struct WinogradConvLayer {
    isa: Isa,
    geometry: Geometry,
    bias: bool,
    /// A batch norm to fold in (inference alone), with its eps.
    norm: Option<f64>,
    relu: bool,
    forward: Convolution,
    /// From the gradient by the output to that by the input, where it is wanted.
    input_gradient: Option<Convolution>,
}

/// The tile with which Winograd's algorithm is estimated to take at most nine tenths of the direct form's time; none where
/// no tile is, or the algorithm does not apply.
///
/// A function of sizes and the width of vectors alone, so that a network is rounded the same way in every run.
pub(crate) fn fastest_tile<T: Element>(
    isa: Isa,
    operands: Operands,
    geometry: &Geometry,
    purpose: Purpose,
) -> Option<Tile> {
    let Geometry { kernel, stride, groups, .. } = *geometry;
    let one = Size { height: 1, width: 1 };
    if kernel != (Size { height: 3, width: 3 }) || stride != one || groups != 1 {
        return None;
    }
    let cost = |tile| cost(T::isa(isa), operands, geometry, tile, purpose);
    let tile = Tile::ALL.into_iter().min_by_key(|tile| cost(Some(*tile)))?;
    let is_faster = cost(Some(tile)).checked_mul(10)? <= cost(None).checked_mul(9)?;
    is_faster.then_some(tile)
}

/// What an image costs with a tile, or directly, in multiply-adds of vectors.
///
/// The products of either form run at about the same speed. The transforms are limited by the caches: a vector of
/// channels of one tile takes as long as so many multiply-adds on either side (docs/decisions/winograd.md has the
/// measurements). Of bf16 operands a dot product of pairs counts as one: half as many are needed in either form.
fn cost(
    isa: Isa,
    operands: Operands,
    geometry: &Geometry,
    tile: Option<Tile>,
    purpose: Purpose,
) -> usize {
    let Geometry { input, output, .. } = *geometry;
    let vectors = |channels: usize| channels.div_ceil(isa.lanes());
    let both = vectors(input.channels) + vectors(output.channels);
    let together = match operands {
        Operands::Exact => 1,
        Operands::Bf16 => 2,
    };
    let pass = |height: usize, width: usize, products: usize| match tile {
        None => height * width * 9 * products / together,
        Some(tile) => {
            let transform = match tile {
                Tile::Two => 120,
                Tile::Four => 360,
            };
            let tiles = height.div_ceil(tile.side()) * width.div_ceil(tile.side());
            let points = tile.products([height, width]);
            points * products / together + tiles * transform * both
        }
    };
    let forward = pass(output.height, output.width, input.channels * vectors(output.channels));
    let backward = pass(input.height, input.width, output.channels * vectors(input.channels));
    match purpose {
        Purpose::Inference => forward,
        // The gradient by the weights has the products of forward.
        Purpose::Training { grad_input: false } => 2 * forward,
        Purpose::Training { grad_input: true } => 2 * forward + backward,
    }
}

impl WinogradConvLayer {
    /// A layer for which [`fastest_tile`] has a tile.
    pub(crate) fn new<T: Element>(
        isa: Isa,
        geometry: Geometry,
        (tile, operands): (Tile, Operands),
        bias: bool,
        norm: Option<f64>,
        relu: bool,
        purpose: Purpose,
    ) -> Self {
        let Geometry { input, output, padding, .. } = geometry;
        let padding = [padding.height, padding.width].map(usize::cast_signed);
        let forward = Convolution::new::<T>(
            isa,
            tile,
            operands,
            [input.height, input.width],
            padding,
            [input.channels, output.channels],
        );
        // Input pixel y meets kernel row k at output row y + padding - k: a convolution with the turned kernel, padded by
        // what is left of 2.
        let turned = || {
            Convolution::new::<T>(
                isa,
                tile,
                operands,
                [output.height, output.width],
                padding.map(|padding| 2 - padding),
                [output.channels, input.channels],
            )
        };
        let input_gradient = purpose.wants_grad_input().then(turned);
        Self { isa, geometry, bias, norm, relu, forward, input_gradient }
    }

    /// Numbers of forward's packed weights and bias.
    fn forward_len(&self) -> usize {
        self.forward.weights_len() + self.forward.padded_out_channels()
    }

    /// Packs the weights, each output channel times its scale, and the bias.
    fn pack_forward<T: Element>(
        &self,
        weight: &[T],
        scale: impl Fn(usize) -> T,
        shift: &[T],
        packed: &mut [T],
    ) {
        let (inputs, outputs) = (self.forward.in_channels(), self.forward.out_channels());
        let (points, bias) = packed.split_at_mut(self.forward.weights_len());
        let at =
            |[y, x]: [usize; 2], c, o| weight[((y * 3 + x) * inputs + c) * outputs + o] * scale(o);
        pack_weights(self.isa, &self.forward, at, points);
        bias[..shift.len()].copy_from_slice(shift);
    }
}

impl<T: Element> Layer<T> for WinogradConvLayer {
    fn needs(&self, chunk: usize) -> Needs {
        let gradient = self.input_gradient.as_ref();
        Needs {
            packed: self.forward_len() + gradient.map_or(0, Convolution::weights_len),
            scratch: self
                .forward
                .gradient_scratch_len(chunk)
                .max(gradient.map_or(0, |gradient| gradient.scratch_len(chunk)))
                .max(bias_scratch_len(self.geometry.output.channels)),
            backward_reads_input: true,
            backward_reads_output: self.relu,
            ..Needs::default()
        }
    }

    fn pack(&self, parameters: &[T], buffers: &[T], packed: &mut [T]) {
        let outputs = self.geometry.output.channels;
        let (weight, rest) = parameters.split_at(self.geometry.weight_len());
        let (bias, norm) = rest.split_at(if self.bias { outputs } else { 0 });
        let (forward, backward) = packed.split_at_mut(self.forward_len());
        match self.norm {
            Some(eps) => {
                let fold = Fold::new(self.bias.then_some(bias), eps, norm, buffers);
                self.pack_forward(weight, |o| fold.scale[o], &fold.shift, forward);
            }
            None => self.pack_forward(weight, |_| T::ONE, bias, forward),
        }
        if let Some(gradient) = &self.input_gradient {
            let inputs = gradient.out_channels();
            let at = |[y, x]: [usize; 2], o, c| {
                weight[(((2 - y) * 3 + 2 - x) * inputs + c) * outputs + o]
            };
            pack_weights(self.isa, gradient, at, backward);
        }
    }

    fn reads_parameters(&self) -> bool {
        false
    }

    fn forward(&self, pass: Forward<'_, T>) {
        let (weights, bias) =
            pass.packed[..self.forward_len()].split_at(self.forward.weights_len());
        let finish = if self.relu { Finish::StoreRelu } else { Finish::Store };
        convolve(
            pass.isa,
            &self.forward,
            pass.input,
            weights,
            (self.bias || self.norm.is_some()).then_some(bias),
            finish,
            pass.scratch,
            pass.output,
        );
    }

    fn backward(&self, mut pass: Backward<'_, T>) {
        if self.relu {
            activation::relu_mask(pass.isa, pass.output, pass.grad_output);
        }
        let weight_len = self.geometry.weight_len();
        let grad_weight = &mut pass.gradients[..weight_len];
        let (input, grad_output) = (pass.input, &*pass.grad_output);
        add_weight_gradient(pass.isa, &self.forward, input, grad_output, pass.scratch, grad_weight);
        if self.bias {
            add_bias_gradient(&mut pass, weight_len);
        }
        if let Some(gradient) = &self.input_gradient
            && !pass.grad_input.is_empty()
        {
            convolve(
                pass.isa,
                gradient,
                pass.grad_output,
                &pass.packed[self.forward_len()..],
                None,
                Finish::Store,
                pass.scratch,
                pass.grad_input,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Compute;
    use crate::network::Network;
    use crate::predictor::Predictor;
    use crate::shape::Shape;
    use crate::spec::{Conv, NetworkSpec};
    use percept_kernels::random::{Draws, Purpose as DrawPurpose};

    /// The tile for a square image and a setting of padding 1.
    fn tile(isa: Isa, side: usize, channels: [usize; 2], purpose: Purpose) -> Option<Tile> {
        let square = |channels| Shape::new(side, side, channels);
        let text = format!("out_channels = {}\nkernel_size = 3\npadding = 1", channels[1]);
        let conv: Conv = toml::from_str(&text).expect("a convolution");
        let geometry = Geometry::new(&conv, square(channels[0]), square(channels[1]));
        fastest_tile::<f32>(isa, Operands::Exact, &geometry, purpose)
    }

    /// What docs/decisions/winograd.md measured as faster.
    #[test]
    fn the_measured_choice_is_made() {
        let training = Purpose::Training { grad_input: true };
        let first = Purpose::Training { grad_input: false };
        for isa in Isa::available() {
            for (side, channels, purpose, expected) in [
                (28, [32, 32], training, Some(Tile::Four)),
                (14, [64, 64], training, Some(Tile::Four)),
                (14, [16, 16], Purpose::Inference, Some(Tile::Four)),
                (7, [48, 96], training, Some(Tile::Four)),
                (6, [64, 64], training, Some(Tile::Four)),
                (2, [64, 64], training, Some(Tile::Two)),
                (1, [64, 64], training, None),
                (28, [1, 32], first, None),
                (32, [3, 16], first, None),
            ] {
                let found = tile(isa, side, channels, purpose);
                assert_eq!(found, expected, "{isa} {side} {channels:?} {purpose:?}");
            }
        }
    }

    /// A dot product of pairs is worth two multiply-adds in either form, so transforms weigh more.
    #[test]
    fn bf16_operands_need_more_channels() {
        let isas = Isa::available();
        let isa = *isas.last().expect("the scalar body");
        for (channels, purpose, expected) in [
            ([16, 16], Purpose::Training { grad_input: true }, Some(Tile::Four)),
            ([4, 4], Purpose::Training { grad_input: true }, None),
        ] {
            let square = |channels| Shape::new(32, 32, channels);
            let text = format!("out_channels = {}\nkernel_size = 3\npadding = 1", channels[1]);
            let conv: Conv = toml::from_str(&text).expect("a convolution");
            let geometry = Geometry::new(&conv, square(channels[0]), square(channels[1]));
            let found = fastest_tile::<f32>(isa, Operands::Bf16, &geometry, purpose);
            assert_eq!(found, expected, "{isa} {channels:?}");
        }
    }

    #[test]
    fn only_plain_windows_of_3x3_are_taken() {
        for change in ["stride = 2", "groups = 2", "kernel_size = 5"] {
            let text = format!("out_channels = 64\npadding = 1\n{change}");
            let text = if change.starts_with("kernel") { text } else { text + "\nkernel_size = 3" };
            let conv: Conv = toml::from_str(&text).expect("a convolution");
            let shape = Shape::new(28, 28, 64);
            let geometry = Geometry::new(&conv, shape, shape);
            let tile =
                fastest_tile::<f32>(Isa::SCALAR, Operands::Exact, &geometry, Purpose::Inference);
            assert_eq!(tile, None);
        }
    }

    /// The folded batch norm of both forms, and that the setting chooses the form.
    #[test]
    fn predictions_agree_with_the_direct_form() {
        let text = r#"
            input = [14, 14, 16]
            layers = [
                { kind = "conv", out_channels = 20, kernel_size = 3, padding = 1 },
                { kind = "batch_norm" }, { kind = "relu" }
            ]"#;
        let spec = NetworkSpec::from_toml(text).expect("a network");
        let mut network = Network::<f32>::new(spec, 1).expect("a network");
        let mut draws = Draws::new(3, DrawPurpose::Test, 0, 0);
        let mut moved = |values: &mut [f32]| {
            values.iter_mut().for_each(|x| *x += draws.uniform_in(0.0, 0.3));
        };
        moved(network.values_mut());
        moved(network.buffer_values_mut());
        let mut input = vec![0.0; 2 * 14 * 14 * 16];
        moved(&mut input);
        for isa in Isa::available() {
            let logits = |winograd| {
                Predictor::new(&network, Compute { winograd, ..isa.into() }, 1).logits(&input)
            };
            let (found, direct) = (logits(true), logits(false));
            assert!(found != direct, "{isa}: another form rounds in another way");
            for (found, direct) in found.iter().zip(&direct) {
                // Sums of 144 products of about 0.1, of which tiles of 4x4 keep five digits.
                assert!((found - direct).abs() < 1e-4 * (1.0 + direct.abs()), "{found} {direct}");
            }
        }
    }
}
