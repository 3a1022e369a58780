//! Augmentation: a slightly different image each epoch, so that the network learns what does not matter.
//!
//! In this order: all movements of an image are composed into one map from output to input positions, and the image is
//! resampled once (where every movement is by whole pixels its rows are copied instead, and no grey level changes); then
//! brightness and colours change; then a square is erased. Mixing two images comes last, and is the loader's.

mod affine;
mod colour;
mod elastic;
pub(crate) mod erase;
mod mirror;
mod rand_augment;
mod resample;
mod scratch;
mod settings;
mod showing;
mod tones;
mod whole_pixels;

use percept_kernels::levels;
use percept_kernels::random::{Draws, Purpose};

use crate::{ImageShape, Normalisation};
use affine::{Affine, Change};
use colour::Tone;
use erase::Area;
pub use mirror::{Mirror, mirror_images};
use rand_augment::Operation;
pub use scratch::Scratch;
pub use settings::{Augmentation, Outside};
pub use showing::Showing;
use whole_pixels::Move;

impl Augmentation {
    /// Writes `image`, changed at random and normalised, into `out`.
    ///
    /// The result depends only on the image, the settings and `showing`. Nothing is allocated once `scratch` has seen an
    /// image of this shape.
    ///
    /// # Shapes
    /// image u8 and out f32: [height, width, channels] of `shape`.
    ///
    /// # Panics
    /// When a length does not match `shape`, or `normalisation` has another number of channels.
    pub fn augment(
        &self,
        image: &[u8],
        shape: ImageShape,
        normalisation: &Normalisation,
        showing: Showing,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        assert!(image.len() == shape.len() && out.len() == shape.len(), "image is not of {shape}");
        assert_eq!(normalisation.mean.len(), shape.channels, "normalisation has other channels");
        scratch.levels.prepare(normalisation, shape);
        let moved = self.draw_move(showing);
        let map = self.draw_changes(shape, &moved, showing, scratch);
        let recoloured = !scratch.tones.is_empty();
        scratch.shares.prepare_shares(shape);
        let levels = if recoloured { &scratch.shares } else { &scratch.levels };
        if let Some(affine) = &map {
            let field = (self.elastic_strength > 0.0).then_some(&scratch.elastic);
            let map = resample::Map { affine, field, outside: self.outside };
            resample::resample(scratch.isa, image, shape, &map, levels, &mut scratch.planes, out);
        } else {
            let mut source = image;
            if self.moves_whole_pixels() {
                scratch.moved.resize(shape.len(), 0);
                moved.apply(image, shape, &mut scratch.moved);
                source = &scratch.moved;
            }
            levels::scale(scratch.isa, source, &levels.factors, &levels.offsets, out);
        }
        if recoloured {
            scratch.tones.iter().for_each(|tone| tone.apply(out, shape, &mut scratch.spare));
            scratch.levels.apply_to_shares(out);
        }
        if self.erase != 0 {
            let size = [self.erase as usize; 2];
            let area = Area::draw(size, shape, &mut showing.draws(Purpose::Erase));
            area.rows_of(out, shape).for_each(|row| row.fill(0.0));
        }
    }

    /// How far an image is moved by whole pixels.
    fn draw_move(&self, showing: Showing) -> Move {
        let mut by = [0; 2];
        if self.crop != 0 {
            let mut draws = showing.draws(Purpose::Crop);
            by = by.map(|_: i32| draws.below(2 * self.crop + 1) as i32 - self.crop as i32);
        }
        Move { by, mirrored: self.mirror.is_mirrored(showing), outside: self.outside }
    }

