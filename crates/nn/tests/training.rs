//! What a training step promises: the same bits for any number of threads, no allocation, a sound start, and a plain
//! word where numbers stop being numbers.

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::average::AverageSettings;
use percept_nn::compute::{Compute, Precision};
use percept_nn::diverged::Culprit;
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::{AdamW, Muon, OptimizerSpec, Sgd};
use percept_nn::predictor::Predictor;
use percept_nn::source::InMemory;
use percept_nn::spec::NetworkSpec;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is that of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Its second and third convolutions are wide enough for Winograd's algorithm, in either precision.
const CNN: &str = r#"
    input = [12, 12, 1]
    layers = [
        { kind = "conv", out_channels = 16, kernel_size = 3, padding = 1, bias = false },
        { kind = "batch_norm" }, { kind = "relu" },
        { kind = "residual", layers = [{ kind = "conv", out_channels = 16, kernel_size = 3, padding = 1 }, { kind = "batch_norm" }] },
        { kind = "relu" }, { kind = "conv", out_channels = 16, kernel_size = 3, padding = 1, bias = false },
        { kind = "batch_norm" }, { kind = "relu" }, { kind = "max_pool", kernel_size = 2 }, { kind = "dropout", rate = 0.1 },
        { kind = "flatten" }, { kind = "dense", out_features = 20 }, { kind = "relu" },
        { kind = "dense", out_features = 4, init = "uniform_fan_in" },
    ]
"#;

const MLP: &str = r#"
    input = [12, 12, 1]
    layers = [
        { kind = "flatten" }, { kind = "dense", out_features = 32 }, { kind = "relu" },
        { kind = "dense", out_features = 4, init = "uniform_fan_in" },
    ]
"#;

fn network(text: &str) -> Network {
    Network::new(NetworkSpec::from_toml(text).unwrap(), 3).unwrap()
}

fn settings(threads: usize, optimizer: OptimizerSpec) -> EngineSettings {
    EngineSettings {
        compute: Isa::chosen().unwrap().into(),
        threads,
        batch_size: 37,
        chunk_size: 5,
        lanes: 4,
        loss: LossSettings { label_smoothing: 0.1, class_weights: vec![1.0, 2.0, 0.5, 1.0] },
        optimizer,
        clip_norm: Some(1.0),
        average: Some(AverageSettings { every: 2, decay: 0.9 }),
        seed: 5,
    }
}

fn compute(precision: Precision) -> Compute {
    Compute { precision, ..Isa::chosen().unwrap().into() }
}

/// Examples of four classes, each a bright quarter under noise.
fn examples(count: usize) -> (Vec<f32>, Vec<u32>) {
    let mut draws = Draws::new(9, Purpose::Test, 0, 0);
    let labels: Vec<u32> = (0..count).map(|_| draws.below(4)).collect();
    let pixels = labels
        .iter()
        .flat_map(|label| {
            (0..144_u32).map(|i| (i / 72 * 2 + i % 12 / 6 == *label, i)).collect::<Vec<_>>()
        })
        .map(|(bright, _)| if bright { 1.0 } else { 0.0 } + 0.3 * draws.normal())
        .collect();
    (pixels, labels)
}

fn train(text: &str, settings: EngineSettings, steps: usize) -> Vec<u32> {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let mut engine = Engine::new(network(text), settings).unwrap();
    for step in 0..steps {
        // The last batch of an epoch is smaller.
        let size = if step % 3 == 2 { 11 } else { 37 };
        engine.step(&source, size, 1.0).unwrap();
    }
    let averaged = engine.averaged();
    let network = engine.network();
    [network.values(), network.buffer_values(), averaged.values(), averaged.buffer_values()]
        .concat()
        .into_iter()
        .map(f32::to_bits)
        .collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for optimizer in [OptimizerSpec::Muon(Muon::default()), OptimizerSpec::AdamW(AdamW::default())]
    {
        for precision in Precision::ALL {
            let train = |threads: usize| {
                let settings = settings(threads, optimizer.clone());
                train(CNN, EngineSettings { compute: compute(precision), ..settings }, 6)
            };
            let one = train(1);
            for threads in [2, 3, 7] {
                let found = train(threads);
                assert!(found == one, "{precision}, {threads} threads");
            }
        }
    }
}

