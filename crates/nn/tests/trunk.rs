//! A trunk: frozen it keeps its bits while the head learns as it would alone; afterwards it learns at its own rate.

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::average::AverageSettings;
use percept_nn::engine::{Engine, EngineSettings, Trunk};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::{Adam, AdamW, Muon, OptimizerSpec, Sgd};
use percept_nn::source::InMemory;
use percept_nn::spec::NetworkSpec;

const CNN: &str = r#"
    input = [8, 8, 1]
    layers = [
        { kind = "conv", out_channels = 6, kernel_size = 3, padding = 1, bias = false },
        { kind = "batch_norm" }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 },
        { kind = "residual", layers = [{ kind = "conv", out_channels = 6, kernel_size = 3, padding = 1 }, { kind = "batch_norm" }] },
        { kind = "relu" }, { kind = "dropout", rate = 0.1 }, { kind = "flatten" },
        { kind = "dense", out_features = 12 }, { kind = "relu" }, { kind = "dense", out_features = 3 },
    ]
"#;

/// Two dense layers without a bias: 4 weights, then 2.
const TINY: &str = r#"
    input = [1, 1, 2]
    layers = [
        { kind = "flatten" },
        { kind = "dense", out_features = 2, bias = false },
        { kind = "dense", out_features = 2, bias = false },
    ]
"#;

fn network(text: &str) -> Network {
    Network::new(NetworkSpec::from_toml(text).unwrap(), 3).unwrap()
}

fn settings(threads: usize, optimizer: OptimizerSpec) -> EngineSettings {
    EngineSettings {
        compute: Isa::chosen().unwrap().into(),
        threads,
        batch_size: 30,
        chunk_size: 5,
        lanes: 4,
        loss: LossSettings::default(),
        optimizer,
        clip_norm: Some(1.0),
        average: Some(AverageSettings { every: 2, decay: 0.9 }),
        seed: 5,
    }
}

fn optimizers() -> [OptimizerSpec; 4] {
    [
        OptimizerSpec::Sgd(Sgd { weight_decay: 0.1, ..Sgd::default() }),
        OptimizerSpec::Adam(Adam::default()),
        OptimizerSpec::AdamW(AdamW::default()),
        OptimizerSpec::Muon(Muon::default()),
    ]
}

fn examples(pixels: usize) -> (Vec<f32>, Vec<u32>) {
    let mut draws = Draws::new(9, Purpose::Test, 0, 0);
    let labels: Vec<u32> = (0..30).map(|_| draws.below(2)).collect();
    let pixels = labels
        .iter()
        .flat_map(|label| vec![*label as f32; pixels])
        .map(|bright| bright + 0.3 * draws.normal())
        .collect();
    (pixels, labels)
}

