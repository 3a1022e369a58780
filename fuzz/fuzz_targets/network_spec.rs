//! Network specs: no panic, bounded memory; a spec that is accepted is written to TOML that reads the same, and a small
//! one becomes a network that predicts and takes a training step.

#![no_main]

use libfuzzer_sys::fuzz_target;
use percept_kernels::isa::Isa;
use percept_nn::describe::{Description, LayerInfo};
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::{OptimizerSpec, Sgd};
use percept_nn::predictor::Predictor;
use percept_nn::source::InMemory;
use percept_nn::spec::{LayerSpec, NetworkSpec};

/// The most numbers that a network tried here may have, in its parameters or between two layers.
const SMALL: usize = 1 << 12;
/// The most operations of one image.
const QUICK: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let limit = (1 << 20) + 4096 * text.len();
    let Ok(spec) = percept_fuzz::within(limit, || NetworkSpec::from_toml(text)) else { return };
    let Ok(description) = percept_fuzz::within(limit, || Description::new(&spec)) else { return };
    let written = spec.to_toml();
    assert_eq!(NetworkSpec::from_toml(&written).as_ref(), Ok(&spec), "{written}");
    if is_small(&description) {
        predict_and_train(spec, &description);
    }
});

fn is_small(description: &Description) -> bool {
    let work = description.layers.iter().map(work).fold(0, usize::saturating_add);
    description.input.len() <= SMALL
        && description.parameter_len() <= SMALL
        && description.layers.iter().all(is_small_layer)
        && work <= QUICK
}

fn is_small_layer(layer: &LayerInfo) -> bool {
    layer.output.len() <= SMALL && layer.main.iter().chain(&layer.shortcut).all(is_small_layer)
}

/// Operations of one image, those of pooling windows and of padding among them.
fn work(layer: &LayerInfo) -> usize {
    let inner = layer.main.iter().chain(&layer.shortcut).map(work);
    let own = match &layer.spec {
        LayerSpec::MaxPool(pool) | LayerSpec::AvgPool(pool) => {
            layer.output.len().saturating_mul(pool.kernel_size.height * pool.kernel_size.width)
        }
        LayerSpec::Conv(conv) => {
            let framed = (layer.input.height + 2 * conv.padding.height)
                * (layer.input.width + 2 * conv.padding.width)
                * layer.input.channels;
            framed.saturating_add(layer.operations as usize)
        }
        _ => layer.operations as usize,
    };
    inner.fold(own, usize::saturating_add)
}

fn predict_and_train(spec: NetworkSpec, description: &Description) {
    let len = description.input.len();
    let pixels: Vec<f32> = (0..3 * len).map(|i| (i % 7) as f32 / 3.0 - 1.0).collect();
    for isa in Isa::available() {
        let network = Network::<f32>::new(spec.clone(), 1).expect("its description is good");
        let mut predictor = Predictor::new(&network, isa, 1);
        let all = predictor.logits(&pixels);
        assert_eq!(all.len(), 3 * description.output.len());
        let first = predictor.logits(&pixels[..len]);
        assert_eq!(bits(&first), bits(&all[..first.len()]), "an image alone and in a batch");
        train(network, isa, &pixels);
    }
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// One step; it may diverge, for the spec is the fuzzer's.
fn train(network: Network<f32>, isa: Isa, pixels: &[f32]) {
    let settings = EngineSettings {
        compute: isa.into(),
        threads: 1,
        batch_size: 3,
        chunk_size: 2,
        lanes: 2,
        loss: LossSettings::default(),
        optimizer: OptimizerSpec::Sgd(Sgd::default()),
        clip_norm: Some(1.0),
        average: None,
        seed: 1,
    };
    let Ok(mut engine) = Engine::new(network, settings) else { return };
    let _ = engine.step(&InMemory { pixels, labels: &[0, 0, 0] }, 3, 0.1);
}