#[test]
fn a_step_allocates_nothing() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let optimizers = [OptimizerSpec::Muon(Muon::default()), OptimizerSpec::Sgd(Sgd::default())];
    let cases = optimizers.into_iter().zip(Precision::ALL).map(|case| (CNN, 4, case));
    // With a lane for each chunk, dense layers make their gradient for the whole batch.
    let sgd = OptimizerSpec::Sgd(Sgd::default());
    let whole = Precision::ALL.map(|precision| (MLP, 8, (sgd.clone(), precision)));
    for (text, lanes, (optimizer, precision)) in cases.chain(whole) {
        // One thread, so that the whole step runs on the thread that counts.
        let settings =
            EngineSettings { compute: compute(precision), lanes, ..settings(1, optimizer) };
        let mut engine = Engine::new(network(text), settings).unwrap();
        engine.step(&source, 37, 1.0).unwrap();
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..4 {
            engine.step(&source, 37, 1.0).unwrap();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get), before);
    }
    assert!(ALLOCATIONS.with(Cell::get) > 0, "the counter counts");
}

#[test]
fn a_prediction_allocates_nothing() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let mut predictor = Predictor::new(&network(CNN), Isa::chosen().unwrap(), 1);
    let (mut logits, mut alike, mut found) = ([0.0; 37 * 4], [0.0; 37 * 4], [0; 37]);
    let before = ALLOCATIONS.with(Cell::get);
    predictor.logits_of(&source, 37, &mut logits, &mut found);
    predictor.logits_into(&pixels, &mut alike);
    predictor.logits_into(&pixels[..144], &mut alike[..4]);
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(logits == alike && found == labels[..]);
}

/// Four classes that are guessed evenly lose ln 4; random logits of about ±0.6 add about half their variance.
#[test]
fn the_first_loss_is_near_that_of_guessing() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    for text in [MLP, CNN] {
        let plain = EngineSettings {
            loss: LossSettings::default(),
            ..settings(1, OptimizerSpec::Sgd(Sgd::default()))
        };
        let mut engine = Engine::new(network(text), plain).unwrap();
        let loss = engine.step(&source, 37, 1.0).unwrap().loss;
        assert!((loss - 4.0_f64.ln()).abs() < 0.4, "{loss}");
    }
}

#[test]
fn one_batch_is_learned_by_heart() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let networks = [MLP, CNN].into_iter();
    for (text, precision) in networks.flat_map(|text| Precision::ALL.map(|p| (text, p))) {
        let plain = EngineSettings {
            compute: compute(precision),
            loss: LossSettings::default(),
            chunk_size: 37,
            ..settings(2, OptimizerSpec::AdamW(AdamW { learning_rate: 0.01, ..AdamW::default() }))
        };
        let mut engine = Engine::new(network(text), plain).unwrap();
        let reports: Vec<_> = (0..150).map(|_| engine.step(&source, 37, 1.0).unwrap()).collect();
        let last = reports.last().unwrap();
        assert!(last.loss < 0.05 && last.correct == 37, "{precision}: {last:?}");
    }
}

#[test]
fn state_and_numbers_are_all_that_a_step_depends_on() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let optimizer = OptimizerSpec::Muon(Muon::default());
    let mut whole = Engine::new(network(CNN), settings(2, optimizer.clone())).unwrap();
    for _ in 0..3 {
        whole.step(&source, 37, 0.7).unwrap();
    }
    let mut other = Engine::new(network(CNN), settings(3, optimizer)).unwrap();
    other.restore(&whole.state()).unwrap();
    other.set_numbers(whole.network().values(), whole.network().buffer_values());
    for _ in 0..3 {
        let reports = [&mut whole, &mut other].map(|engine| engine.step(&source, 37, 0.5).unwrap());
        assert_eq!(reports[0], reports[1]);
    }
    assert_eq!(whole.network().values(), other.network().values());
    assert_eq!(whole.state(), other.state());
}

#[test]
fn a_state_of_another_optimizer_is_refused() {
    let sgd = Engine::new(network(MLP), settings(1, OptimizerSpec::Sgd(Sgd::default()))).unwrap();
    let adamw = settings(1, OptimizerSpec::AdamW(AdamW::default()));
    let mut engine = Engine::new(network(MLP), adamw).unwrap();
    let error = engine.restore(&sgd.state()).unwrap_err().to_string();
    assert!(error.contains("does not fit"), "{error}");
}

#[test]
fn a_batch_predicts_what_its_images_predict_one_by_one() {
    let (pixels, _) = examples(41);
    for isa in Isa::available() {
        println!("prediction: body {isa}");
        let network = network(CNN);
        let mut predictor = Predictor::new(&network, isa, 2);
        let together = predictor.logits(&pixels);
        let single: Vec<f32> =
            pixels.chunks(144).flat_map(|image| predictor.logits(image)).collect();
        assert_eq!(together, single);
    }
}

