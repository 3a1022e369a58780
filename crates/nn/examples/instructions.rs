//! What `bench/instructions` counts the instructions of: training steps or predictions, the same ones each time.
//!
//! ```text
//! instructions NETWORK.toml train BATCH CHUNK LANES    one step with momentum
//! instructions NETWORK.toml predict BATCH              one prediction of so many images
//! ```
//!
//! What is counted happens in [`counted_step`] and [`counted_prediction`], on one thread.
#![allow(clippy::print_stdout)]

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::{OptimizerSpec, Sgd};
use percept_nn::predictor::Predictor;
use percept_nn::source::InMemory;
use percept_nn::spec::NetworkSpec;
use std::error::Error;

#[inline(never)]
fn counted_step(engine: &mut Engine, source: &InMemory<'_, f32>, examples: usize) -> f64 {
    engine.step(source, examples, 1.0).map_or(f64::NAN, |report| report.loss)
}

#[inline(never)]
fn counted_prediction(
    predictor: &mut Predictor,
    source: &InMemory<'_, f32>,
    logits: &mut [f32],
    labels: &mut [u32],
) {
    predictor.logits_of(source, labels.len(), logits, labels);
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| -> Result<usize, Box<dyn Error>> {
        Ok(arguments.get(at).ok_or("see the head of the file for the arguments")?.parse()?)
    };
    let file = arguments.first().ok_or("which network?")?;
    let spec = NetworkSpec::from_toml(&std::fs::read_to_string(file)?)?;
    let network = Network::<f32>::new(spec, 1)?;
    let (isa, batch) = (Isa::chosen()?, number(2)?);
    let len = network.description().input.len();
    let classes = u32::try_from(network.description().output.len())?;
    let mut draws = Draws::new(1, Purpose::Test, 0, 0);
    let pixels: Vec<f32> = (0..batch * len).map(|_| draws.uniform_in(-1.0, 1.0)).collect();
    let mut labels: Vec<u32> = (0..classes).cycle().take(batch).collect();
    let own_labels = labels.clone();
    let source = InMemory { pixels: &pixels, labels: &own_labels };
    match arguments.get(1).map(String::as_str) {
        Some("train") => {
            let mut engine = Engine::new(network, settings(isa, batch, number(3)?, number(4)?))?;
            println!("{isa}: loss {}", counted_step(&mut engine, &source, batch));
        }
        Some("predict") => {
            let mut predictor = Predictor::new(&network, isa, 1);
            let mut logits = vec![0.0; batch * predictor.classes()];
            counted_prediction(&mut predictor, &source, &mut logits, &mut labels);
            println!("{isa}: first logit {}", logits[0]);
        }
        _ => return Err("what to count: train or predict?".into()),
    }
    Ok(())
}

fn settings(isa: Isa, batch_size: usize, chunk_size: usize, lanes: usize) -> EngineSettings {
    EngineSettings {
        compute: isa.into(),
        threads: 1,
        batch_size,
        chunk_size,
        lanes,
        loss: LossSettings::default(),
        optimizer: OptimizerSpec::Sgd(Sgd { learning_rate: 0.01, ..Sgd::default() }),
        clip_norm: None,
        average: None,
        seed: 1,
    }
}
