//! The percept program: the only place that prints or exits.
#![allow(clippy::exit, reason = "this is the program: the second Ctrl-C ends it at once")]

mod arguments;
mod augmentation;
mod benchmark;
mod caching;
mod diagram;
mod duration;
mod failure;
mod filters;
mod find_rate;
mod fitting;
mod interrupt;
mod layer_table;
mod network_source;
mod number;
mod opened_model;
mod output;
mod progress;
mod rate_curve;
mod reading;
mod run_folder;
mod safe_text;
mod settings;
mod shell;
mod text_table;
mod threads;
mod transfer;
mod verbs;

use arguments::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    match verbs::run(Arguments::of_process().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
