//! `percept bench`: how fast this machine is, and how much of it percept uses.

use crate::benchmark::{self, Plan, Times};
use crate::failure::Failure;
use crate::{network_source, output};
use clap::Args;
use percept::kernels::isa::Isa;
use percept::nn::compute::Precision;
use percept::train::benchmark::Workload;

const EXAMPLES: &str = "\
Examples:
  percept bench                                       half a minute
  percept bench --quick --network cnn                 a few seconds
  percept bench --network my-network.toml --json
  PERCEPT_ISA=avx2 percept bench --network bench-cnn  with another instruction set

Networks: the presets (mlp, lenet, cnn, best), each trained as it says; bench-mlp, bench-lenet, bench-cnn and
bench-resnet20, with which bench/peers compares percept with other programs: batches of 128, momentum; a network file
or a model, trained like those. Images are random and lie in memory; reading and augmenting images is not measured.
\"of peak\" is the share of the fp32 multiply-adds that the processor could do in that time; bf16 may pass it.";

/// Measure how fast this machine trains and predicts
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Measure this network alone; may be given several times
    #[arg(long, value_name = "NAME|FILE")]
    network: Vec<String>,
    /// Measure on one thread and on this many; 0 means one per processor
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = crate::threads::parse)]
    threads: usize,
    /// Train and predict with operands of this precision [default: as `percept train`; predictions in fp32]
    #[arg(long, value_name = "fp32|bf16")]
    precision: Option<Precision>,
    /// Measure for a quarter of the time: less exact
    #[arg(long)]
    quick: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let isa = Isa::chosen().map_err(|error| {
        Failure::usage(error.to_string()).hint("unset PERCEPT_ISA, or set it to one that works")
    })?;
    let mut workloads: Vec<Workload> = match arguments.network.as_slice() {
        [] => Workload::standard(),
        names => names.iter().map(|name| workload(name)).collect::<Result<_, _>>()?,
    };
    for workload in &mut workloads {
        workload.config.precision = arguments.precision;
    }
    let plan = Plan::new(workloads, isa, arguments.threads, Times::new(arguments.quick))?;
    let findings = benchmark::run(plan)?;
    match arguments.json {
        true => output::print_json(&benchmark::json(&findings)),
        false => output::print(&benchmark::text(&findings)),
    }
}

fn workload(name: &str) -> Result<Workload, Failure> {
    if let Some(workload) = Workload::find(name) {
        return Ok(workload);
    }
    let found = network_source::find(name).map_err(|failure| {
        failure.hint(format!(
            "check the path, or give one of these names: {}",
            Workload::names().join(", ")
        ))
    })?;
    Ok(Workload::own(name, found.spec().clone()))
}
