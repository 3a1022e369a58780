//! Trains a network on MNIST and asks it about a picture.
#![allow(clippy::print_stdout)]

use percept::prelude::*;
use std::sync::atomic::AtomicBool;

/// Trains, tests and predicts.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = presets::find("mlp").ok_or("no such preset")?.config();
    config.epochs = 1;
    let run = Run::new(config, "runs/example".into(), 0)?;
    let outcome = run.execute(&mut [], &AtomicBool::new(false))?;
    let test = outcome.test.ok_or("no test images")?;
    println!("accuracy on the test images: {:.2} %", 100.0 * test.accuracy.value);

    let mut model = LoadedModel::open(&outcome.model.ok_or("interrupted")?, 1)?;
    let pixels = percept::mnist::test()?.images[..28 * 28].to_vec(); // or Picture::open("my.png")
    let picture = Picture::new(ImageShape::grey(28, 28), pixels)?;
    let probabilities = model.predict(&model.preprocessing.prepare_normalised(&picture)?);
    for (class, probability) in model.model.class_names.iter().zip(probabilities) {
        println!("{class}: {:.2} %", 100.0 * probability);
    }
    Ok(())
}
