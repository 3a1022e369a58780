//! Draws the weights of a network's first layer: red where they are positive, blue where negative, white at zero.

use crate::failure::Failure;
use image::RgbImage;
use percept::nn::network::Network;
use percept::nn::parameter::{Parameter, Role};
use percept::nn::shape::Shape;

mod glyph;

/// Pixels between kernels, and around all.
const GAP: usize = 6;
/// The longest side of a kernel in the drawing, as far as whole pixels allow.
const TILE: usize = 84;
/// The most kernels and the most pixels of a kernel that are drawn.
const MOST_TILES: usize = 1024;
const MOST_PIXELS: usize = 512 * 512;
const PAPER: [u8; 3] = [255, 255, 255];
const INK: [u8; 3] = [31, 41, 51];
const FRAME: [u8; 3] = [190, 197, 204];
/// Height of the scale below the kernels.
const SCALE_HEIGHT: usize = 12;

/// Kernels to draw: each is an image of weights.
struct Kernels {
    height: usize,
    width: usize,
    /// Weights of each kernel, row by row.
    tiles: Vec<Vec<f32>>,
}

/// The drawing: a square for each kernel (and each of its input channels), and the scale.
///
/// # Errors
/// Exit code 2 where no layer has weights, or they are too many to draw.
pub(crate) fn draw(network: &Network) -> Result<RgbImage, Failure> {
    let kernels = Kernels::of_first_layer(network)?;
    let zoom = (TILE / kernels.height.max(kernels.width)).max(1);
    let cell = (kernels.width * zoom + GAP, kernels.height * zoom + GAP);
    let columns = columns(kernels.tiles.len());
    let rows = kernels.tiles.len().div_ceil(columns);
    let width = (columns * cell.0 + GAP).max(180);
    let height = rows * cell.1 + GAP + SCALE_HEIGHT + glyph::HEIGHT + 3 * GAP;
    let mut canvas = Canvas(RgbImage::from_pixel(width as u32, height as u32, PAPER.into()));
    let reach = reach(&kernels.tiles);
    for (index, tile) in kernels.tiles.iter().enumerate() {
        let corner = (GAP + index % columns * cell.0, GAP + index / columns * cell.1);
        let size = (kernels.width * zoom, kernels.height * zoom);
        canvas.fill((corner.0 - 1, corner.1 - 1), (size.0 + 2, size.1 + 2), FRAME);
        for (at, weight) in tile.iter().enumerate() {
            let (x, y) = (at % kernels.width * zoom, at / kernels.width * zoom);
            canvas.fill((corner.0 + x, corner.1 + y), (zoom, zoom), colour(weight / reach));
        }
    }
    canvas.scale(rows * cell.1 + 2 * GAP, width, reach);
    Ok(canvas.0)
}

/// Wider than high.
fn columns(tiles: usize) -> usize {
    let columns = ((tiles as f64 * 1.6).sqrt().ceil() as usize).clamp(1, tiles);
    // As few empty places in the last row as possible, without making the drawing much narrower.
    let least = (columns * 3 / 4).max(1);
    (least..=columns).rev().min_by_key(|c| tiles.div_ceil(*c) * c - tiles).unwrap_or(columns)
}

