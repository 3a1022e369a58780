//! A layer with bf16 operands against the same layer in fp32, on numbers that bf16 holds exactly: both then differ by the
//! order of their fp32 sums alone, or by what Winograd's transforms round.

use crate::compute::{Compute, Precision};
use crate::graph::{Graph, Mode};
use crate::layers::{DrawName, Sums};
use crate::network::Network;
use crate::plan::{Numbers, Passes, Plan};
use crate::spec::NetworkSpec;
use percept_kernels::aligned::Aligned;
use percept_kernels::bf16::Bf16;
use percept_kernels::isa::{Bf16Unit, Isa};
use percept_kernels::random::{Draws, Purpose};

/// (input shape, layers)
const TABLE: &[(&str, &str)] = &[
    ("[1, 1, 5]", "{ kind = 'dense', out_features = 4 }"),
    ("[1, 1, 70]", "{ kind = 'dense', out_features = 33, bias = false }, { kind = 'relu' }"),
    ("[1, 1, 32]", "{ kind = 'dense', out_features = 48 }"),
    ("[6, 5, 1]", "{ kind = 'conv', out_channels = 3, kernel_size = 3, padding = 1 }"),
    (
        "[28, 28, 1]",
        "{ kind = 'conv', out_channels = 24, kernel_size = 5, stride = 2, padding = 2 }",
    ),
    (
        "[28, 28, 1]",
        "{ kind = 'conv', out_channels = 6, kernel_size = 5, padding = 2 }, { kind = 'relu' }",
    ),
    ("[14, 14, 6]", "{ kind = 'conv', out_channels = 16, kernel_size = 5 }, { kind = 'relu' }"),
    (
        "[9, 7, 3]",
        "{ kind = 'conv', out_channels = 20, kernel_size = 3, padding = 1, bias = false }",
    ),
    ("[14, 14, 32]", "{ kind = 'conv', out_channels = 64, kernel_size = 3, padding = 1 }"),
    ("[7, 7, 48]", "{ kind = 'conv', out_channels = 96, kernel_size = 3, padding = 1 }"),
    ("[32, 32, 16]", "{ kind = 'conv', out_channels = 16, kernel_size = 3, padding = 1 }"),
    (
        "[8, 8, 16]",
        "{ kind = 'conv', out_channels = 32, kernel_size = 3, stride = 2, padding = 1 }",
    ),
    ("[8, 8, 16]", "{ kind = 'conv', out_channels = 32, kernel_size = 1, stride = 2 }"),
    ("[7, 6, 2]", "{ kind = 'conv', out_channels = 3, kernel_size = 3, stride = 2, padding = 1 }"),
    ("[8, 8, 2]", "{ kind = 'conv', out_channels = 2, kernel_size = 2, stride = 3 }"),
    (
        "[8, 7, 1]",
        "{ kind = 'conv', out_channels = 2, kernel_size = [4, 3], stride = [1, 2], padding = [2, 1] }",
    ),
    (
        "[3, 4, 2]",
        "{ kind = 'conv', out_channels = 2, kernel_size = 3, stride = 1000000, padding = 1 }",
    ),
    ("[3, 3, 1]", "{ kind = 'conv', out_channels = 2, kernel_size = 2, padding = 3 }"),
    ("[6, 5, 17]", "{ kind = 'conv', out_channels = 7, kernel_size = [2, 3], padding = [0, 2] }"),
    ("[1, 40, 4]", "{ kind = 'conv', out_channels = 5, kernel_size = [1, 3] }"),
    (
        "[14, 14, 6]",
        "{ kind = 'conv', out_channels = 16, kernel_size = 5 }, { kind = 'relu' }, { kind = 'max_pool', kernel_size = 2 }",
    ),
    (
        "[10, 12, 5]",
        "{ kind = 'conv', out_channels = 32, kernel_size = [3, 4], stride = [1, 2], padding = [1, 2] }, { kind = 'relu' }, { kind = 'max_pool', kernel_size = 2 }",
    ),
    (
        "[7, 9, 7]",
        "{ kind = 'conv', out_channels = 43, kernel_size = 3, padding = 1, bias = false }, { kind = 'max_pool', kernel_size = 2 }",
    ),
    (
        "[15, 15, 64]",
        "{ kind = 'conv', out_channels = 96, kernel_size = 3, padding = 1, bias = false }, { kind = 'max_pool', kernel_size = 2 }",
    ),
    (
        "[23, 6, 40]",
        "{ kind = 'conv', out_channels = 33, kernel_size = 3, padding = 1 }, { kind = 'max_pool', kernel_size = 2 }",
    ),
    (
        "[25, 23, 16]",
        "{ kind = 'conv', out_channels = 16, kernel_size = [3, 2], stride = [1, 2], padding = 1 }, { kind = 'relu' }, { kind = 'max_pool', kernel_size = 2 }",
    ),
];

/// Normal numbers rounded to bf16, so small that no sum of the table leaves fp32's precision.
fn random(len: usize, name: u64) -> Vec<f32> {
    let mut draws = Draws::new(3, Purpose::Test, 0, name);
    (0..len).map(|_| Bf16::from_f32(draws.normal()).to_f32()).collect()
}

struct Result {
    output: Vec<f32>,
    by_parameters: Vec<f32>,
    by_input: Vec<f32>,
}