/// Layers that are large enough for several threads to share a single image: padded and not, with strides and groups, and
/// dense with a last panel that is not full.
#[test]
fn threads_that_share_an_image_give_the_same_bits() {
    let text = r#"
        input = [12, 12, 1]
        layers = [
            { kind = "conv", out_channels = 32, kernel_size = 3, padding = 1 }, { kind = "relu" },
            { kind = "conv", out_channels = 32, kernel_size = 3, padding = 1 }, { kind = "batch_norm" }, { kind = "relu" },
            { kind = "conv", out_channels = 64, kernel_size = 3, stride = 2 },
            { kind = "conv", out_channels = 128, kernel_size = [5, 3], stride = [2, 1], padding = [2, 1], groups = 2 },
            { kind = "flatten" }, { kind = "dense", out_features = 150 }, { kind = "relu" },
            { kind = "dense", out_features = 4 },
        ]
    "#;
    let (pixels, _) = examples(5);
    for isa in Isa::available() {
        let network = network(text);
        let whole = Predictor::new(&network, isa, 1).logits(&pixels);
        for threads in [2, 3, 7] {
            let mut predictor = Predictor::new(&network, isa, threads);
            let single: Vec<f32> =
                pixels.chunks(144).flat_map(|image| predictor.logits(image)).collect();
            assert_eq!(whole, single, "{isa}, {threads} threads");
        }
    }
}

/// The folded batch norm against a network of f64 on the scalar bodies.
#[test]
fn every_body_predicts_what_the_scalar_truth_predicts() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let mut engine =
        Engine::new(network(CNN), settings(1, OptimizerSpec::AdamW(AdamW::default()))).unwrap();
    for _ in 0..5 {
        engine.step(&source, 37, 1.0).unwrap();
    }
    let trained = engine.network();
    let mut wide = Network::<f64>::zeroed(trained.spec().clone()).unwrap();
    let widen = |from: &[f32], to: &mut [f64]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = f64::from(*from));
    };
    widen(trained.values(), wide.values_mut());
    widen(trained.buffer_values(), wide.buffer_values_mut());
    let wide_pixels: Vec<f64> = pixels.iter().map(|x| f64::from(*x)).collect();
    let truth = Predictor::new(&wide, Isa::SCALAR, 1).logits(&wide_pixels);
    for isa in Isa::available() {
        println!("prediction: body {isa}");
        let logits = Predictor::new(trained, isa, 1).logits(&pixels);
        for (logit, truth) in logits.iter().zip(&truth) {
            // Logits below 10, through five layers of at most 300 roundings of 6e-8 each.
            assert!((f64::from(*logit) - truth).abs() < 1e-4, "{isa}: {logit} {truth}");
        }
    }
}

#[test]
fn divergence_names_where_it_began() {
    let (mut pixels, labels) = examples(37);
    let optimizer = OptimizerSpec::Sgd(Sgd { learning_rate: 1e30, ..Sgd::default() });
    let free = EngineSettings { clip_norm: None, ..settings(2, optimizer) };
    let mut engine = Engine::new(network(MLP), free.clone()).unwrap();
    let source = InMemory { pixels: &pixels, labels: &labels };
    engine.step(&source, 37, 1.0).unwrap();
    let before = engine.network().values().to_vec();
    let diverged = (0..3).find_map(|_| engine.step(&source, 37, 1.0).err()).expect("it diverges");
    assert!(
        matches!(&diverged.culprit, Culprit::Output { layer } | Culprit::Gradient { layer } if layer.starts_with("dense")),
        "{diverged}"
    );
    assert!(diverged.to_string().contains("step"), "{diverged}");
    if engine.step_count() == 1 {
        assert_eq!(
            engine.network().values(),
            before,
            "nothing was changed by the step that failed"
        );
    }
    pixels[7] = f32::NAN;
    let mut engine = Engine::new(network(MLP), free).unwrap();
    let source = InMemory { pixels: &pixels, labels: &labels };
    assert_eq!(engine.step(&source, 37, 1.0).unwrap_err().culprit, Culprit::Input);
}

