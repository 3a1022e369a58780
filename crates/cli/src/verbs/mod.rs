//! What the program can do, one file a verb.

mod bench;
mod completions;
mod data;
mod evaluate;
mod info;
mod man;
mod predict;
mod show;
mod train;

use crate::failure::Failure;
use clap::Subcommand;

/// A verb with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Train(Box<train::Arguments>),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Show(show::Arguments),
    Data(data::Arguments),
    Bench(bench::Arguments),
    Info(info::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// [`Verb::Predict`] without the other verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum PredictVerb {
    Predict(predict::Arguments),
}

impl From<PredictVerb> for Verb {
    fn from(PredictVerb::Predict(arguments): PredictVerb) -> Self {
        Self::Predict(arguments)
    }
}

/// Does what was asked for.
///
/// # Errors
/// A [`Failure`] with the exit code.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Train(arguments) => train::run(&arguments),
        Verb::Evaluate(arguments) => evaluate::run(&arguments),
        Verb::Predict(arguments) => predict::run(&arguments),
        Verb::Show(arguments) => show::run(&arguments),
        Verb::Data(arguments) => data::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Info(arguments) => info::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
        Verb::Man(arguments) => man::run(&arguments),
    }
}