fn steps(engine: &mut Engine, pixels: usize, count: usize) -> f64 {
    let (pixels, labels) = examples(pixels);
    let source = InMemory { pixels: &pixels, labels: &labels };
    (0..count).map(|_| engine.step(&source, 30, 1.0).unwrap().loss).last().unwrap_or(f64::NAN)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The trunk of CNN is all but the last dense layer: 9 of its 11 parameters.
const TRUNK: Trunk = Trunk { parameters: 9, frozen_steps: 4, rate: 0.1 };

#[test]
fn a_frozen_trunk_keeps_its_bits_and_the_head_learns() {
    for optimizer in optimizers() {
        let start = network(CNN);
        let head = start.parameters()[TRUNK.parameters].range.start;
        assert_eq!(start.parameters()[TRUNK.parameters].name, "dense2.weight");
        let mut engine =
            Engine::new(start.clone(), settings(2, optimizer)).unwrap().with_trunk(TRUNK).unwrap();
        steps(&mut engine, 64, 4);
        let trunk = |engine: &Engine| bits(&engine.network().values()[..head]);
        assert_eq!(trunk(&engine), bits(&start.values()[..head]));
        assert_eq!(bits(&engine.averaged().values()[..head]), bits(&start.values()[..head]));
        assert!(engine.gradient()[..head].iter().all(|gradient| *gradient == 0.0));
        assert_ne!(bits(&engine.network().values()[head..]), bits(&start.values()[head..]));
        // Its running statistics are those of the new images.
        assert_ne!(engine.network().buffer_values(), start.buffer_values());
        steps(&mut engine, 64, 1);
        let moved = engine.network().parameters()[..TRUNK.parameters]
            .iter()
            .all(|p| engine.network().values()[p.range.clone()] != start.values()[p.range.clone()]);
        assert!(moved, "every tensor of the trunk learns from step 5 on");
    }
}

/// The head cannot tell a frozen trunk from one whose learning rate is 0 (for optimizers that then do nothing), except by
/// the norm that clips its gradient: here nothing is clipped.
#[test]
fn the_head_learns_as_over_a_trunk_that_stands_still() {
    let sgd = OptimizerSpec::Sgd(Sgd::default());
    let free = EngineSettings { clip_norm: None, ..settings(1, sgd) };
    let train = |trunk: Trunk| {
        let mut engine =
            Engine::new(network(CNN), free.clone()).unwrap().with_trunk(trunk).unwrap();
        let loss = steps(&mut engine, 64, 4);
        (bits(engine.network().values()), bits(engine.network().buffer_values()), loss.to_bits())
    };
    let still = Trunk { frozen_steps: 0, rate: 0.0, ..TRUNK };
    assert_eq!(train(TRUNK), train(still));
}

/// Adam's first step moves every weight by the learning rate, whatever its gradient (Kingma and Ba 2015, section 2.1), less
/// what eps takes: also where it comes late.
#[test]
fn the_trunk_s_optimizer_begins_when_the_trunk_does() {
    let adam = OptimizerSpec::Adam(Adam { learning_rate: 0.01, ..Adam::default() });
    let trunk = Trunk { parameters: 1, frozen_steps: 3, rate: 0.5 };
    let mut engine =
        Engine::new(network(TINY), settings(1, adam)).unwrap().with_trunk(trunk).unwrap();
    steps(&mut engine, 2, 3);
    let before = engine.network().values()[..4].to_vec();
    steps(&mut engine, 2, 1);
    for (before, after) in before.iter().zip(engine.network().values()) {
        assert!(((before - after).abs() / 0.005 - 1.0).abs() < 1e-3, "{before} to {after}");
    }
}

#[test]
fn threads_and_interruptions_change_nothing() {
    let whole = |threads: usize, optimizer: &OptimizerSpec| {
        let mut engine = Engine::new(network(CNN), settings(threads, optimizer.clone()))
            .unwrap()
            .with_trunk(TRUNK)
            .unwrap();
        steps(&mut engine, 64, 7);
        engine
    };
    for optimizer in optimizers() {
        let expected = whole(1, &optimizer);
        let numbers =
            |engine: &Engine| (bits(engine.network().values()), bits(engine.averaged().values()));
        assert_eq!(numbers(&whole(3, &optimizer)), numbers(&expected));
        for stop in [2, 4, 5] {
            let new = || {
                let engine = Engine::new(network(CNN), settings(2, optimizer.clone())).unwrap();
                engine.with_trunk(TRUNK).unwrap()
            };
            let mut first = new();
            steps(&mut first, 64, stop);
            let mut second = new();
            second.restore(&first.state()).unwrap();
            second.set_numbers(first.network().values(), first.network().buffer_values());
            steps(&mut second, 64, 7 - stop);
            assert_eq!(numbers(&second), numbers(&expected), "stopped after {stop}");
        }
    }
}

#[test]
fn a_trunk_that_cannot_be_is_refused() {
    for (trunk, words) in [
        (Trunk { parameters: 2, ..TRUNK }, "leave one to the head"),
        (Trunk { parameters: 1, rate: -1.0, ..TRUNK }, "found -1"),
        (Trunk { parameters: 1, rate: f64::NAN, ..TRUNK }, "found NaN"),
    ] {
        let engine = Engine::new(network(TINY), settings(1, optimizers()[0].clone())).unwrap();
        let error = engine.with_trunk(trunk).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