    /// The map of one image, where it needs one, its elastic field and its changes of colour.
    fn draw_changes(
        &self,
        shape: ImageShape,
        moved: &Move,
        showing: Showing,
        scratch: &mut Scratch,
    ) -> Option<Affine> {
        scratch.tones.clear();
        if self.jitters() {
            scratch.tones.extend(self.draw_jitter(&mut showing.draws(Purpose::Colour)));
        }
        let mut map = self.resamples().then(|| {
            let mut draws = showing.draws(Purpose::Augmentation);
            let affine = self.draw_affine(shape, moved, &mut draws);
            if self.elastic_strength > 0.0 {
                let (strength, smoothness) = (self.elastic_strength, self.elastic_smoothness);
                scratch.elastic.draw(shape, strength, smoothness, &mut draws);
            }
            affine
        });
        let mut draws = showing.draws(Purpose::Operations);
        for _ in 0..self.operations {
            match Operation::draw(self.operations_magnitude, shape, &mut draws) {
                Operation::Move(then) => {
                    let before =
                        map.unwrap_or_else(|| moved_affine(Change::default(), moved, shape));
                    map = Some(before.then(&then));
                }
                Operation::Recolour(tone) => scratch.tones.push(tone),
                Operation::Nothing => {}
            }
        }
        map
    }

    /// The map of one image. Always draws six numbers, so that changing one setting leaves the others' draws alone.
    fn draw_affine(&self, shape: ImageShape, moved: &Move, draws: &mut Draws) -> Affine {
        let mut within = |range: f32| draws.uniform_in(-range, range);
        let change = Change {
            rotation: within(self.rotation),
            scale: [1.0 + within(self.scale), 1.0 + within(self.scale)],
            shear: within(self.shear),
            shift: [within(self.shift), within(self.shift)],
        };
        moved_affine(change, moved, shape)
    }

    /// Those of brightness, contrast, saturation and hue that are on, in a random order. Always draws for all of them.
    fn draw_jitter(&self, draws: &mut Draws) -> impl Iterator<Item = Tone> {
        let mut factor = |range: f32| 1.0 + draws.uniform_in(-range, range);
        let mut tones = [
            (self.brightness, Tone::Brightness(factor(self.brightness))),
            (self.contrast, Tone::Contrast(factor(self.contrast))),
            (self.saturation, Tone::Saturation(factor(self.saturation))),
            (self.hue, Tone::Hue(draws.uniform_in(-self.hue, self.hue))),
        ];
        draws.shuffle(&mut tones);
        tones.into_iter().filter(|(range, _)| *range != 0.0).map(|(_, tone)| tone)
    }
}