/// The weight whose colour is full: 99.5 % of the weights are within, so that a few great ones do not pale the others.
fn reach(tiles: &[Vec<f32>]) -> f32 {
    let mut sizes: Vec<f32> = tiles.iter().flatten().map(|weight| weight.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let reach = sizes.get(sizes.len() * 995 / 1000).copied().unwrap_or(0.0);
    if reach > 0.0 && reach.is_finite() { reach } else { 1.0 }
}

/// White at 0, red towards 1, blue towards -1.
fn colour(share: f32) -> [u8; 3] {
    const RED: [f32; 3] = [178.0, 24.0, 43.0];
    const BLUE: [f32; 3] = [33.0, 102.0, 172.0];
    let end = if share > 0.0 { RED } else { BLUE };
    let strength = share.abs().min(1.0);
    end.map(|level| (255.0 + (level - 255.0) * strength).round() as u8)
}

impl Kernels {
    fn of_first_layer(network: &Network) -> Result<Self, Failure> {
        let is_weight = |p: &&Parameter| matches!(p.role, Role::ConvWeight | Role::DenseWeight);
        let Some(parameter) = network.parameters().iter().find(is_weight) else {
            return Err(Failure::usage("the network has no layer with weights to draw"));
        };
        let weights = &network.values()[parameter.range.clone()];
        let (shape, out) = arrangement(parameter, network.description().input);
        let tiles = out * shape.channels;
        if tiles > MOST_TILES || shape.pixels() > MOST_PIXELS {
            return Err(Failure::usage(format!(
                "{} has {tiles} images of {}x{} weights: at most {MOST_TILES} of {MOST_PIXELS} weights can be drawn",
                parameter.name, shape.height, shape.width
            )));
        }
        let tile = |index: usize| {
            let (unit, channel) = (index / shape.channels, index % shape.channels);
            let weight = |pixel: usize| weights[(pixel * shape.channels + channel) * out + unit];
            (0..shape.pixels()).map(weight).collect()
        };
        let tiles = (0..tiles).map(tile).collect();
        Ok(Self { height: shape.height, width: shape.width, tiles })
    }
}

/// What one output sums over, as an image, and how many outputs there are. A dense layer that sees the whole input is
/// arranged as the input is.
fn arrangement(parameter: &Parameter, input: Shape) -> (Shape, usize) {
    let (fan_in, out) = parameter.matrix();
    match (parameter.role, parameter.shape.as_slice()) {
        (Role::ConvWeight, &[height, width, channels, _]) => {
            (Shape::new(height, width, channels), out)
        }
        _ if fan_in == input.len() => (input, out),
        _ => (Shape::new(1, fan_in, 1), out),
    }
}

struct Canvas(RgbImage);

impl Canvas {
    fn fill(&mut self, corner: (usize, usize), size: (usize, usize), colour: [u8; 3]) {
        for y in corner.1..corner.1 + size.1 {
            for x in corner.0..corner.0 + size.0 {
                if let Some(pixel) = self.0.get_pixel_mut_checked(x as u32, y as u32) {
                    *pixel = colour.into();
                }
            }
        }
    }

    /// The colours from -reach to reach, with both ends and the middle named.
    fn scale(&mut self, top: usize, width: usize, reach: f32) {
        let length = width - 2 * GAP;
        for x in 0..length {
            let share = 2.0 * x as f32 / (length - 1) as f32 - 1.0;
            self.fill((GAP + x, top), (1, SCALE_HEIGHT), colour(share));
        }
        let below = top + SCALE_HEIGHT + GAP / 2;
        let end = format!("{reach:.3}");
        self.text(GAP, below, &format!("-{end}"));
        self.text(GAP + (length - glyph::width("0")) / 2, below, "0");
        self.text(GAP + length - glyph::width(&end), below, &end);
    }

    fn text(&mut self, left: usize, top: usize, text: &str) {
        for (at, rows) in text.chars().map(glyph::rows).enumerate() {
            for (y, row) in rows.into_iter().enumerate() {
                for x in (0..3).filter(|x| row >> (2 - x) & 1 == 1) {
                    let corner = (left + (at * 4 + x) * glyph::ZOOM, top + y * glyph::ZOOM);
                    self.fill(corner, (glyph::ZOOM, glyph::ZOOM), INK);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept::nn::spec::NetworkSpec;

    fn network(layers: &str) -> Network {
        let text = format!("input = [2, 3, 1]\nlayers = [{layers}]");
        Network::new(NetworkSpec::from_toml(&text).expect("a spec"), 1).expect("a network")
    }

    #[test]
    fn each_unit_of_a_dense_layer_is_an_image() {
        let mut network = network("{ kind = 'flatten' }, { kind = 'dense', out_features = 2 }");
        // The weight from pixel p to unit u stands at p * 2 + u.
        let weights: Vec<f32> = (0..12).map(|n| n as f32).collect();
        network.values_mut()[..12].copy_from_slice(&weights);
        let kernels = Kernels::of_first_layer(&network).expect("weights");
        assert_eq!((kernels.height, kernels.width), (2, 3));
        assert_eq!(kernels.tiles[1], [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
    }

    #[test]
    fn the_sign_gives_the_colour() {
        assert_eq!(colour(0.0), [255; 3]);
        assert_eq!((colour(1.0), colour(-2.0)), ([178, 24, 43], [33, 102, 172]));
        assert_eq!(reach(&[vec![0.0; 4]]), 1.0);
    }

    #[test]
    fn a_network_without_weights_has_nothing_to_draw() {
        assert!(draw(&network("{ kind = 'relu' }")).is_err());
        assert!(draw(&network("{ kind = 'conv', out_channels = 3, kernel_size = 2 }")).is_ok());
    }
}
