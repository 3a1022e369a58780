//! Pictures in every format that is read, prepared as a digit: no panic, bounded memory.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percept_data::{
    Error, Fit, ImageShape, MAX_DECODED_BYTES, MAX_SIDE, Normalisation, Picture, Preprocessing,
};
use std::panic;

/// What decoding may take, as [`MAX_DECODED_BYTES`] has it, and preparing for each byte of the picture.
const DECODING: usize = 4 * MAX_DECODED_BYTES as usize + (16 << 20);
const PREPARING: usize = 24;

/// A panic within zune-jpeg is known, and an error where percept is concerned; every other ends the run.
fn end_on_panic() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !info.location().is_some_and(|place| place.file().contains("zune-jpeg")) {
            usual(info);
        }
    }));
}

fuzz_target!(init: end_on_panic(), |bytes: &[u8]| {
    let read = percept_fuzz::within(DECODING, || Picture::from_bytes(bytes, "fuzz"));
    let Ok(picture) = read else { return };
    let ImageShape { height, width, channels } = picture.shape();
    assert_eq!(picture.pixels().len(), height * width * channels);
    assert!(height.max(width) <= MAX_SIDE as usize && matches!(channels, 1 | 3));
    // Larger ones take as long as they are large: few would be tried.
    if picture.pixels().len() > 1 << 22 {
        return;
    }
    // Of a digit there are at most 1024x1024 pixels left after the first pass.
    let digit = (1 << 20) + PREPARING * (height * width).min(1 << 20) + 2 * picture.pixels().len();
    match percept_fuzz::within(digit, || Preprocessing::mnist().prepare(&picture)) {
        Ok(seen) => assert_eq!(seen.len(), 28 * 28),
        Err(error) => assert!(matches!(error, Error::Blank { .. }), "{error}"),
    }
    let limit = (1 << 20) + PREPARING * picture.pixels().len();
    for fit in [Fit::Stretch, Fit::Crop] {
        for input in [ImageShape::grey(5, 7), ImageShape::colour(3, 2)] {
            let normalisation =
                Normalisation { mean: vec![0.5; input.channels], std: vec![0.5; input.channels] };
            let preprocessing = Preprocessing { input, fit, normalisation };
            let seen = percept_fuzz::within(limit, || preprocessing.prepare_normalised(&picture));
            assert_eq!(seen.expect("any picture fits").len(), input.len());
        }
    }
});