/// Where a residual block begins at the images, nobody wants the gradient by its other path: the rest is as behind a layer that
/// changes nothing.
#[test]
fn a_residual_block_at_the_images_learns_as_one_inside() {
    let network = |before: &str| {
        format!(
            r#"
            input = [12, 12, 1]
            layers = [
                {before}
                {{ kind = "residual", layers = [{{ kind = "conv", out_channels = 1, kernel_size = 3, padding = 1 }}, {{ kind = "batch_norm" }}] }},
                {{ kind = "relu" }}, {{ kind = "flatten" }}, {{ kind = "dense", out_features = 4 }},
            ]"#
        )
    };
    let settings = || settings(2, OptimizerSpec::Sgd(Sgd::default()).with_learning_rate(0.05));
    let at_the_images = train(&network(""), settings(), 4);
    let inside = train(&network(r#"{ kind = "leaky_relu", slope = 1.0 },"#), settings(), 4);
    assert_eq!(at_the_images, inside);
    assert_ne!(at_the_images, train(&network(""), settings(), 3), "it learns");
}

/// A layer's own overflow is found behind batch norm and ReLU, which could hide it.
#[test]
fn divergence_behind_other_layers_is_found() {
    let (pixels, labels) = examples(37);
    let source = InMemory { pixels: &pixels, labels: &labels };
    let mut broken = network(CNN);
    let range = broken
        .parameters()
        .iter()
        .find(|p| p.name == "residual1.conv1.weight")
        .unwrap()
        .range
        .clone();
    broken.values_mut()[range].fill(f32::MAX);
    let mut engine = Engine::new(broken, settings(2, OptimizerSpec::Sgd(Sgd::default()))).unwrap();
    let culprit = engine.step(&source, 37, 1.0).unwrap_err().culprit;
    assert_eq!(culprit, Culprit::Output { layer: "residual1.conv1".into() });
}

#[test]
fn impossible_settings_are_refused() {
    let base = settings(1, OptimizerSpec::Sgd(Sgd::default()));
    for (settings, word) in [
        (EngineSettings { batch_size: 0, ..base.clone() }, "batch_size"),
        (EngineSettings { chunk_size: 0, ..base.clone() }, "chunk_size"),
        (EngineSettings { lanes: 0, ..base.clone() }, "lanes"),
        (EngineSettings { batch_size: usize::MAX, ..base.clone() }, "batch_size"),
        (EngineSettings { clip_norm: Some(f64::NAN), ..base.clone() }, "clip_norm"),
        (EngineSettings { clip_norm: Some(-1.0), ..base.clone() }, "clip_norm"),
    ] {
        let error = Engine::new(network(MLP), settings).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// Every layer keeps its activations until its backward: 1000 layers of 2^24 numbers would take terabytes.
#[test]
fn a_network_beyond_all_memory_is_refused() {
    let layers = vec![r#"{ kind = "gelu" }"#; 1000].join(", ");
    let wide = network(&format!("input = [4096, 4096, 1]\nlayers = [{layers}]"));
    let settings = EngineSettings {
        loss: LossSettings::default(),
        ..settings(1, OptimizerSpec::Sgd(Sgd::default()))
    };
    let error = Engine::new(wide, settings).unwrap_err().to_string();
    assert!(error.contains("GB") && error.contains("chunk_size"), "{error}");
}

/// Nothing is computed, so the output is the input; there are no parameters, yet there is a loss.
#[test]
fn networks_without_arithmetic_run() {
    let text = "input = [2, 2, 1]\nlayers = [{ kind = 'flatten' }]";
    let (pixels, labels) = ([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0], [1, 0]);
    let optimizer = OptimizerSpec::Sgd(Sgd::default());
    let mut engine = Engine::new(network(text), settings(2, optimizer)).unwrap();
    let report = engine.step(&InMemory { pixels: &pixels, labels: &labels }, 2, 1.0).unwrap();
    assert_eq!((report.correct, report.gradient_norm), (1, 0.0));
    let silent = network(
        "input = [2, 2, 1]\nlayers = [{ kind = 'dropout', rate = 0.5 }, { kind = 'flatten' }]",
    );
    let logits = Predictor::new(&silent, Isa::chosen().unwrap(), 2).logits(&pixels);
    assert_eq!(logits, pixels);
}

/// One window, whatever the stride: the numbers that follow from it must neither overflow nor take for ever.
#[test]
fn an_endless_stride_is_one_window() {
    let text = |stride: u64| {
        format!(
            "input = [12, 12, 1]\nlayers = [\
             {{ kind = 'conv', out_channels = 2, kernel_size = 3, padding = 1 }}, \
             {{ kind = 'conv', out_channels = 4, kernel_size = 5, padding = 1, stride = {stride} }}, \
             {{ kind = 'flatten' }}]"
        )
    };
    for precision in Precision::ALL {
        let train = |stride: u64| {
            let sgd = OptimizerSpec::Sgd(Sgd { learning_rate: 0.01, ..Sgd::default() });
            let settings = EngineSettings { compute: compute(precision), ..settings(1, sgd) };
            train(&text(stride), settings, 2)
        };
        assert_eq!(train(i64::MAX as u64), train(14), "{precision}");
    }
}