fn run(network: &Network, compute: Compute, images: usize, chunk: usize) -> Result {
    let mode = Mode::Training { fuse: true, input_gradient: true };
    let graph = Graph::new(network.description(), compute, mode);
    let passes = Passes::ForwardAndBackward { input_gradient: true };
    let plan = Plan::new(graph, compute.isa, chunk, passes);
    let parameters = random(network.values().len(), 1);
    let mut packed = Aligned::zeros(plan.packed_len());
    // What scratch memory holds at first must not matter.
    let mut arena = Aligned::from_slice(&vec![f32::NAN; plan.arena_len()]);
    for node in 0..plan.nodes().len() {
        let range = plan.packed_range(node);
        plan.pack(node, &parameters, network.buffer_values(), &mut packed[range]);
    }
    let description = network.description();
    plan.input(&mut arena, images).copy_from_slice(&random(images * description.input.len(), 2));
    let numbers = Numbers::new(&parameters, &packed);
    plan.forward(images, DrawName::default(), numbers, &mut arena, &mut []);
    let output = plan.output(&arena, images).to_vec();
    let gradient = random(output.len(), 3);
    plan.output_and_gradient(&mut arena, images).1.copy_from_slice(&gradient);
    let mut gradients = vec![0.25; parameters.len()];
    plan.backward(0, images, numbers, &mut arena, &mut gradients, Sums::Begin);
    let by_input = plan.gradient(&arena, 0, images).to_vec();
    Result { output, by_parameters: gradients, by_input }
}

/// Sums of up to a few thousand products of normal numbers: fp32 keeps six digits of the largest.
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let scale = expected.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let is_close = (found - expected).abs() <= 1e-5 * scale;
        assert!(is_close, "{what}[{index}]: {found}, in fp32 {expected}");
    }
}

#[test]
fn layers_agree_with_fp32_on_exact_numbers() {
    let mut isas = Isa::available_with_units();
    isas.sort_unstable();
    println!("bf16 layers: {}", isas.iter().map(Isa::to_string).collect::<Vec<_>>().join(", "));
    for (input, layers) in TABLE {
        let text = format!("input = {input}\nlayers = [{layers}]");
        let network = Network::new(NetworkSpec::from_toml(&text).unwrap(), 1).unwrap();
        for (images, chunk) in [(1, 1), (3, 5), (37, 37)] {
            // Winograd's transforms would round what the direct form holds exactly.
            let direct = Compute { winograd: false, ..Isa::SCALAR.into() };
            let truth = run(&network, direct, images, chunk);
            for isa in &isas {
                let compute = Compute { isa: *isa, precision: Precision::Bf16, ..direct };
                let found = run(&network, compute, images, chunk);
                let what =
                    |part: &str| format!("{input} {layers} on {isa}, {images} images: {part}");
                assert_close(&found.output, &truth.output, &what("output"));
                assert_close(&found.by_parameters, &truth.by_parameters, &what("by parameters"));
                assert_close(&found.by_input, &truth.by_input, &what("by input"));
            }
        }
    }
}

/// The root mean square of the distances, in units of that of what is expected.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x).powi(2);
    let of = found.iter().zip(expected).map(|(found, expected)| square(found - expected));
    (of.sum::<f64>() / expected.iter().map(|x| square(*x)).sum::<f64>()).sqrt()
}

/// Where bf16 numbers are multiplied in pairs, wide convolutions take Winograd's algorithm in training: results are then about a
/// hundredth apart (docs/decisions/winograd.md), by one rounding for each operand of each point.
#[test]
fn pairs_take_winograds_algorithm() {
    let pairs = |isa: &Isa| isa.bf16_unit() == Bf16Unit::Dot;
    let Some(isa) = Isa::available_with_units().into_iter().find(pairs) else {
        println!("SKIPPED pairs_take_winograds_algorithm: this processor has no AVX512-BF16");
        return;
    };
    for (input, layers) in [
        ("[14, 14, 32]", "{ kind = 'conv', out_channels = 64, kernel_size = 3, padding = 1 }"),
        ("[9, 10, 24]", "{ kind = 'conv', out_channels = 40, kernel_size = 3 }"),
        ("[32, 32, 16]", "{ kind = 'conv', out_channels = 16, kernel_size = 3, padding = 1 }"),
    ] {
        let text = format!("input = {input}\nlayers = [{layers}]");
        let network = Network::new(NetworkSpec::from_toml(&text).unwrap(), 1).unwrap();
        let direct = Compute { winograd: false, ..isa.into() };
        let truth = run(&network, direct, 5, 7);
        let rounded = Compute { precision: Precision::Bf16, ..direct };
        let (rounded, transformed) = (
            run(&network, rounded, 5, 7),
            run(&network, Compute { winograd: true, ..rounded }, 5, 7),
        );
        let what = format!("{input} {layers}");
        assert!(distance(&rounded.output, &truth.output) < 1e-5, "{what}: directly exact");
        for (found, expected) in [
            (&transformed.output, &truth.output),
            (&transformed.by_parameters, &truth.by_parameters),
            (&transformed.by_input, &truth.by_input),
        ] {
            let distance = distance(found, expected);
            assert!((1e-3..0.03).contains(&distance), "{what}: {distance}");
        }
    }
}
