//! Where every chunk has a gradient lane to itself, dense layers make their gradient once for the whole batch: it is that of
//! the lanes added up, with the same bits for any number of threads and wherever the images lie. A first layer in fp32 is
//! also multiplied with the whole batch at once.

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::compute::{Compute, Precision};
use percept_nn::diverged::Culprit;
use percept_nn::engine::{Engine, EngineSettings, Trunk};
use percept_nn::loss::{LossSettings, Target};
use percept_nn::network::Network;
use percept_nn::optim::{Muon, OptimizerSpec, Sgd};
use percept_nn::source::{InMemory, Source};
use percept_nn::spec::NetworkSpec;

const PIXELS: usize = 144;
const CLASSES: u32 = 5;

/// More rows than a block of the first weight has, and columns that fill no vector.
const DENSE: &str = r#"
    input = [12, 12, 1]
    layers = [
        { kind = "flatten" }, { kind = "dense", out_features = 37 }, { kind = "relu" },
        { kind = "dense", out_features = 20, bias = false }, { kind = "layer_norm" }, { kind = "relu" },
        { kind = "dense", out_features = 5 },
    ]
"#;

const MIXED: &str = r#"
    input = [12, 12, 1]
    layers = [
        { kind = "conv", out_channels = 16, kernel_size = 3, padding = 1 }, { kind = "relu" },
        { kind = "max_pool", kernel_size = 2 }, { kind = "flatten" },
        { kind = "dense", out_features = 24 }, { kind = "relu" }, { kind = "dense", out_features = 5 },
    ]
"#;

/// Dense layers side by side.
const FORKED: &str = r#"
    input = [12, 12, 1]
    layers = [
        { kind = "flatten" },
        { kind = "residual", layers = [
            { kind = "dense", out_features = 40 }, { kind = "relu" }, { kind = "dense", out_features = 37 },
        ], shortcut = [{ kind = "dense", out_features = 37 }] },
        { kind = "relu" }, { kind = "dense", out_features = 5 },
    ]
"#;

/// Chunks of up to 5 of 37 images: eight of them.
fn settings(precision: Precision, lanes: usize, threads: usize) -> EngineSettings {
    EngineSettings {
        compute: Compute { precision, ..Isa::chosen().unwrap().into() },
        threads,
        batch_size: 37,
        chunk_size: 5,
        lanes,
        loss: LossSettings::default(),
        optimizer: OptimizerSpec::Sgd(Sgd { learning_rate: 0.05, ..Sgd::default() }),
        clip_norm: None,
        average: None,
        seed: 5,
    }
}

fn engine(text: &str, settings: EngineSettings) -> Engine {
    let network = Network::new(NetworkSpec::from_toml(text).unwrap(), 3).unwrap();
    Engine::new(network, settings).unwrap()
}

fn examples() -> (Vec<f32>, Vec<u32>) {
    let mut draws = Draws::new(9, Purpose::Test, 0, 0);
    let labels = (0..37).map(|_| draws.below(CLASSES)).collect();
    ((0..37 * PIXELS).map(|_| draws.normal()).collect(), labels)
}

/// Examples that must be fetched, as those that are augmented.
struct Fetched<'a>(InMemory<'a, f32>);

impl Source<f32> for Fetched<'_> {
    fn target(&self, position: usize) -> Target {
        self.0.target(position)
    }

    fn fill(&self, worker: usize, first: usize, pixels: &mut [f32], targets: &mut [Target]) {
        self.0.fill(worker, first, pixels, targets);
    }
}

#[test]
fn the_gradient_is_that_of_the_lanes_added_up() {
    let (pixels, labels) = examples();
    let source = InMemory { pixels: &pixels, labels: &labels };
    for (text, precision) in
        [DENSE, MIXED, FORKED].into_iter().flat_map(|t| Precision::ALL.map(|p| (t, p)))
    {
        // As many lanes as chunks; fewer.
        let [mut whole, mut added] =
            [8, 3].map(|lanes| engine(text, settings(precision, lanes, 2)));
        assert_ne!(whole.memory_plan(), added.memory_plan(), "only one keeps what it needs later");
        // All chunks alike, and not; fewer chunks; one image.
        for examples in [32, 37, 35, 36, 11, 5, 1] {
            let reports = [&mut whole, &mut added]
                .map(|engine| engine.compute_gradient(&source, examples).unwrap());
            // The first layer's 144 products are added in another order.
            assert!((reports[0].loss - reports[1].loss).abs() < 1e-6, "{reports:?}");
            let most = added.gradient().iter().fold(0.0_f32, |most, g| most.max(g.abs()));
            assert!(most > 1e-3, "there is a gradient");
            for (index, (whole, added)) in whole.gradient().iter().zip(added.gradient()).enumerate()
            {
                // The same products of at most 37 images, added in another order.
                let distance = (whole - added).abs();
                assert!(
                    distance <= 1e-5 * most,
                    "{precision} {examples} [{index}]: {whole} {added}"
                );
            }
        }
    }
}

