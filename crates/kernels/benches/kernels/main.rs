//! Every kernel by itself, on every instruction set that this processor has, at the shapes of real networks:
//!
//! ```text
//! cargo bench -p percept-kernels                        all of them, some minutes
//! cargo bench -p percept-kernels -- avx512/conv         those with this in their name
//! cargo bench -p percept-kernels -- 'amx/bf16 conv'     products of bf16 operands
//! ```
//!
//! Products tell GFLOP/s and their share of the peak of [`percept_kernels::peak`], measured as each instruction set
//! begins; what moves numbers tells bytes a second. A chunk of images goes through each call, as in training, so data
//! come from the cache that they come from there.
#![allow(clippy::print_stdout)] // the peaks

mod convolution;
mod dense;
mod descent;
mod frames;
mod normalisation;
mod numbers;
mod pooling;
mod rate;
mod rounded;

use criterion::Criterion;
use percept_kernels::isa::{Bf16Unit, Isa};
use rate::OfPeak;
use std::time::Duration;

/// What a file of this folder measures.
type Part = fn(&mut Criterion<OfPeak>, Isa);

const PARTS: [Part; 6] = [
    convolution::measure,
    dense::measure,
    pooling::measure,
    normalisation::measure,
    descent::measure,
    frames::measure,
];

fn main() {
    for isa in Isa::available_with_units() {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(600))
            .configure_from_args()
            .with_measurement(OfPeak::new(isa));
        // A unit for bf16 changes nothing in fp32.
        if isa.bf16_unit() == Bf16Unit::Widened {
            PARTS.iter().for_each(|part| part(&mut criterion, isa));
        }
        rounded::measure(&mut criterion, isa);
    }
    Criterion::default().configure_from_args().final_summary();
}
