//! The numbers that were measured.

use percept::kernels::isa::Isa;
use percept::nn::compute::Precision;
use percept::train::benchmark::Kind;
use serde_json::{Value, json};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(super) processor: Option<String>,
    /// The instruction set in use.
    pub(super) isa: Isa,
    /// One, and all where that is more.
    pub(super) threads: Vec<usize>,
    pub(super) peaks: Vec<Peak>,
    pub(super) networks: Vec<NetworkFindings>,
}

/// What an instruction set could do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    /// Floating-point operations a second.
    pub(super) rate: f64,
}

#[derive(Debug)]
pub(super) struct NetworkFindings {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// What training multiplies.
    pub(super) precision: Precision,
    pub(super) parameters: usize,
    /// Floating-point operations of one image in the products of a prediction, and of a training step.
    pub(super) operations: u64,
    pub(super) training_operations: u64,
    /// Images of a training step.
    pub(super) batch: usize,
    pub(super) training: Vec<Timed>,
    pub(super) prediction: Vec<Timed>,
}

/// A measured call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) threads: usize,
    /// Images that go through at once.
    pub(super) images: usize,
    pub(super) seconds: f64,
}

impl Timed {
    pub(super) fn images_per_second(&self) -> f64 {
        self.images as f64 / self.seconds
    }
}

impl Findings {
    /// The peak of the instruction set in use.
    pub(super) fn peak(&self, threads: usize) -> Option<f64> {
        let is_it = |peak: &&Peak| peak.isa.name() == self.isa.name() && peak.threads == threads;
        self.peaks.iter().find(is_it).map(|peak| peak.rate)
    }

    /// The share of the fp32 peak that a call uses, whose images take so many operations each.
    pub(super) fn share_of_peak(&self, timed: &Timed, operations: u64) -> Option<f64> {
        let rate = timed.images_per_second() * operations as f64;
        self.peak(timed.threads).map(|peak| rate / peak)
    }
}

/// The findings for programs.
pub(crate) fn json(findings: &Findings) -> Value {
    let peaks = findings.peaks.iter().map(|peak| {
        json!({
            "instruction_set": peak.isa.to_string(),
            "threads": peak.threads,
            "operations_per_second": peak.rate,
        })
    });
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "processor": findings.processor,
        "architecture": std::env::consts::ARCH,
        "instruction_set": findings.isa.to_string(),
        "threads": findings.threads.last(),
        "peaks": peaks.collect::<Vec<_>>(),
        "networks": findings.networks.iter().map(|n| network(findings, n)).collect::<Vec<_>>(),
    })
}

fn network(findings: &Findings, network: &NetworkFindings) -> Value {
    let timed = |timed: &Timed, operations: u64| {
        json!({
            "threads": timed.threads,
            "images": timed.images,
            "seconds": timed.seconds,
            "images_per_second": timed.images_per_second(),
            "share_of_peak": findings.share_of_peak(timed, operations),
        })
    };
    let all = |calls: &[Timed], operations: u64| {
        calls.iter().map(|call| timed(call, operations)).collect::<Vec<_>>()
    };
    json!({
        "name": network.name,
        "kind": kind(network.kind),
        "training_precision": network.precision.to_string(),
        "parameters": network.parameters,
        "operations": network.operations,
        "training_operations": network.training_operations,
        "training": all(&network.training, network.training_operations),
        "prediction": all(&network.prediction, network.operations),
    })
}

/// A word for where a network comes from.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Preset => "preset",
        Kind::Comparison => "comparison",
        Kind::Own => "own",
    }
}
