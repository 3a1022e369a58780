//! `percept info`: what this program is and what it runs on.

use crate::failure::Failure;
use crate::number::{grouped, short};
use crate::output;
use crate::text_table::{self, Side};
use clap::Args;
use percept::kernels::isa::{Bf16Unit, Isa};
use percept::nn::compute::{Precision, WorthBf16};
use percept::nn::describe::Description;
use percept::train::presets::{self, Preset};
use serde_json::{Value, json};
use std::thread::available_parallelism;

const EXAMPLES: &str = "\
Examples:
  percept info
  PERCEPT_ISA=avx2 percept info     check what the variable does
  percept info --json";

/// Show the version, this processor's instruction sets, threads and presets
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let in_use = Isa::chosen().map_err(|error| {
        Failure::usage(error.to_string()).hint("unset PERCEPT_ISA, or set it to one that works")
    })?;
    match arguments.json {
        true => output::print_json(&json(in_use)),
        false => output::print(&text(in_use)),
    }
}

fn bf16_unit(in_use: Isa) -> &'static str {
    match in_use.bf16_unit() {
        Bf16Unit::Widened => "after widening to fp32: no faster than fp32",
        Bf16Unit::Dot => "in pairs by AVX512-BF16",
        Bf16Unit::Tiles => "in tiles of 16x16x32 by AMX",
    }
}

/// What `auto` takes.
fn precision(in_use: Isa) -> String {
    let (bf16, fp32) = (Precision::Bf16, Precision::Fp32);
    let (large, small) = match Precision::worth_bf16(in_use) {
        None => (fp32, String::new()),
        Some(WorthBf16 { convolutions: 0, .. }) => (bf16, String::new()),
        Some(WorthBf16 { convolutions, pooled, dense }) => {
            let (convolutions, pooled, dense) =
                (convolutions / 1_000_000, pooled / 1_000, dense / 1_000);
            let pooled = format!("{pooled} k with all convolutions pooled");
            let least = format!("{convolutions} M operations, {pooled}, {dense} k without any");
            (bf16, format!(", {fp32} below {least}"))
        }
    };
    format!("{large} when training{small} (change with --precision)")
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn text(in_use: Isa) -> String {
    let chosen_by = match std::env::var("PERCEPT_ISA") {
        Ok(name) if !name.is_empty() => "chosen by PERCEPT_ISA",
        _ => "the best of this processor",
    };
    let rows = [
        ("percept", env!("CARGO_PKG_VERSION").to_owned()),
        ("system", format!("{} on {}", std::env::consts::ARCH, std::env::consts::OS)),
        ("processor has", processor_features().join(" ")),
        ("instruction sets", available().join(", ")),
        ("in use", format!("{in_use}, {} numbers at once ({chosen_by})", in_use.lanes())),
        ("bf16", format!("multiplied {}", bf16_unit(in_use))),
        ("precision", precision(in_use)),
        ("threads", format!("{} (change with --threads)", threads())),
    ]
    .map(|(name, value)| vec![name.to_owned(), value]);
    let table = text_table::text(&[Side::Left, Side::Left], &rows);
    format!("{table}\nPresets, for `percept train --network NAME`:\n{}", presets_table())
}

fn available() -> Vec<String> {
    Isa::available_with_units().iter().map(ToString::to_string).collect()
}

/// The presets, a line each.
pub(super) fn presets_table() -> String {
    let head = ["name", "parameters", "operations", "epochs", "what it is"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(presets::all().iter().map(preset_row));
    let sides = [Side::Left, Side::Right, Side::Right, Side::Right, Side::Left];
    text_table::text(&sides, &rows)
}

fn preset_row(preset: &Preset) -> Vec<String> {
    let config = preset.config();
    let (parameters, operations) = size(preset);
    let standard = if preset.name == presets::DEFAULT { " *" } else { "" };
    vec![
        format!("{}{standard}", preset.name),
        grouped(parameters as u64),
        short(operations),
        config.epochs.to_string(),
        preset.summary.to_owned(),
    ]
}

/// Parameters, and operations of one forward pass.
fn size(preset: &Preset) -> (usize, u64) {
    Description::new(&preset.config().network)
        .map_or((0, 0), |network| (network.parameter_len(), network.operations()))
}

/// The presets as a list.
pub(super) fn presets_json() -> Value {
    let presets = presets::all().iter().map(|preset| {
        let (parameters, operations) = size(preset);
        json!({
            "name": preset.name,
            "summary": preset.summary,
            "default": preset.name == presets::DEFAULT,
            "epochs": preset.config().epochs,
            "parameters": parameters,
            "operations": operations,
        })
    });
    presets.collect()
}

fn json(in_use: Isa) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "architecture": std::env::consts::ARCH,
        "operating_system": std::env::consts::OS,
        "processor_features": processor_features(),
        "instruction_sets": {
            "known": Isa::names(),
            "available": available(),
            "in_use": in_use.to_string(),
        },
        "threads": threads(),
        "presets": presets_json(),
    })
}

/// The features that matter for speed, of those that the processor has.
#[cfg(target_arch = "x86_64")]
fn processor_features() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => {
            [$(($name, is_x86_feature_detected!($name))),*]
        };
    }
    let features = detected!(
        "sse4.2",
        "avx",
        "avx2",
        "fma",
        "avx512f",
        "avx512bw",
        "avx512dq",
        "avx512vl",
        "avx512vnni",
        "avx512bf16"
    );
    features.into_iter().filter(|(_, present)| *present).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn processor_features() -> Vec<&'static str> {
    let neon = std::arch::is_aarch64_feature_detected!("neon");
    if neon { vec!["neon"] } else { Vec::new() }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn processor_features() -> Vec<&'static str> {
    Vec::new()
}