#[test]
fn threads_and_the_place_of_the_images_change_no_bit() {
    let (pixels, labels) = examples();
    let source = InMemory { pixels: &pixels, labels: &labels };
    let fetched = Fetched(source);
    for (text, precision) in
        [DENSE, MIXED, FORKED].into_iter().flat_map(|t| Precision::ALL.map(|p| (t, p)))
    {
        let train = |source: &dyn Source<f32>, threads: usize| {
            let mut engine = engine(text, settings(precision, 8, threads));
            for size in [37, 32, 11, 37] {
                engine.step(source, size, 1.0).unwrap();
            }
            engine.network().values().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let one = train(&source, 1);
        for threads in [1, 2, 3, 7] {
            assert!(train(&source, threads) == one, "{precision}, {threads} threads");
            assert!(train(&fetched, threads) == one, "{precision}, {threads} threads, fetched");
        }
    }
}

/// What is packed right behind the update of its rows, and kept, is what packing everything before a step gives.
#[test]
fn weights_packed_as_they_change_are_those_packed_anew() {
    let (pixels, labels) = examples();
    let source = InMemory { pixels: &pixels, labels: &labels };
    let cases = [(DENSE, false), (DENSE, true), (FORKED, false), (MIXED, false)];
    for (precision, (text, frozen)) in
        Precision::ALL.into_iter().flat_map(|p| cases.map(|case| (p, case)))
    {
        let new = || {
            let engine = engine(text, settings(precision, 8, 2));
            // The first layer's weight and bias change from the third step on.
            let trunk = Trunk { parameters: 2, frozen_steps: 2, rate: 0.5 };
            if frozen { engine.with_trunk(trunk).unwrap() } else { engine }
        };
        let (mut kept, mut anew) = (new(), new());
        let step = |engine: &mut Engine| engine.step(&source, 37, 1.0).unwrap().loss.to_bits();
        for index in 0..6 {
            let (values, buffers) =
                (anew.network().values().to_vec(), anew.network().buffer_values().to_vec());
            anew.set_numbers(&values, &buffers);
            assert_eq!(step(&mut kept), step(&mut anew), "{precision}, step {index}");
        }
        let values = new().network().values().to_vec();
        let first = step(&mut new());
        kept.set_numbers(&values, &[]);
        assert_eq!(step(&mut kept), first, "{precision}: numbers that were put in are taken");
    }
}

/// Muon needs a matrix's gradient as a whole, which one thread would have to make: it stays with the lanes.
#[test]
fn muon_trains_with_a_lane_for_each_chunk() {
    let (pixels, labels) = examples();
    let source = InMemory { pixels: &pixels, labels: &labels };
    let optimizer = OptimizerSpec::Muon(Muon::default());
    let muon = EngineSettings { optimizer, ..settings(Precision::Fp32, 8, 2) };
    let mut engine = engine(DENSE, muon);
    let losses: Vec<_> = (0..60).map(|_| engine.step(&source, 37, 1.0).unwrap().loss).collect();
    assert!(losses[59] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn divergence_names_where_it_began() {
    let (mut pixels, labels) = examples();
    for precision in Precision::ALL {
        let optimizer = OptimizerSpec::Sgd(Sgd { learning_rate: 1e30, ..Sgd::default() });
        let mut wild = engine(DENSE, EngineSettings { optimizer, ..settings(precision, 8, 2) });
        let source = InMemory { pixels: &pixels, labels: &labels };
        wild.step(&source, 37, 1.0).unwrap();
        let before = wild.network().values().to_vec();
        let diverged = wild.step(&source, 37, 1.0).expect_err("it diverges");
        assert!(
            !matches!(diverged.culprit, Culprit::Input | Culprit::SumOfGradients),
            "{diverged}"
        );
        assert_eq!(wild.network().values(), before, "the step that failed changed nothing");
    }
    pixels[7] = f32::NAN;
    let mut engine = engine(DENSE, settings(Precision::Fp32, 8, 2));
    let source = InMemory { pixels: &pixels, labels: &labels };
    assert_eq!(engine.step(&source, 37, 1.0).unwrap_err().culprit, Culprit::Input);
}