/// A change and a movement by whole pixels as one map.
fn moved_affine(mut change: Change, moved: &Move, shape: ImageShape) -> Affine {
    for (shift, by) in change.shift.iter_mut().zip(moved.by) {
        *shift += by as f32;
    }
    let affine = Affine::about_centre(&change, shape);
    if moved.mirrored { affine.mirrored(shape) } else { affine }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(shape: ImageShape) -> Vec<u8> {
        let mut draws = Draws::new(4, Purpose::Test, 0, 0);
        (0..shape.len()).map(|_| draws.below(256) as u8).collect()
    }

    fn augmented(augmentation: Augmentation, shape: ImageShape, epoch: u32) -> Vec<f32> {
        let mut out = vec![f32::NAN; shape.len()];
        let normalisation = Normalisation {
            mean: [0.1, 0.5, 0.3][..shape.channels].to_vec(),
            std: [0.3, 0.2, 0.25][..shape.channels].to_vec(),
        };
        let showing = Showing { seed: 1, epoch, example: 5 };
        let image = noise(shape);
        let scratch = &mut Scratch::default();
        augmentation.augment(&image, shape, &normalisation, showing, scratch, &mut out);
        out
    }

    /// A rotation by next to nothing takes the way of those who move by fractions of a pixel.
    #[test]
    fn whole_pixels_are_moved_as_by_the_affine_map() {
        let photos = Augmentation { crop: 5, ..Augmentation::photos(9) };
        for outside in [Outside::Black, Outside::Reflect] {
            for channels in 1..=3 {
                let shape = ImageShape { height: 9, width: 12, channels };
                let copied = Augmentation { outside, ..photos };
                let resampled = Augmentation { rotation: 1e-30, ..copied };
                for epoch in 0..20 {
                    let got = augmented(copied, shape, epoch);
                    let want = augmented(resampled, shape, epoch);
                    // Factors may be rounded otherwise: the results are below 4, f32 keeps 2^-22 of them.
                    let close = got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-6);
                    assert!(close, "{outside:?} {shape} epoch {epoch}");
                }
            }
        }
    }

    /// Each kind alone changes the image, says that it is on, and another kind's draws stay what they were.
    #[test]
    fn every_setting_does_something_of_its_own() {
        let shape = ImageShape::colour(12, 12);
        let off = Augmentation::default();
        let still = augmented(off, shape, 0);
        for (name, alone) in [
            ("crop", Augmentation { crop: 3, ..off }),
            ("erase", Augmentation { erase: 5, ..off }),
            ("brightness", Augmentation { brightness: 0.5, ..off }),
            ("contrast", Augmentation { contrast: 0.5, ..off }),
            ("saturation", Augmentation { saturation: 0.5, ..off }),
            ("hue", Augmentation { hue: 0.5, ..off }),
            ("operations", Augmentation { operations: 4, operations_magnitude: 20, ..off }),
            ("rotation", Augmentation { rotation: 30.0, ..off }),
        ] {
            assert!(!alone.is_off() && alone.check().is_ok(), "{name}");
            let epochs = [0, 1].map(|epoch| augmented(alone, shape, epoch));
            assert!(epochs[0] != epochs[1] && epochs[0] != still, "{name}");
            assert!(epochs.concat().iter().all(|x| x.is_finite()), "{name}");
            // What is erased lies where it lay.
            let erased = |settings| -> Vec<usize> {
                let both = augmented(Augmentation { erase: 5, ..settings }, shape, 0);
                (0..both.len()).filter(|&at| both[at] == 0.0).collect()
            };
            let (with, without) = (erased(alone), erased(off));
            assert!(without.iter().all(|at| with.contains(at)), "{name}");
        }
        assert!(off.is_off() && Augmentation { mixup: 0.2, ..off }.mixes());
        assert!(!Augmentation { cutmix: 0.2, ..off }.is_off());
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let off = Augmentation::default();
        for (wrong, message) in [
            (Augmentation { crop: 1001, ..off }, "crop must be from 0 to 1000, but is 1001"),
            (Augmentation { erase: 1001, ..off }, "erase must be from 0 to 1000, but is 1001"),
            (Augmentation { hue: 0.6, ..off }, "hue must be from 0 to 0.5, but is 0.6"),
            (Augmentation { contrast: -1.0, ..off }, "contrast must be from 0 to 1, but is -1"),
            (Augmentation { operations: 11, ..off }, "operations must be from 0 to 10, but is 11"),
            (
                Augmentation { operations_magnitude: 31, ..off },
                "operations-magnitude must be from 0 to 30, but is 31",
            ),
            (Augmentation { mixup: f32::NAN, ..off }, "mixup must be from 0 to 100, but is NaN"),
            (Augmentation { cutmix: -0.5, ..off }, "cutmix must be from 0 to 100, but is -0.5"),
        ] {
            assert_eq!(wrong.check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn every_offset_is_drawn() {
        let shape = ImageShape::grey(3, 3);
        let crop = Augmentation { crop: 2, ..Augmentation::default() };
        let mut seen: Vec<[i32; 2]> = (0..2500)
            .map(|example| crop.draw_move(Showing { seed: 1, epoch: 0, example }).by)
            .collect();
        let still = seen.iter().filter(|by| **by == [0, 0]).count();
        // 100 expected of 25 kinds; five standard deviations are 49.
        assert!(still.abs_diff(100) < 49, "{still}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 25);
        assert_eq!(augmented(crop, shape, 1).len(), 9);
    }
}
